"""Leak detection: every planted leak is found, and files that Facade writes are clean."""

import base64
import html
import io
import struct
import zipfile
import zlib

import cv2
import pytest
from matplotlib.figure import Figure
from PIL import Image

from facade.audit.leaks import data_set_leaks, file_leaks, folder_leaks, jpeg_leaks, paths_in, png_leaks
from facade.dataset import Face, encode
from facade.files import write_json
from facade.report.style import as_svg, save
from tests.conftest import noise

NAME = "0123456789abcdef.jpg"


def jpeg(**metadata):
    content = io.BytesIO()
    Image.fromarray(noise(60, 80)).save(content, "JPEG", **metadata)
    return content.getvalue()


def with_segment(kind, payload):
    plain = jpeg()
    return plain[:2] + bytes([0xFF, kind]) + struct.pack(">H", len(payload) + 2) + payload + plain[2:]


def exif_with_thumbnail():
    small = io.BytesIO()
    Image.fromarray(noise(12, 16)).save(small, "JPEG")
    # IFD0 empty, IFD1 with offset and length of the thumbnail (EXIF 2.32, 4.5.5).
    start = 8 + 6 + 2 + 24 + 4
    ifd1 = struct.pack("<H", 2) + struct.pack("<HHII", 0x0201, 4, 1, start) + struct.pack("<HHII", 0x0202, 4, 1, 999)
    tiff = b"II*\0" + struct.pack("<I", 8) + struct.pack("<HI", 0, 14) + ifd1 + struct.pack("<I", 0) + small.getvalue()
    return with_segment(0xE1, b"Exif\0\0" + tiff)


def exif():
    tags = Image.Exif()
    tags[0x010E] = "Jane Doe at home"
    return jpeg(exif=tags)


def archive():
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as packed:
        packed.writestr("raw.jpg", jpeg())
    return jpeg() + content.getvalue()


def two_pictures():
    content = io.BytesIO()
    one, two = Image.fromarray(noise(60, 80)), Image.fromarray(noise(60, 80, 1))
    one.save(content, "MPO", save_all=True, append_images=[two])
    return content.getvalue()


JPEGS = {
    "exif": exif(), "exif thumbnail": exif_with_thumbnail(), "xmp": jpeg(xmp=b"<x:xmpmeta/>"),
    "iptc": with_segment(0xED, b"Photoshop 3.0\0" + b"8BIM" + b"\4\4\0\0"), "icc": jpeg(icc_profile=b"profile" * 30),
    "comment": jpeg(comment=b"Jane Doe"), "jfif thumbnail": with_segment(0xE0, b"JFIF\0\1\2\0\0\1\0\1\1\1abc"),
    "jfxx thumbnail": with_segment(0xE0, b"JFXX\0\x10" + jpeg()), "a second picture": two_pictures(),
    "an archive behind": archive(), "a picture behind": jpeg() + jpeg(), "cut off": jpeg()[:-40], "no jpeg": b"GIF89a",
    "unknown segment": with_segment(0xE9, b"anything"),
}  # fmt: skip


@pytest.mark.parametrize("name", JPEGS)
def test_metadata_of_a_jpeg_are_found(name):
    assert jpeg_leaks(JPEGS[name])


