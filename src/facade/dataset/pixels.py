"""Safe decoding of untrusted pictures to upright 8-bit BGR."""

import io
import warnings
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

# Formats that cameras and editors write. Pillow supports some fifty more; each is one more parser to attack.
FORMATS: Final = ("JPEG", "PNG", "WEBP", "TIFF", "BMP")
# JPEG cannot store more pixels per side. A picture with a larger aspect ratio is no photograph, and vanishes when a
# detector resizes it.
LONGEST_SIDE: Final = 65_500
MAX_ASPECT_RATIO: Final = 40
# Tag of the orientation (EXIF 2.32).
ORIENTATION_TAG: Final = 0x0112


class BadPhotographError(Exception):
    """A file that cannot be used. The message is the reason, for the quarantine table."""


@dataclass(frozen=True)
class Decoded:
    """A decoded picture, and how it was stored.

    Attributes:
        pixels: (H, W, 3) uint8, BGR, upright.
        stored: Width and height before rotation to upright, pixels.
        orientation: EXIF orientation, 1 to 8; 1 is upright.
    """

    pixels: np.ndarray
    stored: tuple[int, int]
    orientation: int


def decode(content: bytes, max_megapixels: float) -> Decoded:
    """Decode an untrusted picture.

    Args:
        content: The file.
        max_megapixels: Larger pictures are refused before they are decompressed.

    Raises:
        BadPhotographError: The file is no picture, is damaged, or has an unsupported format.
    """
    if not content:
        raise BadPhotographError("the file is empty")
    try:
        with warnings.catch_warnings():
            # Pillow warns of decompression bombs beyond its own limit; ours is checked below. Damaged EXIF warns, too.
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(content), formats=FORMATS) as image:
                width, height = image.size
                _refuse_bombs(image, max_megapixels)
                orientation = image.getexif().get(ORIENTATION_TAG, 1)
                if image.format == "TIFF" and orientation in (5, 6, 7, 8):
                    width, height = height, width  # Pillow rotates TIFF files itself, and reports the rotated size
                image.load()
                upright = ImageOps.exif_transpose(image)
                pixels = np.asarray(_eight_bit_rgb(upright))[..., ::-1]
    except BadPhotographError:
        raise
    except MemoryError:
        raise
    # Decoders raise arbitrary exceptions on damaged bytes: OSError, SyntaxError, struct.error, zlib.error...
    except Exception as error:  # noqa: BLE001
        unknown = isinstance(error, UnidentifiedImageError)
        reason = "not a picture in a supported format" if unknown else " ".join(str(error).split())[:120]
        raise BadPhotographError(reason or type(error).__name__) from None
    orientation = orientation if orientation in range(1, 9) else 1
    return Decoded(np.ascontiguousarray(pixels), (width, height), orientation)


def _refuse_bombs(image: Image.Image, max_megapixels: float) -> None:
    width, height = image.size
    if width * height > max_megapixels * 1e6:
        raise BadPhotographError(
            f"{width}x{height} pixels are more than ingest.max_megapixels ({max_megapixels:g}) allows"
        )
    if max(width, height) > LONGEST_SIDE:
        raise BadPhotographError(f"{width}x{height} pixels: a JPEG holds at most {LONGEST_SIDE} a side")
    if max(width, height) > MAX_ASPECT_RATIO * min(width, height):
        raise BadPhotographError(f"{width}x{height} pixels: the aspect ratio is above {MAX_ASPECT_RATIO}")
    # Phones store a second picture in MPO files; the first is the photograph.
    if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":
        raise BadPhotographError("the file holds several pictures")


def _eight_bit_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16-bit gray, which Pillow would clip to white
        values = np.asarray(image).astype(np.int64)
        if values.min() < 0 or values.max() > 65535:
            raise BadPhotographError("gray values exceed 16 bits")
        return Image.fromarray((values >> 8).astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        raise BadPhotographError("floating-point gray has no defined white level")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(white, layer).convert("RGB")
    return image.convert("RGB")


def upright_points(points: np.ndarray, stored: tuple[int, int], orientation: int) -> np.ndarray:
    """Map points of a stored picture to the upright picture.

    Args:
        points: (N, 2) float, x y in pixels of the stored picture.
        stored: Its width and height.
        orientation: EXIF orientation, 1 to 8.

    Returns:
        (N, 2) float, x y in pixels of the upright picture.
    """
    width, height = stored
    x, y = np.asarray(points, float).reshape(-1, 2).T
    mirrored_x, mirrored_y = width - x, height - y
    turned = {
        1: (x, y),
        2: (mirrored_x, y),
        3: (mirrored_x, mirrored_y),
        4: (x, mirrored_y),
        5: (y, x),
        6: (mirrored_y, x),
        7: (mirrored_y, mirrored_x),
        8: (y, mirrored_x),
    }[orientation]
    return np.stack(turned, axis=1)


def mirrored_points(points: np.ndarray, width: int) -> np.ndarray:
    """Five landmarks after a horizontal flip; left and right eye swap, and so do the corners of the mouth.

    Args:
        points: (5, 2) float, x y in pixels: eyes, nose tip, corners of the mouth.
        width: Of the picture, pixels.
    """
    return np.stack([width - points[:, 0], points[:, 1]], axis=1)[[1, 0, 2, 4, 3]]
