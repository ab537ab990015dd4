"""What else tells who somebody is: metadata, thumbnails, names and paths in files that leave the house.

What is allowed is listed, not what is forbidden: whatever is not known to be harmless is a leak.
"""

import base64
import binascii
import html
import json
import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from facade.checkpoints import read_checkpoint
from facade.dataset import Photographs
from facade.dataset.names import is_neutral
from facade.dataset.shards import index_leaks, sum_of
from facade.errors import FacadeError

# Segments of a JPEG that hold the picture and nothing else (ITU T.81): tables, frames, scans, restart intervals.
JPEG_SEGMENTS = {0xDB, 0xC0, 0xC1, 0xC2, 0xC4, 0xDD, 0xDA}
JPEG_LEAKS = {
    0xE0: "JFIF data with a thumbnail", 0xE1: "EXIF or XMP", 0xE2: "an ICC profile or several pictures",
    0xED: "IPTC", 0xFE: "a comment",
}  # fmt: skip
# Chunks of a PNG that hold the picture, its resolution and its colours' meaning (W3C PNG).
PNG_CHUNKS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"pHYs", b"sRGB", b"gAMA"}
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
TEXTS = {".json", ".csv", ".html", ".txt"}
PICTURES = {".jpg": "jpeg", ".png": "png"}
EMBEDDED = re.compile(rb"data:image/([a-z+]+);base64,([A-Za-z0-9+/=\s]+)")  # matplotlib breaks the line after the comma
# Numbers of a byte each, so many of them in two or more axes: a picture rather than weights.
PIXELS = 1024


@dataclass(frozen=True)
class Leak:
    """Something that should not be in a file: which file, and what."""

    file: str
    what: str

    def __str__(self) -> str:
        return f"{self.file} holds {self.what}"


def jpeg_leaks(content: bytes) -> list[str]:
    """What a JPEG holds besides its picture, in words."""
    found: list[str] = []
    if content[:2] != b"\xff\xd8":
        return ["something that is no JPEG"]
    place = 2
    while place + 4 <= len(content):
        if content[place] != 0xFF:
            return [*found, "a damaged segment"]
        kind = content[place + 1]
        if kind == 0xFF:  # padding
            place += 1
            continue
        if kind == 0xD9:
            break
        length = struct.unpack(">H", content[place + 2 : place + 4])[0]
        segment = content[place + 4 : place + 2 + length]
        plain_jfif = kind == 0xE0 and segment[:5] == b"JFIF\0" and segment[12:14] == b"\0\0" and len(segment) == 14
        if kind not in JPEG_SEGMENTS and not plain_jfif:
            found.append(JPEG_LEAKS.get(kind, f"a segment of kind {kind:02X}"))
        place += 2 + length
        if kind == 0xDA:
            place = _after_scan(content, place)
    if content[place : place + 2] != b"\xff\xd9":
        return [*found, "no end of the picture"]
    if len(content) > place + 2:
        found.append("bytes after the picture")
    return found


def _after_scan(content: bytes, place: int) -> int:
    """Where the entropy-coded data end: at a marker that is neither a stuffed byte nor a restart."""
    while (place := content.find(b"\xff", place)) >= 0 and place + 1 < len(content):
        if content[place + 1] != 0 and not 0xD0 <= content[place + 1] <= 0xD7:
            return place
        place += 2
    return len(content)


def png_leaks(content: bytes) -> list[str]:
    """What a PNG holds besides its picture, in words."""
    if content[:8] != PNG_SIGNATURE:
        return ["something that is no PNG"]
    found, place = [], 8
    while place + 12 <= len(content):
        length, kind = struct.unpack(">I4s", content[place : place + 8])
        if kind not in PNG_CHUNKS:
            found.append(f"a chunk {kind.decode('latin-1')}")
        place += 12 + length
        if kind == b"IEND":
            break
    else:
        found.append("no end of the picture")
    if len(content) > place:
        found.append("bytes after the picture")
    return found


def text_leaks(content: bytes, forbidden: Iterable[str]) -> list[str]:
    """Forbidden words in a text, and what the pictures inside it hold besides themselves."""
    # Letters of an encoded picture may spell anything.
    plain = EMBEDDED.sub(b"", content)
    spelled = {form for word in forbidden for form in (word, json.dumps(word)[1:-1], html.escape(word))}
    found = ["a path of this machine" for word in sorted(spelled) if word.encode() in plain][:1]
    for kind, encoded in EMBEDDED.findall(content):
        try:
            inner = base64.b64decode(b"".join(encoded.split()), validate=True)
        except binascii.Error:
            found.append("an embedded picture that cannot be read")
            continue
        if kind == b"svg+xml":
            found += text_leaks(inner, forbidden)
        else:
            found += [f"an embedded picture with {what}" for what in _picture_leaks(kind.decode(), inner)]
    return found


