"""Facade's data set layout: `images/` and `annotations.json` (COCO, one category `face`), or shards (`shards.py`)."""

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Literal, cast

import cv2
import numpy as np

from facade.dataset import shards
from facade.dataset.coco_content import coco_annotation, coco_content
from facade.dataset.records import ATTRIBUTES, Face, Photograph
from facade.errors import FacadeError
from facade.files import read_json, sha256_of, write_text
from facade.params import Codec

Store = Literal["files", "shards"]


class Photographs:
    """The labelled photographs of a data set in Facade's layout.

    Attributes:
        root: Directory of the data set.
        sharded: Whether it is stored in shards.
        synthetic: Whether the photographs show no real people, so that they may be displayed.
    """

    def __init__(self, root: Path | str, shard: int | None = None) -> None:
        """Read the labels.

        Args:
            root: Directory of the data set.
            shard: Number of the only shard to read; None for all.

        Raises:
            FacadeError: The labels are missing, or were not written by Facade.
        """
        self.root = Path(root)
        self.sharded = shards.is_sharded(self.root)
        self._positions: dict[str, shards.Position] = {}
        if self.sharded:
            content, self._positions = shards.read_index(self.root, shard)
        else:
            content = read_json(self.annotations)
        try:
            self.synthetic: bool = content["info"]["synthetic"] is True
            faces: dict[int, list[Face]] = {image["id"]: [] for image in content["images"]}
            for annotation in content["annotations"]:
                faces[annotation["image_id"]].append(_face(annotation))
            self._photographs = {
                image["id"]: Photograph(
                    _checked_name(image["file_name"]),
                    image["width"],
                    image["height"],
                    tuple(faces[image["id"]]),
                    image.get("domain", ""),
                )
                for image in content["images"]
            }
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise FacadeError(
                f"{self.annotations} was not written by Facade ({reason[:120]}). Run `dvc checkout`."
            ) from None

    @property
    def annotations(self) -> Path:
        """The label file: COCO JSON, or the Parquet table of a sharded data set."""
        return self.root / (shards.INDEX if self.sharded else "annotations.json")

    @property
    def store(self) -> Store:
        """Storage form of the data set. Data sets derived from it use the same form."""
        return "shards" if self.sharded else "files"

    @property
    def images(self) -> Path:
        """The directory of the photographs, if they are not in shards."""
        return self.root / "images"

    @property
    def files(self) -> list[Path]:
        """The files that hold the photographs."""
        if self.sharded:
            return [shards.shard_file(self.root, number) for number in self.shard_numbers]
        return [self.images / photograph.file for photograph in self]

    def __len__(self) -> int:
        return len(self._photographs)

    def __iter__(self) -> Iterator[Photograph]:
        return iter(self._photographs.values())

    def items(self) -> Iterable[tuple[int, Photograph]]:
        """Pairs of COCO image id and photograph."""
        return self._photographs.items()

    @property
    def shard_numbers(self) -> list[int]:
        """Numbers of the shards; empty if the photographs are single files."""
        return sorted({position.shard for position in self._positions.values()})

    def shard_sha256(self, number: int) -> str:
        """The sha256 of a shard."""
        return _sha256(shards.shard_file(self.root, number))

    def where(self, photograph: Photograph) -> str:
        """Location of a photograph, for error messages."""
        if self.sharded:
            number = self._positions[photograph.file].shard
            return f"{photograph.file} in {shards.shard_file(self.root, number)}"
        return str(self.images / photograph.file)

    def read(self, photograph: Photograph) -> bytes:
        """Read the file of a photograph.

        Raises:
            FacadeError: The file is missing.
        """
        try:
            if self.sharded:
                return shards.read_member(self.root, self._positions[photograph.file])
            return (self.images / photograph.file).read_bytes()
        except OSError as error:
            reason = error.strerror or error
            raise FacadeError(f"{self.where(photograph)} cannot be read ({reason}). Run `dvc checkout`.") from None

    def pixels(self, photograph: Photograph) -> np.ndarray:
        """Decode a photograph, (H, W, 3) uint8, BGR. Untrusted pictures are decoded by `facade.dataset.pixels`.

        Raises:
            FacadeError: The file is missing or damaged.
        """
        content = self.read(photograph)
        try:
            image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        except cv2.error:  # the file is empty
            image = None
        if image is None:
            raise FacadeError(f"{self.where(photograph)} cannot be read as a picture. Run `dvc checkout`.")
        return cast("np.ndarray", image)

    def content(self) -> dict[str, Any]:
        """The labels as the content of a COCO file."""
        return load_coco(self.root)

    def fingerprint(self) -> str:
        """Hash of all photographs and labels, 64 hexadecimal digits.

        Raises:
            FacadeError: A photograph cannot be read.
        """
        digest = hashlib.sha256()
        for path in (self.annotations, *self.files):
            digest.update(_sha256(path).encode())
        return digest.hexdigest()


