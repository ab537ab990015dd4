"""Which way up a video is shown: its display matrix."""

import math
import struct

import av
from av.sidedata.sidedata import SideData, Type

from facade.errors import FacadeError
from facade.storage import AnyPath

# EXIF orientation by where a display matrix sends the axes: x to x, x to y, y to x, y to y.
ORIENTATIONS = {
    (1, 0, 0, 1): 1, (-1, 0, 0, 1): 2, (-1, 0, 0, -1): 3, (1, 0, 0, -1): 4,
    (0, 1, 1, 0): 5, (0, 1, -1, 0): 6, (0, -1, -1, 0): 7, (0, -1, 1, 0): 8,
}  # fmt: skip
# Tolerance of a direction: the sine of 1 degree, within which FFmpeg takes a rotation for one by 90 degrees, too.
TOLERANCE = math.sin(math.radians(1))


def orientation_of(path: AnyPath, frame: av.VideoFrame) -> int:
    """EXIF orientation of a decoded frame, 1 to 8; 1 is upright.

    The display matrix comes from the container (QuickTime, Matroska) or from the stream (H.264, HEVC). It can turn and
    mirror. (a, b; c, d) shows the point (x, y) at (a x + c y, b x + d y), y pointing down (QuickTime File Format).

    Raises:
        FacadeError: The matrix turns by another angle than a multiple of 90 degrees.
    """
    for number in range(len(frame.side_data)):
        data: SideData = frame.side_data[number]  # type: ignore[literal-required]  # stubs know one type
        if data.type is Type.DISPLAYMATRIX:
            a, b, _, c, d = struct.unpack("=9i", bytes(data))[:5]
            return _orientation(path, float(a), float(b), float(c), float(d))
    return 1


def _orientation(path: AnyPath, a: float, b: float, c: float, d: float) -> int:
    width, height = math.hypot(a, b), math.hypot(c, d)
    if width and height:
        directions = (a / width, b / width, c / height, d / height)
        nearest = tuple(round(value) for value in directions)
        if nearest in ORIENTATIONS and all(
            abs(value - whole) < TOLERANCE for value, whole in zip(directions, nearest, strict=True)
        ):
            return ORIENTATIONS[nearest]
    raise FacadeError(
        f"{path} is to be shown turned by an angle that is no multiple of 90 degrees. Turn its pixels first: "
        "`ffmpeg -i IN OUT` does."
    )