def checkpoint_leaks(path: Path, forbidden: Iterable[str]) -> list[str]:
    """Pictures and paths among weights.

    Raises:
        FacadeError: The file holds more than tensors and plain values, or cannot be read.
    """
    return sorted(
        {what for value in _values(read_checkpoint(path, "a model")) for what in _value_leaks(value, forbidden)}
    )


def file_leaks(path: Path, forbidden: Iterable[str]) -> list[str]:
    """What a file holds that it should not, by its kind."""
    if path.suffix in PICTURES:
        return _picture_leaks(PICTURES[path.suffix], path.read_bytes())
    if path.suffix in TEXTS:
        return text_leaks(path.read_bytes(), forbidden)
    if path.suffix == ".pth":
        try:
            return checkpoint_leaks(path, forbidden)
        except FacadeError as error:
            return [f"weights that cannot be checked ({error})"]
    return ["what nobody can check: a file of a kind that does not belong here"]


def folder_leaks(root: Path, forbidden: Iterable[str]) -> list[Leak]:
    """Leaks in all files below a folder."""
    words = set(forbidden)
    return [
        Leak(path.as_posix(), what)
        for path in sorted(root.rglob("*"))
        if not path.is_dir() or path.is_symlink()
        for what in (["a link to elsewhere"] if path.is_symlink() and not path.is_file() else file_leaks(path, words))
    ]


def data_set_leaks(photographs: Photographs, forbidden: Iterable[str]) -> list[Leak]:
    """Leaks in a data set: files that no label names, names that tell something, and what files hold."""
    named = {photographs.annotations, *photographs.files}
    words = set(forbidden)
    found = []
    for path in sorted(photographs.root.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            continue
        if path not in named:
            what = ["what no label names"]
        elif not photographs.sharded:
            what = file_leaks(path, words)
            if path != photographs.annotations and not is_neutral(path.relative_to(photographs.images)):
                what = [*what, "a name that is somebody's own"]
        elif path == photographs.annotations:
            what = text_leaks(json.dumps(photographs.content()).encode(), words) + index_leaks(photographs.root)
        else:
            what = _shard_leaks(Photographs(photographs.root, int(path.stem)), int(path.stem))
        found += [Leak(path.as_posix(), one) for one in what]
    return found


def _shard_leaks(photographs: Photographs, number: int) -> list[str]:
    """What a shard holds besides its photographs, and what those hold besides their pixels."""
    found = []
    for one in photographs:
        own = jpeg_leaks(photographs.read(one))
        own += [] if is_neutral(PurePath(one.file)) else ["a name that is somebody's own"]
        found += [f"{what} ({one.file})" for what in own]
    # Times, owners, members that no label names: written anew from what labels name, it would be another file.
    if sum_of((one.file, photographs.read(one)) for one in photographs) != photographs.shard_sum(number):
        found.append("something besides its photographs")
    return found


def paths_in(settings: Any) -> set[str]:
    """Every absolute path in settings, and this machine's home and working directories: words that must not get out."""
    found = {str(Path.home()), str(Path.cwd())}
    for value in _values(settings):
        if isinstance(value, (str, Path)) and PurePath(value).is_absolute():
            found |= {str(value), str(PurePath(value).parent)}
    return {word for word in found if len(PurePath(word).parts) > 1}


def _picture_leaks(kind: str, content: bytes) -> list[str]:
    if kind == "jpeg":
        return jpeg_leaks(content)
    if kind == "png":
        return png_leaks(content)
    return [f"a picture of kind {kind}"]


def _values(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _values(inner)
    elif isinstance(value, (list, tuple, set)):
        for inner in value:
            yield from _values(inner)
    else:
        yield value


def _value_leaks(value: Any, forbidden: Iterable[str]) -> list[str]:
    if isinstance(value, (bytes, bytearray)):
        return ["bytes among its weights"]
    if isinstance(value, str):
        told = "/" in value or "\\" in value or any(word in value for word in forbidden)
        return ["a path among its weights"] if told else []
    byte_wide = getattr(value, "itemsize", 8) == 1 and hasattr(value, "ndim")
    return ["a picture among its weights"] if byte_wide and value.ndim >= 2 and value.numel() >= PIXELS else []
