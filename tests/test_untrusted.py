"""Untrusted files with random damage are either read or refused with an error message.

`make test` tries a thousand damaged files, `make test-slow` ten thousand.
"""

import io
import json
import os
import pickle
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.io
from PIL import Image

from facade.checkpoints import read_checkpoint
from facade.dataset.coco import read_coco
from facade.dataset.ingest import ingest, read_labels
from facade.dataset.pixels import BadPhotographError, decode
from facade.dataset.store import Photographs
from facade.errors import FacadeError
from facade.files import read_json
from facade.gate import require_passed_gate
from facade.measure.wider_protocol import _read as read_levels
from facade.params import load
from facade.sources.bank_lookalikes import _read_cache
from facade.weights import weights_file
from tests.conftest import REPOSITORY, SHARED, noise, tree, write_coco

# Timeout of a reader, seconds. The slowest takes a tenth of a second.
TIMEOUT = 20
ONNX = SHARED / "weights" / "mobilefacenet_128d.onnx"
# Damaged files of each kind that `make test-slow` tries; `make test` tries a tenth.
SHARES = {
    "jpeg": 1500, "png": 800, "webp": 500, "tiff": 700, "bmp": 300, "coco": 1400, "wider": 1000, "params": 900,
    "store": 700, "checkpoint": 1000, "levels": 500, "table": 400, "gate": 300,
}  # fmt: skip


def damaged(content: bytes, random: np.random.Generator) -> bytes:
    """A file with one to three random modifications."""
    changed = bytearray(content)
    for _ in range(random.integers(1, 4)):
        if not changed:
            break
        start = int(random.integers(len(changed)))
        length = int(random.integers(1, 1 + min(64, len(changed) - start)))
        match random.integers(8):
            case 0:
                del changed[start:]
            case 1:
                changed[start] ^= 1 << int(random.integers(8))
            case 2:
                changed[start : start + length] = random.bytes(length)
            case 3:
                del changed[start : start + length]
            case 4:
                changed[start:start] = changed[start : start + length] * int(random.integers(1, 9))
            case 5:
                changed[start : start + length] = bytes(length)
            case 6:
                changed[start : start + length] = b"\xff" * length
            case 7:  # invalid numbers
                odd = [b"-1", b"1e999", b"NaN", b"null", b"99999999999999999999", b"[]", b"{}", b'"', b"\0", b"../../x"]
                changed[start : start + length] = odd[int(random.integers(len(odd)))]
    return bytes(changed)


def picture(form: str) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    content = io.BytesIO()
    options = {"compression": "tiff_lzw"} if form == "tiff" else {"exif": exif} if form in ("jpeg", "webp") else {}
    mode = Image.fromarray(noise(48, 64)).convert("P") if form == "png" else Image.fromarray(noise(48, 64))
    mode.save(content, form, **options)
    return content.getvalue()


COCO = {
    "images": [{"id": 1, "file_name": "a.jpg", "width": 64, "height": 48}, {"id": 2, "file_name": "b/c.png"}],
    "annotations": [
        {"id": 1, "image_id": 1, "category_id": 1, "bbox": [3, 4, 20.5, 30], "keypoints": [9, 9, 2] * 5, "iscrowd": 0},
        {"id": 2, "image_id": 2, "category_id": 1, "bbox": [3, 4, 2, 3], "occlusion": 2},
    ],
    "categories": [{"id": 1, "name": "face"}],
}  # fmt: skip
WIDER = b"e/a.jpg\n2\n10 10 20 30 0 0 0 0 0 0\n40 5 8 9 2 0 0 1 2 0\ne/b.jpg\n0\n0 0 0 0 0 0 0 0 0 0\n"


def checkpoint() -> bytes:
    import torch

    content = io.BytesIO()
    torch.save({"layer.weight": torch.zeros(8, 3, 3, 3), "steps": 7}, content)
    return content.getvalue()


def levels() -> bytes:
    def cell(*values: object) -> np.ndarray:
        cells = np.empty((len(values), 1), object)
        for number, value in enumerate(values):
            cells[number, 0] = value
        return cells

    content = io.BytesIO()
    listed = {"event_list": cell("e"), "file_list": cell(cell("a")), "gt_list": cell(cell(np.array([[1], [2]])))}
    scipy.io.savemat(content, listed)
    return content.getvalue()


def table() -> bytes:
    content = io.BytesIO()
    np.savez(content, keys=np.array(["a", "b"]), embeddings=np.zeros((2, 8), np.float32))
    return content.getvalue()


