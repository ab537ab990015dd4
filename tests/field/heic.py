"""A HEIC file, as phones write it: one picture of HEVC in the boxes of ISO/IEC 23008-12. Encoders of it are GPL."""

import struct
from pathlib import Path

import av
import numpy as np


def box(kind: bytes, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return struct.pack(">I4s", 8 + len(content), kind) + content


def full_box(kind: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    return box(kind, struct.pack(">I", version << 24 | flags), *parts)


def heic(pixels: np.ndarray, folder: Path, turns: int = 0, bits: int = 8) -> bytes:
    """A HEIC file.

    Args:
        pixels: (H, W, 3) uint8, BGR, sides multiples of 8.
        folder: For a temporary file.
        turns: By how many quarters the picture is to be shown turned, counterclockwise (`irot`).
        bits: Per sample.
    """
    height, width = pixels.shape[:2]
    form = {8: "yuv420p", 10: "yuv420p10le"}[bits]
    with av.open(str(folder / "still.mp4"), "w") as container:
        stream = container.add_stream("libx265", rate=1, options={"x265-params": "log-level=error:qp=4", "tag": "hvc1"})
        stream.width, stream.height, stream.pix_fmt = width, height, form
        frame = av.VideoFrame.from_ndarray(pixels, format="bgr24").reformat(format=form)
        frame.pts = 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    content = (folder / "still.mp4").read_bytes()
    with av.open(str(folder / "still.mp4")) as container:
        (picture,) = [bytes(packet) for packet in container.demux() if packet.size]
    start = content.index(b"hvcC") - 4
    config = content[start : start + struct.unpack(">I", content[start : start + 4])[0]]
    properties = box(
        b"iprp",
        box(b"ipco", config, full_box(b"ispe", 0, 0, struct.pack(">II", width, height)), box(b"irot", bytes([turns]))),
        full_box(b"ipma", 0, 0, struct.pack(">IHB3B", 1, 1, 3, 0x81, 2, 0x83)),
    )

    item = full_box(b"infe", 2, 0, struct.pack(">HH4sB", 1, 0, b"hvc1", 0))

    def meta(offset: int) -> bytes:
        return full_box(
            b"meta", 0, 0,
            full_box(b"hdlr", 0, 0, struct.pack(">I4s12x", 0, b"pict"), b"\0"),
            full_box(b"pitm", 0, 0, struct.pack(">H", 1)),
            full_box(b"iloc", 0, 0, struct.pack(">HHHHHII", 0x4400, 1, 1, 0, 1, offset, len(picture))),
            full_box(b"iinf", 0, 0, struct.pack(">H", 1), item),
            properties,
        )  # fmt: skip

    head = box(b"ftyp", b"heic", bytes(4), b"mif1heic")
    offset = len(head) + len(meta(0)) + 8
    return head + meta(offset) + box(b"mdat", picture)
