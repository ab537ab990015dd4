"""What many tests need: checked parameters, small pictures, and small data sets in each layout."""

import json
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from facade.dataset.records import Face, Photograph
from facade.dataset.store import Photographs, encode, to_coco, write_annotations
from facade.parallel import cores
from facade.params import Params, load

REPOSITORY = Path(__file__).parents[1]
SHARED = REPOSITORY.parent / "shared"
S3_KEYS = {"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any", "AWS_DEFAULT_REGION": "us-east-1"}


@pytest.fixture(scope="session")
def params() -> Params:
    return load(REPOSITORY / "params.yaml")


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    """A picture of smooth noise, (H, W, 3) uint8: detail everywhere, and it survives JPEG."""
    rough = np.random.default_rng(seed).integers(0, 256, (height // 4 + 1, width // 4 + 1, 3), dtype=np.uint8)
    return cv2.resize(rough, (width, height), interpolation=cv2.INTER_CUBIC)


@pytest.fixture
def photo() -> np.ndarray:
    return noise(120, 160)


@pytest.fixture
def write_wider(tmp_path: Path) -> Callable[..., Path]:
    """Writes a data set in WIDER FACE's layout from {split: {name: (picture or bytes, label lines)}}."""

    def write(**splits: dict[str, tuple[np.ndarray | bytes | None, list[str]]]) -> Path:
        root = tmp_path / "wider"
        for split in ("train", "val"):
            text = ""
            for name, (picture, lines) in splits.get(split, {}).items():
                path = root / f"WIDER_{split}" / "images" / name
                if picture is not None:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    content = picture if isinstance(picture, bytes) else cv2.imencode(".jpg", picture)[1].tobytes()
                    path.write_bytes(content)
                text += "\n".join([name, str(len(lines)), *(lines or ["0 0 0 0 0 0 0 0 0 0"])]) + "\n"
            labels = root / "wider_face_split" / f"wider_face_{split}_bbx_gt.txt"
            labels.parent.mkdir(parents=True, exist_ok=True)
            labels.write_text(text)
        return root

    return write


@pytest.fixture
def make_store(tmp_path: Path, params: Params) -> Callable[..., Photographs]:
    """Writes a data set of Facade's own from pictures and their faces."""

    def make(
        pictures: dict[str, tuple[np.ndarray, tuple[Face, ...]]], name: str = "store", synthetic: bool = True
    ) -> Photographs:
        root = tmp_path / name
        photographs = []
        for file, (picture, faces) in pictures.items():
            path = root / "images" / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encode(picture, params.codec))
            photographs.append(Photograph(file, picture.shape[1], picture.shape[0], faces))
        write_annotations(root, to_coco(photographs, synthetic))
        return Photographs(root)

    return make


@pytest.fixture(scope="session")
def chromium():
    """A headless Chromium. Debian's package is `chromium`; tests that need it are skipped where there is none."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    quiet = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync"]  # fmt: skip
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=quiet)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def s3_server():
    """The address of a real S3 server."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(port=0)
    server.start()
    yield f"http://127.0.0.1:{server.get_host_and_port()[1]}"
    server.stop()


@pytest.fixture
def s3(s3_server, monkeypatch):
    """A bucket of a real S3 server, and the server's address; this process finds it by itself."""
    import boto3

    for name, value in (S3_KEYS | {"AWS_ENDPOINT_URL": s3_server}).items():
        monkeypatch.setenv(name, value)
    bucket = f"photographs-{uuid.uuid4().hex[:8]}"
    boto3.client("s3").create_bucket(Bucket=bucket)
    return bucket, s3_server


def tree(root: Path) -> dict[str, bytes]:
    """Every file below a directory, by relative path."""
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def write_coco(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


# Files that take longest, in this order: a worker that starts one late keeps the others waiting at the end.
LONGEST = ("test_pipeline.py", "test_train.py", "test_cluster.py", "test_compare.py", "test_command.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first: one worker runs the pipeline while the others run everything else."""
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


def pytest_xdist_auto_num_workers() -> int:
    """One worker more than there are cores: a quarter of the time, the pipeline waits for DVC, git and the disk."""
    return cores() + 1
