"""A dossier says what the results say, and nothing that may not be published; any changed byte of it is found."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from facade.cli import app, main
from facade.dossier import assemble
from facade.dossier.assemble import write_dossier
from facade.dossier.findings import describe_attacks
from facade.dossier.manifest import PUBLIC_KEY, SIGNATURE, manifest_text
from facade.dossier.signing_keys import load_key, make_key, public_path
from facade.dossier.verify import verify
from facade.errors import FacadeError
from facade.files import read_json
from facade.params import load
from tests.conftest import REPOSITORY, tree
from tests.dossier.conftest import MEMBERSHIP


@pytest.fixture(scope="module")
def key(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "dossier.pem"
    make_key(path)
    return path


@pytest.fixture(scope="module")
def made(experiment, key, tmp_path_factory) -> Path:
    """A signed dossier, made with real DVC."""
    into = tmp_path_factory.mktemp("made") / "dossier"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(experiment)
        write_dossier(into, load(), load_key(key))
    return into


@pytest.fixture
def current(monkeypatch, experiment):
    """Works in the experiment, and takes DVC's word that it is up to date: DVC takes seconds to say so."""
    monkeypatch.chdir(experiment)
    monkeypatch.setattr(assemble, "stale_stages", list)
    yield experiment
    subprocess.run(["git", "checkout", "-q", "."], cwd=experiment, check=True)


@pytest.fixture
def copy(made, tmp_path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "copy"))


def change_params(text: str, by: str) -> None:
    path = Path("params.yaml")
    before = path.read_text()
    assert text in before
    path.write_text(before.replace(text, by))


def test_its_figures_are_those_of_the_result_files(made):
    content = json.loads((made / "dossier.json").read_text())
    for arm in ("blur", "pseudo"):
        audit = json.loads((REPOSITORY / f"privacy/{arm}.json").read_text())
        one = content["arms"][arm]
        assert one["coverage"] == audit["coverage"]
        assert one["gate"] == json.loads((REPOSITORY / f"gates/{arm}.json").read_text())
        shown = {attack["name"]: attack for attack in one["attacks"] if attack["measured"]}
        assert set(shown) == {name for name, value in audit["reidentification"].items() if isinstance(value, dict)}
        for name, attack in shown.items():
            own = audit["reidentification"][name]
            for rate, value in attack["rates"].items():
                assert (value["estimate"], value["low"], value["high"]) == tuple(
                    own[f"{rate}{end}"] for end in ("", "_low", "_high")
                )
    golden = json.loads((REPOSITORY / "results/golden.json").read_text())
    assert content["arms"]["raw"]["accuracy"] == golden["raw"]
    (blur,) = (one for one in content["verdict"]["comparisons"] if one["name"] == "blur_vs_raw")
    assert blur["verdict"] == golden["verdict"]["blur_vs_raw"]["verdict"]
    assert blur["difference"]["low"] == golden["verdict"]["blur_vs_raw"]["AP50_low"]
    assert content["outdated"] == []
    assert content["parameters"]["used"]["blur.sigma"] == "10"
    assert content["parameters"]["other"] == {}
    assert "torch==2.11.0" in content["packages"]["pinned"]
    assert {one["path"] for one in content["data"]["sets"]} == {"data/train", "data/golden", "data/pseudo"}


def test_the_stand_in_of_the_demo_has_no_limits(made):
    attacks = json.loads((made / "dossier.json").read_text())["arms"]["pseudo"]["attacks"]
    assert {one["name"] for one in attacks if "limit" in one} == {"learned"}


def test_a_limit_is_compared_with_the_upper_end_of_the_interval():
    measured = read_json(REPOSITORY / "privacy/pseudo.json")["reidentification"]
    attacks = describe_attacks(measured, load().audit, stand_in=False)
    limited = [one for one in attacks if "limit" in one]
    assert {one["name"] for one in limited if one["limit"]["within"] is None} == {"reversed"}, "it has no blur to undo"
    assert {one["limit"]["within"] for one in limited if one["measured"]} == {True, False}
    for one in limited:
        if one["measured"]:
            assert one["limit"]["within"] == (100 * one["rates"]["rank1"]["high"] <= one["limit"]["percent"])


