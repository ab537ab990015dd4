"""Weights of published networks: a file of your own, or the published one, downloaded once and verified."""

import hashlib
import http.client
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from facade.errors import FacadeError
from facade.files import write_bytes


@dataclass(frozen=True)
class PublishedFile:
    """A file on its publisher's server.

    Attributes:
        url: Where it is downloaded from.
        sha256: Of its content, in hexadecimal digits. Any other content is refused.
    """

    url: str
    sha256: str


# By file name. Each hash was computed from a copy that works.
PUBLISHED = {
    "detection_mobilenet0.25_Final.pth": PublishedFile(
        "https://github.com/xinntao/facexlib/releases/download/v0.1.0/detection_mobilenet0.25_Final.pth",
        "2979b33ffafda5d74b6948cd7a5b9a7a62f62b949cef24e95fd15d2883a65220",
    ),
}
# Where downloaded files are kept. `make clean` removes them.
CACHE = Path(".work/weights")
# Timeout of a download without progress, seconds.
TIMEOUT = 30


def weights_file(path: Path | None, name: str, parameter: str) -> Path:
    """The file of a network's weights.

    Args:
        path: A file of your own, which is used as it is. None for the published one.
        name: File name of the published one, a key of `PUBLISHED`.
        parameter: The parameter that names the file, for error messages.

    Returns:
        A file that exists. The published one is downloaded if it is not in the cache.

    Raises:
        FacadeError: The file does not exist; or the download failed, or has another hash than the published file.
    """
    if path is not None:
        if not path.is_file():
            raise FacadeError(f"{parameter} is {path}, which does not exist. Correct the path.")
        return path
    published = PUBLISHED[name]
    cached = CACHE / name
    if not (cached.is_file() and hashlib.sha256(cached.read_bytes()).hexdigest() == published.sha256):
        write_bytes(cached, _download(published, parameter))
    return cached


def _download(published: PublishedFile, parameter: str) -> bytes:
    print(f"downloading {published.url}", flush=True)
    remedy = f"Download it by other means, and set {parameter} to the path of the file."
    try:
        with urllib.request.urlopen(published.url, timeout=TIMEOUT) as response:  # noqa: S310 - a constant above
            content = response.read()
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise FacadeError(f"{published.url} could not be downloaded ({reason}). {remedy}") from None
    digest = hashlib.sha256(content).hexdigest()
    if digest != published.sha256:
        raise FacadeError(
            f"the download of {published.url} is not the published file: its sha256 is {digest}, not "
            f"{published.sha256}. It was discarded. {remedy}"
        )
    return bytes(content)
