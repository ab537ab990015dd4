"""Pictures in the formats of phones, browsers and scanners."""

import io
import json

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from facade.dataset.pixels import BadPhotographError, decode, read_layout
from facade.footage.run_record import RUN_RECORD
from tests.conftest import noise
from tests.field.cases import anonymize, case, coverage, write_boxes
from tests.field.heic import heic
from tests.footage.films import ffmpeg

PIXELS = cv2.resize(noise(24, 32), (128, 96), interpolation=cv2.INTER_CUBIC)
BOX = np.array([40.0, 20, 40, 48])


def file_of(kind: str, **options) -> bytes:
    content = io.BytesIO()
    Image.fromarray(PIXELS[..., ::-1]).save(content, kind, **options)
    return content.getvalue()


FILES = {
    "a.HEIC": lambda folder: heic(PIXELS, folder), "a.heif": lambda folder: heic(PIXELS, folder),
    "a.avif": lambda _: file_of("AVIF", quality=95), "a.gif": lambda _: file_of("GIF"),
    "a.jp2": lambda _: file_of("JPEG2000"), "a.jfif": lambda _: file_of("JPEG", quality=95),
    "a.JPE": lambda _: file_of("JPEG", quality=95),
}  # fmt: skip
OUTPUTS = {"a.HEIC": "a.HEIC.jpg", "a.heif": "a.heif.jpg", "a.avif": "a.avif.jpg", "a.gif": "a.gif.png"} | {
    "a.jp2": "a.jp2.png", "a.jfif": "a.jfif", "a.JPE": "a.JPE"
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_every_format_is_read_and_its_face_hidden(tmp_path, name):
    (tmp_path / "in").mkdir()
    content = FILES[name](tmp_path)
    (tmp_path / "in" / name).write_bytes(content)
    before = decode(content, 1).pixels
    assert np.abs(before.astype(int) - PIXELS).mean() < (20 if name == "a.gif" else 6)
    boxes = write_boxes(tmp_path / "b.json", name, [BOX], (128, 96))
    assert anonymize(tmp_path / "in", tmp_path / "out", "--boxes", boxes) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        OUTPUTS[name], f"{OUTPUTS[name]}.json", RUN_RECORD,
    ]  # fmt: skip
    after = decode((tmp_path / "out" / OUTPUTS[name]).read_bytes(), 1).pixels
    assert coverage(before, after, BOX) == 1
    assert np.abs(after[:15].astype(int) - before[:15]).mean() < 6
    # And by its own name, with a name for the output.
    target = tmp_path / "one.png" if name.endswith(("gif", "jp2")) else tmp_path / "one.jpg"
    assert anonymize(tmp_path / "in" / name, target, "--boxes", boxes) == 0
    np.testing.assert_array_equal(decode(target.read_bytes(), 1).pixels, after)


@pytest.mark.parametrize("turns", range(4))
def test_a_heic_that_is_turned_is_shown_upright(tmp_path, turns):
    decoded = decode(heic(PIXELS, tmp_path, turns), 1)
    upright = np.rot90(PIXELS, turns)
    assert decoded.pixels.shape == upright.shape
    assert np.abs(decoded.pixels.astype(int) - upright).mean() < 6
    assert read_layout(io.BytesIO(heic(PIXELS, tmp_path, turns))) == (upright.shape[1::-1], 1)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_avif_that_is_turned_is_shown_upright(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    straight, turned = (decode(file_of("AVIF", quality=95, exif=data), 1) for data in (b"", exif.tobytes()))
    assert turned.orientation == orientation
    content = io.BytesIO()
    Image.fromarray(straight.pixels).save(content, "PNG", exif=exif)
    np.testing.assert_array_equal(turned.pixels[..., ::-1], decode(content.getvalue(), 1).pixels)


def test_a_damaged_heic_is_refused(tmp_path):
    content = heic(PIXELS, tmp_path)
    for damaged in (content[:200], content[: len(content) // 2], content.replace(b"hvcC", b"hvcX")):
        with pytest.raises(BadPhotographError):
            decode(damaged, 1)


def test_an_animation_is_refused_by_name(tmp_path, capsys):
    (tmp_path / "in").mkdir()
    frames = [Image.fromarray(noise(96, 128, seed)) for seed in range(3)]
    frames[0].save(tmp_path / "in/a.gif", save_all=True, append_images=frames[1:])
    boxes = write_boxes(tmp_path / "b.json", "a.gif", [BOX])
    assert anonymize(tmp_path / "in", tmp_path / "out", "--boxes", boxes) == 1
    assert "a.gif cannot be read as a photograph: the file holds several pictures" in capsys.readouterr().err


def swapped_profile() -> bytes:
    """A profile whose red and green are swapped against sRGB."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile.replace(b"rXYZ", b"_XYZ").replace(b"gXYZ", b"rXYZ").replace(b"_XYZ", b"gXYZ")


def test_a_color_profile_is_converted_and_noted():
    swapped = decode(file_of("PNG", icc_profile=swapped_profile()), 1)
    assert np.abs(swapped.pixels.astype(int) - PIXELS[..., [0, 2, 1]]).mean() < 2
    assert "sRGB" in swapped.notes[0]
    same = decode(file_of("PNG", icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()), 1)
    np.testing.assert_array_equal(same.pixels, PIXELS)
    assert same.notes == decode(file_of("PNG", icc_profile=b"damaged"), 1).notes == ()


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG2000", "HEIC", "AVIF"])
def test_more_than_8_bits_are_reduced_and_noted(tmp_path, kind):
    gray = (np.arange(96 * 128).reshape(96, 128) * 5).astype(np.uint16)
    content = io.BytesIO()
    if kind == "HEIC":
        content.write(heic(PIXELS, tmp_path, bits=10))
    elif kind == "AVIF":
        still = (
            "-f",
            "lavfi",
            "-i",
            "testsrc2=size=128x96",
            "-frames:v",
            "1",
            "-c:v",
            "libaom-av1",
            "-still-picture",
            "1",
        )
        ffmpeg(*still, "-pix_fmt", "yuv420p10le", tmp_path / "a.avif")
        content.write((tmp_path / "a.avif").read_bytes())
    else:
        Image.fromarray(gray).save(content, kind)
    decoded = decode(content.getvalue(), 1)
    assert any("bits per sample were reduced to 8" in note for note in decoded.notes)


def test_notes_of_a_photograph_are_in_its_report(tmp_path):
    (tmp_path / "in").mkdir()
    clear = np.dstack([PIXELS, np.full((96, 128), 100, np.uint8)])
    Image.fromarray(clear).save(tmp_path / "in/a.png")
    boxes = write_boxes(tmp_path / "b.json", "a.png", [BOX])
    assert anonymize(tmp_path / "in", tmp_path / "out", "--boxes", boxes) == 0
    assert json.loads((tmp_path / "out/a.png.json").read_text())["notes"] == ["Transparency was replaced by white."]


def test_the_case_reported(tmp_path):
    folder = case("iphone-folder")
    assert anonymize(folder / "in", tmp_path / "out", "--boxes", folder / "boxes.json") == 0
    for name in ("IMG_0001.HEIC.jpg", "IMG_0002.JPG"):
        assert json.loads((tmp_path / "out" / f"{name}.json").read_text())["counts"]["faces"] == 4
