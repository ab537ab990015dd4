"""Weights of networks: a file that somebody names, or its publisher's, fetched once and checked."""

import hashlib
import http.client
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from facade.errors import FacadeError
from facade.files import write_bytes


@dataclass(frozen=True)
class Published:
    """A file that its publisher offers to everybody.

    Attributes:
        address: Where it is.
        sha256: Of its content, in hexadecimal digits. Anything else that comes from there is refused.
    """

    address: str
    sha256: str


# By file name. A file stands here only when its hash was computed from a copy that works.
PUBLISHED = {
    "detection_mobilenet0.25_Final.pth": Published(
        "https://github.com/xinntao/facexlib/releases/download/v0.1.0/detection_mobilenet0.25_Final.pth",
        "2979b33ffafda5d74b6948cd7a5b9a7a62f62b949cef24e95fd15d2883a65220",
    ),
}
# Where fetched files are kept. `make clean` removes them.
KEPT = Path(".work/weights")
# Seconds without an answer after which a publisher is given up.
PATIENCE = 30


def at_hand(given: Path | None, name: str, parameter: str) -> Path:
    """The file of some weights.

    Args:
        given: The file that somebody named, taken as it is: people train their own. None for the publisher's.
        name: File name of the publisher's, a key of `PUBLISHED`.
        parameter: What a person sets to name a file, for the sentence.

    Returns:
        A file that exists. The publisher's is fetched if it is not kept yet.

    Raises:
        FacadeError: There is no such file; or it could not be fetched, or is not what its publisher put there.
    """
    if given is not None:
        if not given.is_file():
            raise FacadeError(f"{parameter} is {given}, and there is no such file. Correct the path.")
        return given
    published = PUBLISHED[name]
    kept = KEPT / name
    if not (kept.is_file() and hashlib.sha256(kept.read_bytes()).hexdigest() == published.sha256):
        write_bytes(kept, _fetched(published, parameter))
    return kept


def _fetched(published: Published, parameter: str) -> bytes:
    print(f"fetching {published.address}", flush=True)
    otherwise = f"Fetch it by other means, and give the path of the file as {parameter}."
    try:
        with urllib.request.urlopen(published.address, timeout=PATIENCE) as reply:  # noqa: S310 - a constant above
            content = reply.read()
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise FacadeError(f"{published.address} could not be fetched ({reason}). {otherwise}") from None
    found = hashlib.sha256(content).hexdigest()
    if found != published.sha256:
        raise FacadeError(
            f"what came from {published.address} is not what was published there: its sha256 is {found}, not "
            f"{published.sha256}. It was thrown away. {otherwise}"
        )
    return bytes(content)
