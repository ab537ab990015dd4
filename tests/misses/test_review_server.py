"""The review page, in a browser."""

import threading
import urllib.error
import urllib.request

import pytest

from facade.dataset.records import Face, Photograph
from facade.dataset.store import encode
from facade.misses.ledger import Entry, KnownMiss, Ledger, add_entries, read_ledger
from facade.misses.review_server import ReviewServer
from tests.conftest import noise

NAMES = tuple(letter * 16 + ".jpg" for letter in "abcd")


@pytest.fixture
def server(tmp_path, params):
    new = []
    for number, name in enumerate(NAMES):
        entry = Entry(Photograph(name, 160, 120, (Face((40, 30, 40, 48)),)), {0: KnownMiss(by={"pseudo": [0, 2]})}, {})
        new.append((entry, {arm: encode(noise(120, 160, number), params.codec) for arm in ("blur", "pseudo")}))
    add_entries(Ledger(tmp_path / "misses", ()), new, synthetic=True)
    with ReviewServer(tmp_path / "misses") as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield serving
        serving.shutdown()
        thread.join()


def test_a_reviewer_accepts_corrects_rejects_and_removes(chromium, server):
    page = chromium.new_page(viewport={"width": 1000, "height": 800})
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(server.url)
    assert "4 of 4" in page.inner_text("h1")
    first, second, third, fourth = page.locator("article").all()
    first.get_by_role("button", name="Accept").click()
    page.wait_for_function("document.querySelector('article').dataset.state == 'accepted'")

    second.scroll_into_view_if_needed()
    area = second.locator(".picture").bounding_box()
    scale = area["width"] / 160
    page.mouse.move(area["x"] + 20 * scale, area["y"] + 10 * scale)
    page.mouse.down()
    page.mouse.move(area["x"] + 70 * scale, area["y"] + 80 * scale, steps=4)
    page.mouse.up()
    second.get_by_role("button", name="Accept").click()
    third.get_by_role("button", name="Reject").click()
    fourth.get_by_role("button", name="Remove").click()
    page.wait_for_function("document.querySelectorAll('article').length == 3")
    page.wait_for_function("document.getElementById('left').textContent == '0'")
    image = first.locator("img")
    image.scroll_into_view_if_needed()
    page.wait_for_function("[...document.images].some(image => image.naturalWidth == 160)")
    assert not errors
    page.close()

    entries = {entry.photograph.file: entry for entry in read_ledger(server.root).entries}
    assert [entries[name].misses[0].state for name in NAMES[:3]] == ["accepted", "accepted", "rejected"]
    assert entries[NAMES[0]].photograph.faces[0].bbox == (40, 30, 40, 48)
    assert entries[NAMES[1]].photograph.faces[0].bbox == pytest.approx((20, 10, 50, 70), abs=1.5)
    assert NAMES[3] not in entries


def test_a_box_outside_the_picture_is_refused_on_the_page(chromium, server):
    page = chromium.new_page()
    page.goto(server.url)
    first = page.locator("article").first
    first.locator("input[name=width]").fill("500")
    first.get_by_role("button", name="Accept").click()
    page.wait_for_function("document.querySelector('[role=alert]').textContent.includes('does not lie in')")
    page.close()
    assert read_ledger(server.root).entries[0].misses[0].state == "new"


@pytest.mark.parametrize(
    ("path", "status"),
    [("/", 403), ("/?secret=wrong", 403), ("/image/pseudo/../../etc/passwd?{}", 404), ("/image/raw/{name}?{}", 404)],
)
def test_requests_without_the_secret_or_for_other_files_are_refused(server, path, status):
    secret = server.url.partition("?")[2]
    address = f"http://127.0.0.1:{server.server_port}" + path.replace("{}", secret).replace("{name}", NAMES[0])
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(address)
    assert caught.value.code == status
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/review", data=b"{}")
