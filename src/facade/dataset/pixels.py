"""Safe decoding of untrusted pictures to upright 8-bit BGR, in sRGB."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import IO, Final

import numpy as np
import pi_heif
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

# Formats that cameras, phones and editors write. Pillow supports some fifty more; each is one more parser to attack.
FORMATS: Final = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "HEIF", "AVIF", "GIF", "JPEG2000")
# JPEG cannot store more pixels per side. A picture with a larger aspect ratio is no photograph, and vanishes when a
# detector resizes it.
LONGEST_SIDE: Final = 65_500
MAX_ASPECT_RATIO: Final = 40
# Tags of the orientation (EXIF 2.32), and of the bits per sample (TIFF 6.0).
ORIENTATION_TAG: Final = 0x0112
BITS_TAG: Final = 0x0102
# A color profile that moves no color by more than this is sRGB, but for rounding; its pictures stay as they are.
SAME_COLOR: Final = 2
# Modes of Pillow by the color space of a profile.
PROFILE_MODES: Final = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}


class BadPhotographError(Exception):
    """A file that cannot be used. The message is the reason, for the quarantine table."""


@dataclass(frozen=True)
class Decoded:
    """A decoded picture, and how it was stored.

    Attributes:
        pixels: (H, W, 3) uint8, BGR, upright.
        stored: Width and height before rotation to upright, pixels.
        orientation: EXIF orientation, 1 to 8; 1 is upright.
        notes: What was converted, and so lost, for the user.
    """

    pixels: np.ndarray
    stored: tuple[int, int]
    orientation: int
    notes: tuple[str, ...] = ()


def decode(content: bytes, max_megapixels: float) -> Decoded:
    """Decode an untrusted picture. Transparency becomes white; colors become sRGB, in 8 bits per sample.

    Args:
        content: The file.
        max_megapixels: Larger pictures are refused before they are decompressed.

    Raises:
        BadPhotographError: The file is no picture, is damaged, or has an unsupported format.
    """
    if not content:
        raise BadPhotographError("the file is empty")
    with _reasons(), _open(io.BytesIO(content)) as image:
        _refuse_bombs(image, max_megapixels)
        stored, orientation = _layout(image)
        image.load()
        notes = []
        if (bits := _bits_per_sample(image, content)) > 8:
            notes.append(f"{bits} bits per sample were reduced to 8.")
        upright = ImageOps.exif_transpose(image)
        if _has_transparency(upright):
            notes.append("Transparency was replaced by white.")
        flat = _eight_bit(upright)
        converted = _in_srgb(flat, upright.info.get("icc_profile"))
        if converted is not None:
            notes.append("Colors were converted from the picture's own color profile to sRGB.")
        pixels = np.asarray(converted or flat.convert("RGB"))[..., ::-1]
    return Decoded(np.ascontiguousarray(pixels), stored, orientation, tuple(notes))


def read_layout(content: IO[bytes]) -> tuple[tuple[int, int], int]:
    """Width and height as stored, and EXIF orientation of a picture, from its header.

    Raises:
        BadPhotographError: See `decode`.
    """
    with _reasons(), _open(content) as image:
        return _layout(image)


@contextmanager
def _reasons() -> Iterator[None]:
    """Turn exceptions of decoders into reasons."""
    try:
        with warnings.catch_warnings():
            # Pillow warns of decompression bombs beyond its own limit; ours is checked. Damaged EXIF warns, too.
            warnings.simplefilter("ignore")
            yield
    except (BadPhotographError, MemoryError):
        raise
    # Decoders raise arbitrary exceptions on damaged bytes: OSError, SyntaxError, struct.error, zlib.error...
    except Exception as error:  # noqa: BLE001
        unknown = isinstance(error, UnidentifiedImageError)
        reason = "not a picture in a supported format" if unknown else " ".join(str(error).split())[:120]
        raise BadPhotographError(reason or type(error).__name__) from None


@cache
def _add_heif() -> None:
    """Teach Pillow HEIF. pi-heif is pillow-heif without its encoder, x265, which is GPL."""
    pi_heif.register_heif_opener()


def _open(content: IO[bytes]) -> Image.Image:
    _add_heif()
    return Image.open(content, formats=FORMATS)


def _layout(image: Image.Image) -> tuple[tuple[int, int], int]:
    """Width and height as stored, and EXIF orientation."""
    width, height = image.size
    orientation = image.getexif().get(ORIENTATION_TAG, 1)
    if image.format == "TIFF" and orientation in (5, 6, 7, 8):
        width, height = height, width  # Pillow rotates TIFF files itself, and reports the rotated size
    return (width, height), orientation if orientation in range(1, 9) else 1


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


def _bits_per_sample(image: Image.Image, content: bytes) -> int:
    """Bits per sample as stored; Pillow reduces most pictures to 8 by itself, without a word."""
    if image.format == "PNG":
        return content[24]  # of the header chunk
    if image.format == "TIFF":
        return max(np.atleast_1d(image.tag_v2.get(BITS_TAG, 8)))  # type: ignore[attr-defined]
    if image.format == "HEIF":
        return int(image.info.get("bit_depth", 8))
    if image.format == "AVIF":  # AV1 Codec ISO Media File Format Binding, section 2.3: bits high_bitdepth, twelve_bit
        flags = content[content.find(b"av1C") + 6] if b"av1C" in content[:-6] else 0
        return (12 if flags >> 5 & 1 else 10) if flags >> 6 & 1 else 8
    if image.format == "JPEG2000":  # ISO/IEC 15444-1, section I.5.3.1; 255 says that components differ
        bits = content[content.find(b"ihdr") + 14] if b"ihdr" in content[:-14] else 7
        return (bits & 127) + 1 if bits != 255 else 8
    return 8


def _has_transparency(image: Image.Image) -> bool:
    """Whether a pixel is transparent: an alpha channel that is opaque throughout loses nothing."""
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        low, _ = image.convert("RGBA").getchannel("A").getextrema()
        return bool(low < 255)  # type: ignore[operator]
    return False


def _eight_bit(image: Image.Image) -> Image.Image:
    """A picture without transparency in 8 bits: L, RGB or CMYK."""
    if image.mode.startswith("I"):  # 16-bit gray, which Pillow would clip to white
        values = np.asarray(image).astype(np.int64)
        if values.min() < 0 or values.max() > 65535:
            raise BadPhotographError("gray values exceed 16 bits")
        return Image.fromarray((values >> 8).astype(np.uint8))
    if image.mode == "F":
        raise BadPhotographError("floating-point gray has no defined white level")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        flat = Image.alpha_composite(white, layer).convert("RGB")
        return flat.getchannel("R") if image.mode in ("LA", "La", "L") else flat
    return image if image.mode in ("L", "RGB", "CMYK") else image.convert("RGB")


def _in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image | None:
    """A picture in sRGB; None if it is so already, or its profile is damaged or for another kind of picture."""
    if not profile:
        return None
    try:
        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if PROFILE_MODES.get(own.profile.xcolor_space.strip()) != image.mode:
            return None
        transform = ImageCms.buildTransform(
            own, ImageCms.createProfile("sRGB"), image.mode, "RGB", ImageCms.Intent.RELATIVE_COLORIMETRIC
        )
        if image.mode != "CMYK":
            steps = np.linspace(0, 255, 9).astype(np.uint8)
            colors = np.stack(np.meshgrid(steps, steps, steps), -1).reshape(9, -1, 3)
            samples = Image.fromarray(colors if image.mode == "RGB" else colors[..., 0])
            moved = np.asarray(ImageCms.applyTransform(samples, transform)).astype(int)
            if np.abs(moved - np.asarray(samples.convert("RGB")).astype(int)).max() <= SAME_COLOR:
                return None
        return ImageCms.applyTransform(image, transform)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


def upright_pixels(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Set stored pixels upright.

    Args:
        pixels: (H, W, ...) as stored.
        orientation: EXIF orientation, 1 to 8.

    Returns:
        The upright pixels, contiguous; a copy unless the orientation is 1.
    """
    if orientation > 4:
        pixels = pixels.swapaxes(0, 1)
    mirrored_x, mirrored_y = orientation in (2, 3, 6, 7), orientation in (3, 4, 7, 8)
    return np.ascontiguousarray(pixels[:: -1 if mirrored_y else 1, :: -1 if mirrored_x else 1])


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