def _sha256(path: Path) -> str:
    try:
        return sha256_of(path)
    except OSError as error:
        raise FacadeError(f"{path} cannot be read ({error.strerror}). Run `dvc checkout`.") from None


def load_coco(root: Path) -> dict[str, Any]:
    """Load the labels of a data set in Facade's layout as the content of a COCO file.

    Raises:
        FacadeError: The labels are missing, or were not written by Facade.
    """
    if shards.is_sharded(root):
        return shards.read_index(root)[0]
    content: dict[str, Any] = read_json(root / "annotations.json")
    return content


def decode(content: bytes) -> np.ndarray:
    """Decode a JPEG that `encode` wrote, (H, W, 3) uint8, BGR."""
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise RuntimeError("OpenCV could not decode its own JPEG")
    return image


def encode(image: np.ndarray, codec: Codec) -> bytes:
    """Encode a picture as JPEG without metadata. Codec and settings are the same for every arm.

    Args:
        image: (H, W, 3) uint8, BGR.
        codec: Quality and chroma subsampling.
    """
    sampling = {444: cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444, 420: cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420}
    flags = [cv2.IMWRITE_JPEG_QUALITY, codec.quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling[codec.subsampling]]
    encoded, content = cv2.imencode(".jpg", image, flags)
    if not encoded:
        raise RuntimeError(f"OpenCV could not encode a picture of shape {image.shape}")
    return content.tobytes()


def to_coco(photographs: Iterable[Photograph], synthetic: bool) -> dict[str, Any]:
    """Convert photographs to the content of a COCO file, with image ids counted from 1 in the given order."""
    info = {"description": "written by Facade", "synthetic": synthetic}
    return coco_content(info, ((number, one, map(_annotation, one.faces)) for number, one in enumerate(photographs, 1)))


def finish_dataset(root: Path, content: dict[str, Any], store: Store) -> None:
    """Write the labels of a data set whose photographs are already in `images/`.

    Args:
        root: The data set.
        content: Content of the COCO file. Its `images` list all files.
        store: Whether to keep single files, or to move them into shards.
    """
    if store == "files":
        write_annotations(root, content)
        return
    shards.pack(root, content)
    shutil.rmtree(root / "images", ignore_errors=True)


def write_annotations(root: Path, content: dict[str, Any]) -> None:
    """Write the COCO file of a data set with one entry per line, for `git diff` and `grep`."""
    write_text(root / "annotations.json", _lines(content))


def _lines(content: dict[str, Any]) -> str:
    def dump(value: Any) -> str:
        return json.dumps(value, allow_nan=False)

    entries = []
    for key, value in content.items():
        if isinstance(value, list) and value:
            entries.append(f'"{key}": [\n' + ",\n".join(map(dump, value)) + "\n]")
        else:
            entries.append(f'"{key}": {dump(value)}')
    return "{\n" + ",\n".join(entries) + "\n}\n"


def _annotation(face: Face) -> dict[str, Any]:
    index = {} if face.index is None else {"index": face.index}
    cut = {"cut": True} if face.cut else {}
    return coco_annotation(face.bbox, ignore=face.ignore, keypoints=face.keypoints, **index, **cut, **face.attributes)


def _checked_name(name: str) -> str:
    """A file name that does not leave the data set."""
    if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts or "\0" in name:
        raise ValueError(f"{name!r} leaves the data set")
    return name


def _face(annotation: dict[str, Any]) -> Face:
    flat = annotation.get("keypoints")
    return Face(
        bbox=tuple(annotation["bbox"]),
        keypoints=tuple(zip(flat[::3], flat[1::3], strict=True)) if flat else None,
        ignore=bool(annotation["iscrowd"]),
        attributes={name: annotation[name] for name in ATTRIBUTES if name in annotation},
        index=annotation.get("index"),
        cut=annotation.get("cut", False),
    )
