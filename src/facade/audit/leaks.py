"""Detection of identifying data besides pixels: metadata, thumbnails, names and paths in published files.

The checks use allow-lists: everything that is not known to be harmless is a leak.
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
from facade.dataset.shards import expected_sha256, index_leaks
from facade.errors import FacadeError

# JPEG segments that are needed for decoding (ITU T.81): tables, frames, scans, restart intervals.
JPEG_SEGMENTS = {0xDB, 0xC0, 0xC1, 0xC2, 0xC4, 0xDD, 0xDA}
JPEG_LEAKS = {
    0xE0: "JFIF data with a thumbnail", 0xE1: "EXIF or XMP", 0xE2: "an ICC profile or several pictures",
    0xED: "IPTC", 0xFE: "a comment",
}  # fmt: skip
# PNG chunks that are needed for decoding, resolution and color space (W3C PNG).
PNG_CHUNKS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"pHYs", b"sRGB", b"gAMA"}
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
TEXTS = {".json", ".csv", ".html", ".txt"}
PICTURES = {".jpg": "jpeg", ".png": "png"}
EMBEDDED = re.compile(rb"data:image/([a-z+]+);base64,([A-Za-z0-9+/=\s]+)")  # matplotlib breaks the line after the comma
# A tensor with a byte per element, at least this many elements and two or more axes, is taken for a picture.
PIXELS = 1024


@dataclass(frozen=True)
class Leak:
    """Unexpected content of a file: which file, and what it holds."""

    file: str
    what: str

    def __str__(self) -> str:
        return f"{self.file} holds {self.what}"


def jpeg_leaks(content: bytes) -> list[str]:
    """Describe everything in a JPEG besides the picture itself."""
    leaks: list[str] = []
    if content[:2] != b"\xff\xd8":
        return ["data that are not a JPEG"]
    offset = 2
    while offset + 4 <= len(content):
        if content[offset] != 0xFF:
            return [*leaks, "a damaged segment"]
        kind = content[offset + 1]
        if kind == 0xFF:  # padding
            offset += 1
            continue
        if kind == 0xD9:
            break
        length = struct.unpack(">H", content[offset + 2 : offset + 4])[0]
        segment = content[offset + 4 : offset + 2 + length]
        plain_jfif = kind == 0xE0 and segment[:5] == b"JFIF\0" and segment[12:14] == b"\0\0" and len(segment) == 14
        if kind not in JPEG_SEGMENTS and not plain_jfif:
            leaks.append(JPEG_LEAKS.get(kind, f"a segment of kind {kind:02X}"))
        offset += 2 + length
        if kind == 0xDA:
            offset = _after_scan(content, offset)
    if content[offset : offset + 2] != b"\xff\xd9":
        return [*leaks, "no end of the picture"]
    if len(content) > offset + 2:
        leaks.append("bytes after the picture")
    return leaks


def _after_scan(content: bytes, offset: int) -> int:
    """End of the entropy-coded data: the next marker that is neither a stuffed byte nor a restart marker."""
    while (offset := content.find(b"\xff", offset)) >= 0 and offset + 1 < len(content):
        if content[offset + 1] != 0 and not 0xD0 <= content[offset + 1] <= 0xD7:
            return offset
        offset += 2
    return len(content)


def png_leaks(content: bytes) -> list[str]:
    """Describe everything in a PNG besides the picture itself."""
    if content[:8] != PNG_SIGNATURE:
        return ["data that are not a PNG"]
    leaks, offset = [], 8
    while offset + 12 <= len(content):
        length, kind = struct.unpack(">I4s", content[offset : offset + 8])
        if kind not in PNG_CHUNKS:
            leaks.append(f"a chunk {kind.decode('latin-1')}")
        offset += 12 + length
        if kind == b"IEND":
            break
    else:
        leaks.append("no end of the picture")
    if len(content) > offset:
        leaks.append("bytes after the picture")
    return leaks


def text_leaks(content: bytes, forbidden: Iterable[str]) -> list[str]:
    """Forbidden words in a text, and leaks in its embedded pictures."""
    # Base64 text may contain any word by chance.
    plain = EMBEDDED.sub(b"", content)
    spelled = {form for word in forbidden for form in (word, json.dumps(word)[1:-1], html.escape(word))}
    leaks = ["a path of this machine" for word in sorted(spelled) if word.encode() in plain][:1]
    for kind, encoded in EMBEDDED.findall(content):
        try:
            inner = base64.b64decode(b"".join(encoded.split()), validate=True)
        except binascii.Error:
            leaks.append("an embedded picture that cannot be decoded")
            continue
        if kind == b"svg+xml":
            leaks += text_leaks(inner, forbidden)
        else:
            leaks += [f"an embedded picture with {what}" for what in _picture_leaks(kind.decode(), inner)]
    return leaks


def checkpoint_leaks(path: Path, forbidden: Iterable[str]) -> list[str]:
    """Pictures and paths in a checkpoint.

    Raises:
        FacadeError: The file holds more than tensors and plain values, or cannot be read.
    """
    return sorted(
        {what for value in _values(read_checkpoint(path, "a model")) for what in _value_leaks(value, forbidden)}
    )


def file_leaks(path: Path, forbidden: Iterable[str]) -> list[str]:
    """Leaks in a file, depending on its type."""
    if path.suffix in PICTURES:
        return _picture_leaks(PICTURES[path.suffix], path.read_bytes())
    if path.suffix in TEXTS:
        return text_leaks(path.read_bytes(), forbidden)
    if path.suffix == ".pth":
        try:
            return checkpoint_leaks(path, forbidden)
        except FacadeError as error:
            return [f"weights that cannot be checked ({error})"]
    return ["content that cannot be checked: unexpected file type"]


def folder_leaks(root: Path, forbidden: Iterable[str]) -> list[Leak]:
    """Leaks in all files below a folder."""
    words = set(forbidden)
    return [
        Leak(path.as_posix(), what)
        for path in sorted(root.rglob("*"))
        if not path.is_dir() or path.is_symlink()
        for what in (["a symbolic link"] if path.is_symlink() and not path.is_file() else file_leaks(path, words))
    ]


def data_set_leaks(photographs: Photographs, forbidden: Iterable[str]) -> list[Leak]:
    """Leaks in a data set: unlisted files, identifying file names, and leaks within files."""
    listed = {photographs.annotations, *photographs.files}
    words = set(forbidden)
    found = []
    for path in sorted(photographs.root.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            continue
        if path not in listed:
            what = ["data that no label lists"]
        elif not photographs.sharded:
            what = file_leaks(path, words)
            if path != photographs.annotations and not is_neutral(path.relative_to(photographs.images)):
                what = [*what, "a file name that is not neutral"]
        elif path == photographs.annotations:
            what = text_leaks(json.dumps(photographs.content()).encode(), words) + index_leaks(photographs.root)
        else:
            what = _shard_leaks(Photographs(photographs.root, int(path.stem)), int(path.stem))
        found += [Leak(path.as_posix(), one) for one in what]
    return found


def _shard_leaks(photographs: Photographs, number: int) -> list[str]:
    """Leaks in a shard and in its photographs."""
    found = []
    for one in photographs:
        own = jpeg_leaks(photographs.read(one))
        own += [] if is_neutral(PurePath(one.file)) else ["a file name that is not neutral"]
        found += [f"{what} ({one.file})" for what in own]
    # Time stamps, owners and unlisted members change the hash of the shard as Facade would write it.
    if expected_sha256((one.file, photographs.read(one)) for one in photographs) != photographs.shard_sha256(number):
        found.append("data besides its photographs")
    return found


def paths_in(settings: Any) -> set[str]:
    """Absolute paths in settings, and the home and working directories: words that must not be published."""
    words = {str(Path.home()), str(Path.cwd())}
    for value in _values(settings):
        if isinstance(value, (str, Path)) and PurePath(value).is_absolute():
            words |= {str(value), str(PurePath(value).parent)}
    return {word for word in words if len(PurePath(word).parts) > 1}


def _picture_leaks(kind: str, content: bytes) -> list[str]:
    if kind == "jpeg":
        return jpeg_leaks(content)
    if kind == "png":
        return png_leaks(content)
    return [f"a picture of type {kind}"]


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
        return ["raw bytes"]
    if isinstance(value, str):
        is_path = "/" in value or "\\" in value or any(word in value for word in forbidden)
        return ["a path"] if is_path else []
    byte_wide = getattr(value, "itemsize", 8) == 1 and hasattr(value, "ndim")
    return ["a picture"] if byte_wide and value.ndim >= 2 and value.numel() >= PIXELS else []
