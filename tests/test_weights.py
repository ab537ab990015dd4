"""Weights come from a file of your own, or are downloaded and verified."""

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


class PublisherHandler(SimpleHTTPRequestHandler):
    requests: list[str]

    def log_message(self, *arguments: object) -> None:
        self.requests.append(self.path)


@pytest.fixture
def publisher(tmp_path, monkeypatch) -> Iterator[tuple[Path, list[str]]]:
    """A local server that offers `NAME`: the folder that it serves, and the paths that were requested."""
    folder, requests = tmp_path / "served", []
    folder.mkdir()
    (folder / NAME).write_bytes(CONTENT)
    handler = type("Handler", (PublisherHandler,), {"requests": requests})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/{NAME}"
    published = weights.PublishedFile(address, hashlib.sha256(CONTENT).hexdigest())
    monkeypatch.setattr(weights, "PUBLISHED", {NAME: published})
    monkeypatch.setattr(weights, "CACHE", tmp_path / "cache")
    yield folder, requests
    server.shutdown()
    server.server_close()


def test_the_published_file_is_downloaded_once(publisher):
    _, requests = publisher
    path = weights.weights_file(None, NAME, "a.b")
    assert path.read_bytes() == CONTENT
    assert weights.weights_file(None, NAME, "a.b") == path
    assert len(requests) == 1


def test_a_damaged_cached_file_is_downloaded_again(publisher):
    path = weights.weights_file(None, NAME, "a.b")
    path.write_bytes(CONTENT[:-1])
    assert weights.weights_file(None, NAME, "a.b").read_bytes() == CONTENT


def test_a_download_with_another_hash_is_refused_and_not_cached(publisher, tmp_path):
    folder, _ = publisher
    (folder / NAME).write_bytes(CONTENT + b"!")
    with pytest.raises(FacadeError, match=r"is not the published file: .* set a\.b to the path of the file"):
        weights.weights_file(None, NAME, "a.b")
    assert not (tmp_path / "cache").exists()


def test_a_missing_published_file_gives_an_error(publisher, tmp_path):
    folder, _ = publisher
    (folder / NAME).unlink()
    with pytest.raises(FacadeError, match=rf"{NAME} could not be downloaded .* set a\.b to the path of the file"):
        weights.weights_file(None, NAME, "a.b")
    assert not (tmp_path / "cache").exists()


def test_an_unreachable_publisher_gives_an_error(publisher, monkeypatch):
    closed = weights.PublishedFile("http://127.0.0.1:9/network.pth", "0" * 64)  # the discard port, closed
    monkeypatch.setattr(weights, "PUBLISHED", {NAME: closed})
    with pytest.raises(FacadeError, match="could not be downloaded"):
        weights.weights_file(None, NAME, "a.b")


def test_a_file_of_your_own_is_used_without_a_download(publisher, tmp_path):
    own = tmp_path / "own.pth"
    own.write_bytes(b"trained at home")
    assert weights.weights_file(own, NAME, "a.b") == own
    assert publisher[1] == []


def test_a_missing_file_of_your_own_gives_an_error(publisher, tmp_path):
    with pytest.raises(FacadeError, match=r"a\.b is .*gone\.pth, which does not exist"):
        weights.weights_file(tmp_path / "gone.pth", NAME, "a.b")


@pytest.mark.skipif(not OURS.is_file(), reason="facexlib's weights are missing")
def test_the_recorded_hash_is_that_of_facexlibs_file():
    assert hashlib.sha256(OURS.read_bytes()).hexdigest() == weights.PUBLISHED[OURS.name].sha256


def test_published_files_come_from_facexlib():
    for name, published in weights.PUBLISHED.items():
        assert published.url.startswith("https://github.com/xinntao/facexlib/releases/")
        assert published.url.endswith("/" + name)
        assert len(published.sha256) == 64