def store() -> bytes:
    entry = {**COCO["annotations"][0], "category_id": 1}
    content = {"info": {"synthetic": False}, **COCO, "annotations": [entry]}
    content["images"] = [{"id": 1, "file_name": "a.jpg", "width": 64, "height": 48}]
    return json.dumps(content).encode()


class Reader:
    """The reader of each kind of file, and a valid file."""

    def __init__(self, kind: str, root: Path) -> None:
        self.root = root
        valid = {
            "coco": lambda: json.dumps(COCO).encode(), "wider": lambda: WIDER, "store": store, "levels": levels,
            "params": (REPOSITORY / "params.yaml").read_bytes, "checkpoint": checkpoint, "table": table,
            "gate": lambda: b'{\n  "arm": "blur",\n  "passed": true,\n  "data": "0123456789abcdef"\n}\n',
        }  # fmt: skip
        self.valid = valid[kind]() if kind in valid else picture(kind)
        self.read = getattr(self, kind, self.any_picture)

    def put(self, name: str, content: bytes) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def any_picture(self, content: bytes) -> None:
        try:
            decoded = decode(content, 1)
        except BadPhotographError as error:
            raise FacadeError(str(error)) from None
        assert decoded.pixels.dtype == np.uint8
        assert decoded.pixels.ndim == 3

    def coco(self, content: bytes) -> None:
        self.put("coco/annotations.json", content)
        read_coco(self.root / "coco")

    def wider(self, content: bytes) -> None:
        self.put("wider/wider_face_split/wider_face_train_bbx_gt.txt", content)
        self.put("wider/wider_face_split/wider_face_val_bbx_gt.txt", WIDER)
        read_labels(self.root / "wider")

    def params(self, content: bytes) -> None:
        load(self.put("params.yaml", content))

    def store(self, content: bytes) -> None:
        self.put("store/annotations.json", content)
        photographs = Photographs(self.root / "store")
        inside = (self.root / "store" / "images").resolve()
        assert all((photographs.images / one.file).resolve().is_relative_to(inside) for one in photographs)

    def checkpoint(self, content: bytes) -> None:
        read_checkpoint(self.put("w.pth", content), "audit.recognition")

    def levels(self, content: bytes) -> None:
        read_levels(self.put("wider_easy_val.mat", content))

    def table(self, content: bytes) -> None:
        if not _read_cache(self.put("embeddings.npz", content)):
            raise FacadeError("a damaged table is rebuilt silently")

    def gate(self, content: bytes) -> None:
        self.put("store/annotations.json", store())
        self.put("store/images/a.jpg", picture("jpeg"))
        self.put("gates/blur.json", content)
        before = Path.cwd()
        os.chdir(self.root)
        try:
            require_passed_gate("blur", Photographs(self.root / "store"))
        finally:
            os.chdir(before)
        raise AssertionError("the gate of other photographs was accepted")


def hangs(*_: object) -> None:
    raise TimeoutError("a reader hangs")


def try_all(kind: str, count: int, root: Path) -> int:
    """Read damaged files; how many were refused."""
    reader, random = Reader(kind, root), np.random.default_rng(0)
    messages: list[str] = []
    signal.signal(signal.SIGALRM, hangs)
    for number in range(count):
        content = damaged(reader.valid, random)
        signal.alarm(TIMEOUT)
        try:
            reader.read(content)
        except FacadeError as error:
            messages.append(str(error))
        except BaseException:
            (root / f"{kind}-{number}").write_bytes(content)
            raise
        finally:
            signal.alarm(0)
    assert all(10 < len(sentence) < 3000 and "Traceback" not in sentence for sentence in messages)
    return len(messages)


