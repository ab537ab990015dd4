"""Weights come from a named file, or from their publisher, checked."""

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from facade import weights
from facade.errors import FacadeError
from tests.conftest import SHARED

NAME = "network.pth"
CONTENT = b"the weights of a network" * 1000
OURS = SHARED / "weights" / "detection_mobilenet0.25_Final.pth"


class Publisher(SimpleHTTPRequestHandler):
    asked: list[str]

    def log_message(self, *arguments: object) -> None:
        self.asked.append(self.path)


@pytest.fixture
def publisher(tmp_path, monkeypatch) -> Iterator[tuple[Path, list[str]]]:
    """A server on this machine that offers `NAME`: the folder that it serves, and what it was asked for."""
    folder, asked = tmp_path / "served", []
    folder.mkdir()
    (folder / NAME).write_bytes(CONTENT)
    handler = type("Handler", (Publisher,), {"asked": asked})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/{NAME}"
    published = weights.Published(address, hashlib.sha256(CONTENT).hexdigest())
    monkeypatch.setattr(weights, "PUBLISHED", {NAME: published})
    monkeypatch.setattr(weights, "KEPT", tmp_path / "kept")
    yield folder, asked
    server.shutdown()
    server.server_close()


def test_the_publishers_file_is_fetched_once(publisher):
    _, asked = publisher
    path = weights.at_hand(None, NAME, "a.b")
    assert path.read_bytes() == CONTENT
    assert weights.at_hand(None, NAME, "a.b") == path
    assert len(asked) == 1


def test_a_kept_file_that_was_damaged_is_fetched_again(publisher):
    path = weights.at_hand(None, NAME, "a.b")
    path.write_bytes(CONTENT[:-1])
    assert weights.at_hand(None, NAME, "a.b").read_bytes() == CONTENT


def test_a_file_that_is_not_what_was_published_is_refused_and_not_kept(publisher, tmp_path):
    folder, _ = publisher
    (folder / NAME).write_bytes(CONTENT + b"!")
    with pytest.raises(FacadeError, match=r"is not what was published there: .* give the path of the file as a\.b"):
        weights.at_hand(None, NAME, "a.b")
    assert not (tmp_path / "kept").exists()


def test_a_publisher_without_the_file_gets_a_sentence(publisher, tmp_path):
    folder, _ = publisher
    (folder / NAME).unlink()
    with pytest.raises(FacadeError, match=rf"{NAME} could not be fetched .* give the path of the file as a\.b"):
        weights.at_hand(None, NAME, "a.b")
    assert not (tmp_path / "kept").exists()


def test_a_publisher_who_does_not_answer_gets_a_sentence(publisher, monkeypatch):
    closed = weights.Published("http://127.0.0.1:9/network.pth", "0" * 64)  # discard: nobody listens there
    monkeypatch.setattr(weights, "PUBLISHED", {NAME: closed})
    with pytest.raises(FacadeError, match="could not be fetched"):
        weights.at_hand(None, NAME, "a.b")


def test_a_named_file_is_taken_as_it_is_and_nobody_is_asked(publisher, tmp_path):
    own = tmp_path / "own.pth"
    own.write_bytes(b"trained at home")
    assert weights.at_hand(own, NAME, "a.b") == own
    assert publisher[1] == []


def test_a_named_file_that_is_missing_gets_a_sentence(publisher, tmp_path):
    with pytest.raises(FacadeError, match=r"a\.b is .*gone\.pth, and there is no such file"):
        weights.at_hand(tmp_path / "gone.pth", NAME, "a.b")


@pytest.mark.skipif(not OURS.is_file(), reason="facexlib's weights are not at hand")
def test_the_hash_that_is_known_is_that_of_facexlibs_file():
    assert hashlib.sha256(OURS.read_bytes()).hexdigest() == weights.PUBLISHED[OURS.name].sha256


def test_what_is_fetched_is_fetched_from_facexlib():
    for name, published in weights.PUBLISHED.items():
        assert published.address.startswith("https://github.com/xinntao/facexlib/releases/")
        assert published.address.endswith("/" + name)
        assert len(published.sha256) == 64