def test_what_was_not_measured_is_listed_as_the_results_have_it(made):
    content = json.loads((made / "dossier.json").read_text())
    listed = {(one["where"], one["what"]) for one in content["not_measured"]}
    assert ("privacy/blur.json", "unlabelled") in listed
    assert ("results/golden.json", "raw.AP_large") in listed
    assert any(what.startswith("attack reversed") for where, what in listed if where == "privacy/pseudo.json")
    assert not any(what.startswith("attack reversed") for where, what in listed if where == "privacy/blur.json")
    assert ("params.yaml", "control arm drop") in listed
    assert any(item.startswith("Whether someone who knows a person") for item in content["scope"])


def test_membership_inference_is_part_of_it_and_said_where_it_was_not_measured(made):
    content = json.loads((made / "dossier.json").read_text())
    assert content["arms"]["raw"]["membership"] == MEMBERSHIP
    assert "0.612 (0.581 to 0.643)" in (made / "index.html").read_text()
    listed = [one["what"] for one in content["not_measured"] if one["where"] == "results/membership.json"]
    assert listed == ["raw.tpr", "membership inference on the arm blur", "membership inference on the arm pseudo"]


def test_a_result_that_no_stage_recorded_is_not_taken(current, tmp_path):
    lock = Path("dvc.lock")
    lock.write_text(lock.read_text().replace("path: metrics/ingest.json", "path: metrics/other.txt"))
    with pytest.raises(FacadeError, match="dvc.lock records no metrics/ingest.json"):
        write_dossier(tmp_path / "dossier", load(), None)


def test_the_page_holds_no_script_and_asks_no_network(made):
    page = (made / "index.html").read_text()
    assert "<script" not in page
    assert "http" not in page
    for source in re.findall(r'src="([^"]+)"', page):
        assert (made / source).is_file()
    assert "size: A4" in page
    assert "47.7 % (39.6 to 56.0)" in page, "learned linkage of blurred faces, with its interval"


def test_the_page_opens_in_a_browser_and_prints_on_a4(made, chromium):
    page = chromium.new_page(viewport={"width": 800, "height": 1000}, java_script_enabled=False)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((made / "index.html").as_uri())
    assert page.locator("h2").count() == 8
    assert all(url.startswith(("file:", "data:")) for url in asked)
    widths = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    page = chromium.new_page(viewport={"width": 680, "height": 1000})  # A4 without margins, at 96 pixels an inch
    page.goto((made / "index.html").as_uri())
    page.emulate_media(media="print")
    needed, given = page.evaluate(widths)
    assert needed <= given
    assert page.pdf(format="A4", prefer_css_page_size=True).startswith(b"%PDF")


def test_the_same_experiment_and_key_give_the_same_bytes(current, made, key, tmp_path):
    write_dossier(tmp_path / "again", load(), load_key(key))
    assert tree(tmp_path / "again") == tree(made)


def test_every_changed_byte_is_found_and_its_file_named(made, copy, key):
    """Each file: its first and last byte and some between, each with one bit flipped; of short files, every byte."""
    random = np.random.default_rng(0)
    flips = 0
    for path in sorted(path for path in copy.rglob("*") if path.is_file()):
        content = path.read_bytes()
        short = path.name in (SIGNATURE, PUBLIC_KEY)
        offsets = (
            range(len(content)) if short else {0, len(content) - 1, *random.integers(0, len(content), 12).tolist()}
        )
        for offset in sorted(offsets):
            altered = bytearray(content)
            altered[offset] ^= 1 << int(random.integers(8))
            path.write_bytes(altered)
            with pytest.raises(FacadeError, match=re.escape(path.relative_to(copy).as_posix())):
                verify(copy)
            flips += 1
        path.write_bytes(content)
    assert flips > 400
    assert verify(copy, public_path(key)).trusted, "with all of them back, it is intact"


def test_every_changed_byte_of_an_unsigned_manifest_is_found(current, tmp_path):
    write_dossier(tmp_path / "dossier", load(), None)
    path = tmp_path / "dossier/MANIFEST"
    content = path.read_bytes()
    for offset in range(0, len(content), 7):
        for bit in (0, 5):  # bit 5 turns a into A
            altered = bytearray(content)
            altered[offset] ^= 1 << bit
            path.write_bytes(altered)
            with pytest.raises(FacadeError, match="is not as it was made"):
                verify(tmp_path / "dossier")
    path.write_bytes(content.replace(b"\n", b"\r\n"))
    with pytest.raises(FacadeError, match="MANIFEST is altered"):
        verify(tmp_path / "dossier")


def test_a_missing_or_added_file_is_named(copy):
    (copy / "evidence/gates/blur.json").rename(copy / "evidence/gates/other.json")
    with pytest.raises(FacadeError, match=r"evidence/gates/blur.json is missing.*other.json is not in the MANIFEST"):
        verify(copy)


