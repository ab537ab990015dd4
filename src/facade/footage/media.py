"""Which files are pictures or videos, supported or not: one that is left out must be named, a text need not."""

import mimetypes

from facade.errors import FacadeError
from facade.storage import AnyPath

# Extensions of pictures and videos that Python's table of media types lacks.
OTHER_MEDIA = (
    ".3fr", ".arw", ".braw", ".cr2", ".cr3", ".crw", ".dng", ".erf", ".exr", ".fff", ".gpr", ".hdr", ".iiq", ".insp",
    ".insv", ".jls", ".jxl", ".jxr", ".kdc", ".lrv", ".mef", ".mjpeg", ".mjpg", ".mk3d", ".mod", ".mos", ".mrw", ".nef",
    ".nrw", ".orf", ".pef", ".psb", ".psd", ".r3d", ".raf", ".raw", ".rm", ".rmvb", ".rw2", ".rwl", ".sr2", ".srf",
    ".srw", ".svg", ".tod", ".x3f", ".y4m", ".ivf", ".h264", ".h265", ".hevc", ".264", ".265", ".divx", ".amv", ".nut",
)  # fmt: skip
# First bytes of pictures and videos, with their offsets: files without an extension, or with a wrong one.
SIGNATURES = (
    (0, b"\xff\xd8\xff"), (0, b"\x89PNG\r\n"), (0, b"GIF8"), (8, b"WEBP"), (8, b"AVI "), (4, b"ftyp"), (4, b"moov"),
    (0, b"\x1aE\xdf\xa3"), (0, b"II*\0"), (0, b"MM\0*"), (0, b"FLV\1"), (0, b"\0\0\1\xba"), (0, b"\0\0\1\xb3"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"), (4, b"jP  "), (0, b"\xffO\xffQ"),
)  # fmt: skip


def is_media(path: AnyPath) -> bool:
    """Whether a file is a picture or video, by its extension or its first bytes.

    Raises:
        FacadeError: It cannot be read.
    """
    kind = mimetypes.guess_type(path.name)[0] or ""
    if kind.startswith(("image/", "video/")) or path.suffix.lower() in OTHER_MEDIA:
        return True
    try:
        with path.open("rb") as content:
            head = content.read(16)
    except OSError as error:
        raise FacadeError(f"{path} cannot be read ({error.strerror or error}). Check its permissions.") from None
    return any(head[offset:].startswith(signature) for offset, signature in SIGNATURES)
