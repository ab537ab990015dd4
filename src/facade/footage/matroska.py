"""Whether a Matroska or WebM file was read to its end."""

from typing import IO

from facade.storage import AnyPath

# Identifiers of the elements of a file (RFC 8794, RFC 9559): header, and the segment with everything else.
_HEADER, _SEGMENT = 0x1A45DFA3, 0x18538067
# Elements that follow the last packet: index, tags, chapters, attachments, table of contents. They come within so many
# bytes, because fields of the packet's block may follow its content.
_AFTER = (b"\x1cS\xbbk", b"\x12T\xc3g", b"\x10C\xa7p", b"\x19A\xa4i", b"\x11M\x9bt")
_DISTANCE = 64


def is_complete(path: AnyPath, read: int) -> bool:
    """Whether a file is as long as it says, and nothing but an index and the like follows what was read of it.

    FFmpeg ends a file where it is damaged, without a word.

    Args:
        path: The file.
        read: Where the last packet ends, at least, bytes.
    """
    total = path.stat().st_size
    with path.open("rb") as content:
        for expected in (_HEADER, _SEGMENT):
            identifier, size = _number(content, keep_marker=True), _number(content, keep_marker=False)
            if identifier != expected or size is None:
                return False
            if expected == _SEGMENT:
                end = content.tell() + size
                content.seek(read)
                after = content.read(_DISTANCE)
                return end <= total and (total - read < _DISTANCE or any(element in after for element in _AFTER))
            content.seek(size, 1)
    return False


def _number(content: IO[bytes], keep_marker: bool) -> int | None:
    """A number of variable length (RFC 8794, section 4); None if unknown, or at the end of the file."""
    first = content.read(1)
    if not first or not first[0]:
        return None
    length = 9 - first[0].bit_length()
    rest = content.read(length - 1)
    if len(rest) < length - 1:
        return None
    value = int.from_bytes(first + rest, "big")
    if keep_marker:
        return value
    value &= (1 << 7 * length) - 1
    return None if value == (1 << 7 * length) - 1 else value