@pytest.mark.parametrize("what", ["folder", "link", "hidden"])
def test_whatever_is_added_is_found(copy, what):
    path = copy / ".hidden/added"
    path.parent.mkdir()
    if what == "folder":
        path.mkdir()
    elif what == "link":
        path.symlink_to(copy / "index.html")
    else:
        path.write_text("")
    with pytest.raises(FacadeError, match=r"\.hidden/added is not in the MANIFEST"):
        verify(copy)


def test_a_file_replaced_by_a_link_to_equal_content_is_found(copy, tmp_path):
    shutil.move(copy / "index.html", tmp_path / "elsewhere.html")
    (copy / "index.html").symlink_to(tmp_path / "elsewhere.html")
    with pytest.raises(FacadeError, match="index.html is no plain file"):
        verify(copy)


def test_a_forger_with_another_key_is_found_by_the_public_key(copy, key, tmp_path):
    make_key(tmp_path / "forger.pem")
    forger = load_key(tmp_path / "forger.pem")
    (copy / PUBLIC_KEY).write_bytes(public_path(tmp_path / "forger.pem").read_bytes())
    (copy / "MANIFEST").write_text(manifest_text(copy))
    (copy / SIGNATURE).write_bytes(forger.sign((copy / "MANIFEST").read_bytes()))
    with pytest.raises(FacadeError, match="public-key.pem has the fingerprint"):
        verify(copy, public_path(key))
    with pytest.raises(FacadeError, match="dossier.json names the key"):
        verify(copy)


def test_a_removed_signature_is_found(copy, key):
    (copy / SIGNATURE).unlink()
    with pytest.raises(FacadeError, match="MANIFEST.sig is missing"):
        verify(copy)
    (copy / PUBLIC_KEY).unlink()
    (copy / "MANIFEST").write_text(manifest_text(copy))
    with pytest.raises(FacadeError, match=r"dossier.json names the key .* not signed"):
        verify(copy)
    with pytest.raises(FacadeError, match="nobody has signed it"):
        verify(copy, public_path(key))


def test_openssl_and_sha256sum_agree(made, key):
    """Two programs that know nothing of Facade."""
    subprocess.run(["sha256sum", "--check", "--quiet", "--strict", "MANIFEST"], cwd=made, check=True)
    if shutil.which("openssl") is None:
        pytest.skip("no openssl here")
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", str(public_path(key)), "-rawin", "-in", "MANIFEST",
               "-sigfile", SIGNATURE]  # fmt: skip
    assert b"Success" in subprocess.run(command, cwd=made, check=True, capture_output=True).stdout


def test_outdated_results_are_refused_unless_the_dossier_may_say_so(experiment, monkeypatch, tmp_path):
    """With real DVC: a parameter that no stage has run with."""
    monkeypatch.chdir(experiment)
    change_params("  sigma: 10                # gaussian", "  sigma: 12                # gaussian")
    try:
        with pytest.raises(FacadeError, match=r"the results are outdated: DVC would run .* evaluate.*--outdated"):
            write_dossier(tmp_path / "dossier", load(), None)
        assert not (tmp_path / "dossier").exists()
        content = write_dossier(tmp_path / "dossier", load(), None, outdated=True)
    finally:
        subprocess.run(["git", "checkout", "-q", "."], cwd=experiment, check=True)
    assert content["parameters"]["used"]["blur.sigma"] == "10", "what the results were made with"
    assert content["parameters"]["other"] == {"params.yaml": {"blur.sigma": "12"}}
    assert content["pictures"] == []
    assert "These results are outdated" in (tmp_path / "dossier/index.html").read_text()
    assert verify(tmp_path / "dossier").outdated


def test_a_result_file_changed_by_hand_is_refused_by_name(current, tmp_path):
    path = Path("privacy/pseudo.json")
    path.write_text(path.read_text().replace('"untreated": 0', '"untreated": 1'))
    with pytest.raises(FacadeError, match="privacy/pseudo.json is not the file that the stage audit wrote"):
        write_dossier(tmp_path / "dossier", load(), None)
    path.unlink()
    with pytest.raises(FacadeError, match="privacy/pseudo.json is missing"):
        write_dossier(tmp_path / "dossier", load(), None, outdated=True)


def test_uncommitted_code_is_said(current, tmp_path):
    Path("stages/evaluate.py").write_text("# changed\n")
    content = write_dossier(tmp_path / "dossier", load(), None)
    assert content["code"]["uncommitted"] == ["stages/evaluate.py"]
    page = (tmp_path / "dossier/index.html").read_text()
    assert "The code is not that of a commit" in page
    assert "This dossier is not signed" in page