@pytest.mark.parametrize("kind", SHARES)
def test_damaged_files_are_read_or_refused(tmp_path, kind):
    assert try_all(kind, SHARES[kind] // 10, tmp_path) > 0


@pytest.mark.slow
@pytest.mark.parametrize("kind", SHARES)
def test_ten_thousand_damaged_files_are_read_or_refused(tmp_path, kind):
    assert sum(SHARES.values()) == 10_000
    assert try_all(kind, SHARES[kind], tmp_path) > 0


@pytest.mark.parametrize("kind", SHARES)
def test_undamaged_files_are_read(tmp_path, kind):
    """Otherwise the damaged files would be refused for another reason."""
    reader = Reader(kind, tmp_path)
    if kind == "gate":
        with pytest.raises(FacadeError, match="belongs to other photographs"):
            reader.read(reader.valid)
    else:
        reader.read(reader.valid)


NETWORKS = """
import sys
from pathlib import Path
import numpy as np
from tests.test_untrusted import damaged
from facade.errors import FacadeError
from facade.recognition import OnnxRecognizer, SIDE
sound, random = Path(sys.argv[1]).read_bytes(), np.random.default_rng(0)
for number in range(int(sys.argv[2])):
    path = Path(sys.argv[3])
    path.write_bytes(damaged(sound, random))
    print(number, flush=True)
    try:
        OnnxRecognizer(path, "audit.recognition").embed(np.zeros((SIDE, SIDE, 3), np.uint8))
    except FacadeError:
        pass
print("done")
"""


@pytest.mark.skipif(not ONNX.is_file(), reason="no network in ONNX at hand")
@pytest.mark.parametrize("count", [20, pytest.param(300, marks=pytest.mark.slow)])
def test_damaged_networks_are_read_or_refused(tmp_path, count):
    """In a separate process: a crash of a C++ parser would end the test."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "src")])}
    command = [sys.executable, "-c", NETWORKS, str(ONNX), str(count), str(tmp_path / "n.onnx")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=900)
    assert done.returncode == 0, done.stdout[-100:] + done.stderr[-2000:]
    assert done.stdout.endswith("done\n")


class Malicious:
    def __reduce__(self) -> tuple:
        return Path.touch, (Path(os.environ["FACADE_TEST_TOUCHED"]),)


def test_a_pickle_with_code_is_refused_before_it_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("FACADE_TEST_TOUCHED", str(tmp_path / "touched"))
    import torch

    for name, save in (("new", torch.save), ("old", lambda value, path: path.write_bytes(pickle.dumps(value)))):
        path = tmp_path / f"{name}.pth"
        save({"weight": Malicious()}, path)
        with pytest.raises(FacadeError, match="holds no weights that are safe to load"):
            read_checkpoint(path, "audit.recognition")
    assert not (tmp_path / "touched").exists()


def test_an_archive_of_excessive_size_is_refused_unread(tmp_path):
    path = tmp_path / "bomb.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("bomb/data/0", bytes(1000))
    content = bytearray(path.read_bytes())
    directory = content.rindex(b"PK\1\2")
    content[directory + 24 : directory + 28] = b"\xff\xff\xff\xee"[::-1]  # the size that it claims, unpacked
    path.write_bytes(content)
    with pytest.raises(FacadeError, match="unpacks to 4 GiB"):
        read_checkpoint(path, "audit.recognition")


def test_yaml_with_code_or_exponential_aliases_is_refused(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text("!!python/object/apply:os.system ['echo ran']\n")
    with pytest.raises(FacadeError):
        load(path)
    laughs = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 9))
    path.write_text(f"l0: &l0 [x]\n{laughs}")
    with pytest.raises(FacadeError):
        load(path)


@pytest.mark.parametrize("workers", [1, 2])
def test_ingest_of_a_half_damaged_data_set_writes_nothing_elsewhere(tmp_path, params, workers):
    """Valid photographs are accepted, the others are quarantined, and nothing is written elsewhere."""
    random, images, annotations = np.random.default_rng(0), [], []
    root = tmp_path / "in"
    for number in range(60):
        content = cv2.imencode(".jpg", noise(60, 80, number))[1].tobytes()
        path = root / "images" / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(damaged(content, random) if number % 2 else content)
        images.append({"id": number, "file_name": path.name})
        annotations.append({"id": number, "image_id": number, "category_id": 1, "bbox": [10, 10, 30, 30]})
    write_coco(root / "annotations.json", {**COCO, "images": images, "annotations": annotations})
    before = tree(tmp_path)
    settings = params.ingest.model_copy(update={"path": root, "max_unreadable": 60, "golden_lock": "none"})
    out = tmp_path / "out"
    with pytest.raises(FacadeError, match="golden_lock"):
        ingest(settings, params.codec, out / "train", out / "golden", out / "quarantine.csv", workers)
    after = tree(tmp_path)
    assert {name for name in after if name not in before} == {"out/quarantine.csv"}
    assert all(after[name] == content for name, content in before.items())


def test_readers_of_own_files_report_errors(tmp_path):
    (tmp_path / "annotations.json").write_text('{"images": 1}')
    with pytest.raises(FacadeError, match="was not written by Facade"):
        Photographs(tmp_path)
    with pytest.raises(FacadeError, match="is missing"):
        read_json(tmp_path / "none.json")
    with pytest.raises(FacadeError, match="does not exist"):
        weights_file(tmp_path / "none.pth", "detection_mobilenet0.25_Final.pth", "audit.detector")