def test_pictures_that_facade_writes_are_clean(params):
    for quality in (1, 50, 95, 100):
        for subsampling in (420, 444):
            codec = params.codec.model_copy(update={"quality": quality, "subsampling": subsampling})
            assert jpeg_leaks(encode(noise(61, 83), codec)) == []
    assert jpeg_leaks(cv2.imencode(".jpg", noise(60, 80), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()) == []
    assert jpeg_leaks(cv2.imencode(".jpg", noise(60, 80), [cv2.IMWRITE_JPEG_RST_INTERVAL, 2])[1].tobytes()) == []


def png_chunk(kind, payload):
    return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", zlib.crc32(kind + payload))


def test_metadata_of_a_png_are_found(tmp_path):
    plain = cv2.imencode(".png", noise(20, 30))[1].tobytes()
    assert png_leaks(plain) == []
    for kind in (b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"iCCP", b"tIME", b"prVt"):
        assert png_leaks(plain[:33] + png_chunk(kind, b"Author\0Jane Doe") + plain[33:]), kind
    assert png_leaks(plain + b"behind")
    assert png_leaks(plain[:-12])
    save(Figure(), tmp_path / "figure.png")
    assert file_leaks(tmp_path / "figure.png", set()) == []


def test_paths_and_embedded_pictures_of_html_pages_are_checked(tmp_path):
    def page(kind, content):
        path = tmp_path / "page.html"
        path.write_text(f'<img src="data:image/{kind};base64,{base64.b64encode(content).decode()}">')
        return file_leaks(path, {"/home/jane"})

    assert page("jpeg", jpeg()) == []
    assert page("jpeg", JPEGS["exif"]) == ["an embedded picture with EXIF or XMP"]
    assert page("svg+xml", as_svg(Figure())) == []
    drawn = Figure()
    drawn.add_subplot().imshow(noise(8, 8))
    assert b"data:image/png" in as_svg(drawn)
    assert page("svg+xml", as_svg(drawn)) == []
    plain = cv2.imencode(".png", noise(20, 30))[1].tobytes()
    named = base64.b64encode(plain[:33] + png_chunk(b"tEXt", b"Author\0Jane") + plain[33:])
    inner = b'<svg><image href="data:image/png;base64,\n' + named[:40] + b"\n" + named[40:] + b'"/></svg>'
    assert page("svg+xml", inner) == ["an embedded picture with a chunk tEXt"]
    assert page("svg+xml", b"<svg><!-- /home/jane/photos --></svg>") == ["a path of this machine"]
    (tmp_path / "metrics.json").write_text('{"data": "/home/jane/photos"}')
    assert file_leaks(tmp_path / "metrics.json", {"/home/jane"}) == ["a path of this machine"]


class Malicious:
    def __reduce__(self):
        return print, ("this ran",)


def test_paths_are_found_in_every_escaping(tmp_path):
    word = "/home/jörg & co/fotos"
    write_json(tmp_path / "metrics.json", {"data": word})
    (tmp_path / "page.html").write_text(html.escape(word))
    for name in ("metrics.json", "page.html"):
        assert file_leaks(tmp_path / name, {word}) == ["a path of this machine"]


def test_anything_but_weights_in_a_checkpoint_is_found(tmp_path, capsys):
    import torch

    def found(value):
        torch.save(value, tmp_path / "model.pth")
        return file_leaks(tmp_path / "model.pth", {"/home/jane"})

    weights = {
        "layer.weight": torch.zeros(4, 3, 3, 3),
        "layer.steps": torch.tensor(7),
        "quantized": torch.zeros(5, dtype=torch.int8),
    }
    assert found(weights) == []
    assert found({**weights, "sample": torch.zeros(3, 64, 64, dtype=torch.uint8)}) == ["a picture"]
    assert found({**weights, "data": "photos/jane.jpg"}) == ["a path"]
    assert found({**weights, "meta": [{"thumbnail": b"\xff\xd8"}]}) == ["raw bytes"]
    assert "cannot be checked" in found({**weights, "code": Malicious()})[0]
    assert "this ran" not in capsys.readouterr().out


@pytest.mark.parametrize("name", ["clip.mp4", "Thumbs.db", ".DS_Store", "photos.zip", "raw.tiff"])
def test_files_of_unknown_type_are_leaks(tmp_path, name):
    (tmp_path / name).write_bytes(b"anything")
    assert file_leaks(tmp_path / name, set())


def test_planted_leaks_of_a_data_set_are_reported(make_store, tmp_path):
    faces = (Face((10, 10, 20, 30)),)
    store = make_store({NAME: (noise(60, 80), faces), "fedcba9876543210.jpg": (noise(60, 80, 1), faces)})
    assert data_set_leaks(store, {"/home/jane"}) == []
    (store.images / NAME).write_bytes(exif_with_thumbnail())
    (store.root / "raw-copy.jpg").write_bytes(jpeg())
    (store.images / "link.jpg").symlink_to(tmp_path / "elsewhere.jpg")
    (store.root / "folder").symlink_to(tmp_path)
    leaks = [str(leak) for leak in data_set_leaks(store, {"/home/jane"})]
    root = store.root.as_posix()
    assert leaks == [
        f"{root}/folder holds data that no label lists",
        f"{root}/images/{NAME} holds EXIF or XMP",
        f"{root}/images/link.jpg holds data that no label lists",
        f"{root}/raw-copy.jpg holds data that no label lists",
    ]
    named = make_store({"Jane Doe.jpg": (noise(60, 80), faces)}, "named")
    assert [leak.what for leak in data_set_leaks(named, set())] == ["a file name that is not neutral"]


def test_the_labels_are_searched_too(make_store):
    faces = (Face((10, 10, 20, 30)),)
    store = make_store({NAME: (noise(60, 80), faces)})
    text = store.annotations.read_text()
    store.annotations.write_text(text.replace("written by Facade", "copied from /home/jane/photos"))
    leaks = [str(leak) for leak in data_set_leaks(store, {"/home/jane"})]
    assert leaks == [f"{store.annotations.as_posix()} holds a path of this machine"]


def test_folders_are_searched_recursively(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "x.jpg").write_bytes(JPEGS["comment"])
    (tmp_path / "a" / "link").symlink_to(tmp_path / "a")
    (tmp_path / "a" / "broken").symlink_to(tmp_path / "nothing")
    found = sorted(leak.what for leak in folder_leaks(tmp_path, set()))
    assert found == ["a comment", "a symbolic link", "a symbolic link"]


def test_absolute_paths_of_settings_are_forbidden_words():
    words = paths_in({"ingest": {"path": "/data/jane/photos"}, "seeds": [1], "bank": "banks"})
    assert {"/data/jane/photos", "/data/jane"} <= words
    assert "banks" not in words
    assert "/" not in words