def test_no_picture_is_shown_if_reports_may_show_untreated_faces(current, made, tmp_path):
    assert len(json.loads((made / "dossier.json").read_text())["pictures"]) == 4, "the control: it shows them otherwise"
    change_params("show_raw: false", "show_raw: true")
    content = write_dossier(tmp_path / "dossier", load(), None)
    assert content["pictures"] == []
    assert "untreated faces" in content["pictures_left_out"]
    assert not list((tmp_path / "dossier").rglob("*.png"))


def test_a_picture_from_a_run_that_showed_untreated_faces_is_left_out(current, tmp_path):
    """params.yaml says false again, but what is in plots/ was drawn with true: dvc.lock knows."""
    lock = Path("dvc.lock")
    lock.write_text(lock.read_text().replace("show_raw: false", "show_raw: true"))
    assert write_dossier(tmp_path / "dossier", load(), None)["pictures"] == []


def test_a_picture_that_evaluate_did_not_write_is_left_out(current, tmp_path):
    shutil.copy("plots/slices.png", "plots/faces.png")
    content = write_dossier(tmp_path / "dossier", load(), None)
    assert {picture["source"] for picture in content["pictures"]} == {
        "plots/differences.png", "plots/precision-recall.png", "plots/slices.png"
    }  # fmt: skip
    assert "plots/faces.png" in content["pictures_left_out"]


def test_a_path_of_this_machine_is_not_published(current, tmp_path):
    change_params("path: data/demo", "path: /data/customer-x")
    lock = Path("dvc.lock")
    lock.write_text(lock.read_text().replace("path: data/demo", "path: /data/customer-x"))
    write_dossier(tmp_path / "dossier", load(), None)
    assert all(b"customer-x" not in content for content in tree(tmp_path / "dossier").values())
    privacy = Path("docs/privacy.md")
    privacy.write_text(privacy.read_text().replace("- Whether someone", "- /data/customer-x/1.jpg. Whether someone"))
    with pytest.raises(FacadeError, match=r"would publish private data: dossier.json holds a path"):
        write_dossier(tmp_path / "other", load(), None)
    assert not (tmp_path / "other").exists()


def test_a_folder_that_is_no_dossier_is_not_replaced(current, tmp_path):
    (tmp_path / "photographs").mkdir()
    (tmp_path / "photographs/a.jpg").write_bytes(b"x")
    with pytest.raises(FacadeError, match="is no dossier. Name another folder"):
        write_dossier(tmp_path / "photographs", load(), None)
    assert (tmp_path / "photographs/a.jpg").read_bytes() == b"x"


def test_a_key_is_private_and_never_in_a_repository_nor_replaced(experiment, tmp_path):
    with pytest.raises(FacadeError, match="lies in the repository"):
        make_key(experiment / "keys/dossier.pem")
    path = tmp_path / "new/dossier.pem"
    make_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    before = path.read_bytes()
    with pytest.raises(FacadeError, match="exists"):
        make_key(path)
    assert path.read_bytes() == before
    path.chmod(0o640)
    with pytest.raises(FacadeError, match="may be read by other users"):
        load_key(path)
    path.chmod(0o600)
    path.write_text("no key")
    with pytest.raises(FacadeError, match="is no Ed25519 private key"):
        load_key(path)


def test_the_command_line_makes_and_verifies(current, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    run = CliRunner().invoke
    printed = run(app, ["dossier", "key"])
    assert printed.exit_code == 0, printed.output
    key = tmp_path / "config/facade/dossier.pem"
    fingerprint = re.search(r"[0-9a-f]{64}", printed.output)
    assert fingerprint
    printed = run(app, ["dossier", "--into", str(tmp_path / "out"), "--key", str(key)])
    assert printed.exit_code == 0, printed.output
    assert fingerprint[0] in printed.output
    printed = run(app, ["dossier", "verify", str(tmp_path / "out"), "--public-key", f"{key}.pub"])
    assert printed.exit_code == 0, printed.output
    assert "signed with the key that you gave" in printed.output
    (tmp_path / "out/index.html").write_text("changed")
    monkeypatch.setattr(sys, "argv", ["facade", "dossier", "verify", str(tmp_path / "out")])
    with pytest.raises(SystemExit, match=r"facade: .*index.html is altered") as ended:
        main()
    assert isinstance(ended.value.code, str), "printed to stderr, with exit code 1"
