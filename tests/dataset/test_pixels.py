"""Decoding untrusted pictures."""

import io
import zlib

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image

from facade.dataset.pixels import BadPhotographError, decode, upright_points
from tests.conftest import noise

RGB = np.ascontiguousarray(noise(48, 64)[..., ::-1])


def file_of(image: Image.Image, kind: str = "PNG", **settings_) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **settings_)
    return buffer.getvalue()


def exif_of(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("png", file_of(Image.fromarray(RGB))),
        ("bmp", file_of(Image.fromarray(RGB), "BMP")),
        ("tiff", file_of(Image.fromarray(RGB), "TIFF")),
        ("webp, lossless", file_of(Image.fromarray(RGB), "WEBP", lossless=True)),
        ("alpha, opaque", file_of(Image.fromarray(np.dstack([RGB, np.full(RGB.shape[:2], 255, np.uint8)])))),
    ],
)
def test_lossless_formats_are_decoded_exactly(name, content):
    decoded = decode(content, 1)
    assert decoded.pixels.dtype == np.uint8
    np.testing.assert_array_equal(decoded.pixels[..., ::-1], RGB, err_msg=name)


def test_cmyk_jpeg_has_the_right_colors():
    red = Image.new("RGB", (32, 32), (200, 30, 40))
    pixels = decode(file_of(red.convert("CMYK"), "JPEG", quality=95), 1).pixels
    np.testing.assert_allclose(pixels[16, 16, ::-1], (200, 30, 40), atol=6)


def test_16_bit_gray_keeps_its_range():
    grey = np.linspace(0, 65535, 64 * 48).reshape(48, 64).astype(np.uint16)
    pixels = decode(file_of(Image.fromarray(grey)), 1).pixels
    np.testing.assert_array_equal(pixels, np.repeat((grey >> 8).astype(np.uint8)[..., None], 3, axis=2))


def test_gray_with_alpha_is_composited_on_white():
    image = Image.new("LA", (8, 8), (0, 0))
    assert (decode(file_of(image), 1).pixels == 255).all()


def test_palettes_and_transparency_are_converted():
    image = Image.fromarray(RGB).quantize(16)
    wanted = np.asarray(image.convert("RGB"))
    np.testing.assert_array_equal(decode(file_of(image), 1).pixels[..., ::-1], wanted)
    clear = decode(file_of(Image.new("P", (4, 4), 0), transparency=0), 1).pixels
    assert (clear == 255).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_as_viewers_do(orientation):
    """Independent oracle: the transposition that the EXIF standard names for each value."""
    operations = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, -1),
        7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
        8: lambda a: np.rot90(a, 1),
    }
    decoded = decode(file_of(Image.fromarray(RGB), exif=exif_of(orientation)), 1)
    np.testing.assert_array_equal(decoded.pixels[..., ::-1], operations[orientation](RGB))
    assert decoded.stored == (64, 48)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_points_move_with_the_pixels(orientation, kind):
    marked = np.zeros((48, 64, 3), np.uint8)
    marked[10, 20] = 255
    decoded = decode(file_of(Image.fromarray(marked), kind, exif=exif_of(orientation)), 1)
    assert (decoded.stored, decoded.orientation) == ((64, 48), orientation)
    (row,), (column,) = np.nonzero(decoded.pixels[..., 0])
    # The middle of pixel (20, 10) is the point (20.5, 10.5).
    moved = upright_points(np.array([(20.5, 10.5)]), decoded.stored, orientation)
    np.testing.assert_allclose(moved, [(column + 0.5, row + 0.5)])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"not a picture", "not a picture"),
        (b"%PDF-1.4", "not a picture"),
        (file_of(Image.fromarray(RGB))[:200], "."),
        (file_of(Image.fromarray(RGB), "JPEG")[:300], "(?i)truncated"),
        (file_of(Image.fromarray(RGB), "ICO"), "not a picture in a supported format"),
        (file_of(Image.fromarray(RGB), "GIF", save_all=True, append_images=[Image.fromarray(255 - RGB)]), "several"),
        (file_of(Image.fromarray(RGB.astype(np.float32)[..., 0]), "TIFF"), "floating-point"),
        (file_of(Image.fromarray(RGB), "TIFF", save_all=True, append_images=[Image.fromarray(RGB)]), "several"),
        (file_of(Image.new("L", (1200, 1200))), "max_megapixels"),
        (file_of(Image.new("L", (70_000, 10))), "at most 65500 a side"),
        (file_of(Image.new("L", (3000, 4))), "aspect ratio"),
    ],
)
def test_a_bad_file_is_refused_with_a_reason(content, reason):
    with pytest.raises(BadPhotographError, match=reason):
        decode(content, 1)


def test_a_decompression_bomb_is_refused_before_decoding():
    """A PNG whose header claims 60,000 x 60,000 pixels."""
    small = bytearray(file_of(Image.new("L", (8, 8))))
    small[16:24] = (60_000).to_bytes(4, "big") * 2
    small[29:33] = zlib.crc32(small[12:29]).to_bytes(4, "big")
    with pytest.raises(BadPhotographError, match="3600000000 pixels|60000x60000"):
        decode(bytes(small), 100)


VALID = [
    file_of(Image.fromarray(RGB), "JPEG", exif=exif_of(6)),
    file_of(Image.fromarray(RGB)),
    file_of(Image.fromarray(RGB), "TIFF"),
    file_of(Image.fromarray(RGB), "WEBP"),
    file_of(Image.fromarray(RGB), "BMP"),
]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(VALID), st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=12), st.data())
def test_damaged_files_are_decoded_or_refused(content, changes, data):
    damaged = bytearray(content)
    for offset, value in changes:
        damaged[offset % len(damaged)] = value
    damaged = damaged[: data.draw(st.integers(0, len(damaged)))]
    try:
        pixels = decode(bytes(damaged), 1).pixels
    except BadPhotographError:
        return
    assert pixels.ndim == 3
    assert pixels.shape[2] == 3
    assert pixels.dtype == np.uint8
