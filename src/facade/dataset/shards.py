"""Sharded data sets: tar files of photographs (WebDataset), and a Parquet table of labels and file positions.

    shards/000000.tar ...    a thousand photographs each, under their names
    annotations.parquet      one row per photograph, one row group per shard

DVC and storage then handle tens of files instead of tens of thousands.
"""

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from facade.dataset.records import ATTRIBUTES
from facade.errors import FacadeError
from facade.storage import atomic_file

if TYPE_CHECKING:
    import pyarrow as pa

INDEX, FOLDER = "annotations.parquet", "shards"
# Photographs per shard: some hundred megabytes, an efficient size for storage and for redoing after a lost worker.
SHARD_SIZE = 1000
# Top-level entries of a COCO file that concern all photographs; stored as table metadata.
_METADATA_KEYS = ("info", "categories")


@lru_cache(maxsize=1)
def _schema() -> "pa.Schema":
    """Columns of the table. pyarrow is imported where it is used: single files need none of it."""
    import pyarrow as pa

    face = pa.struct(
        [
            ("id", pa.int64()),
            ("category_id", pa.int32()),
            ("bbox", pa.list_(pa.float64())),
            ("area", pa.float64()),
            ("iscrowd", pa.int8()),
            ("keypoints", pa.list_(pa.float64())),
            ("num_keypoints", pa.int8()),
            ("index", pa.int32()),
            ("cut", pa.bool_()),
            ("kind", pa.string()),
            *((name, pa.int32()) for name in ATTRIBUTES),
        ]
    )
    return pa.schema(
        [
            ("id", pa.int64()),
            ("file_name", pa.string()),
            ("width", pa.int32()),
            ("height", pa.int32()),
            ("domain", pa.string()),
            ("shard", pa.int32()),
            ("offset", pa.int64()),
            ("size", pa.int64()),
            ("faces", pa.list_(face)),
        ]
    )


class Position(NamedTuple):
    """Position of a photograph: number of its shard, and offset and size of its file there, bytes."""

    shard: int
    offset: int
    size: int


def is_sharded(root: Path) -> bool:
    """Whether a data set is stored in shards."""
    return (root / INDEX).is_file()


def shard_file(root: Path, number: int) -> Path:
    """The tar file of a shard."""
    return root / FOLDER / f"{number:06d}.tar"


def add_member(archive: tarfile.TarFile, name: str, content: bytes) -> int:
    """Add a file to a tar archive without time stamp and owner.

    Returns:
        Offset of its content in the archive, bytes.
    """
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))
    return archive.offset - -(-len(content) // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE


def write_shard(path: Path, number: int, files: Iterable[tuple[str, bytes]]) -> dict[str, Position]:
    """Write a shard atomically.

    Args:
        path: The tar file.
        number: Number of the shard.
        files: Names and contents.

    Returns:
        Position of each file by name.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as temporary, tarfile.open(temporary, "w", format=tarfile.PAX_FORMAT) as tar:
        return {name: Position(number, add_member(tar, name, content), len(content)) for name, content in files}


class _HashingFile(io.RawIOBase):
    """A write-only file that keeps only the sha256 of its content."""

    def __init__(self) -> None:
        self.digest = hashlib.sha256()

    def write(self, block: Any, /) -> int:
        self.digest.update(block)
        return len(block)


def expected_sha256(files: Iterable[tuple[str, bytes]]) -> str:
    """The sha256 of the shard that `write_shard` would write."""
    output = _HashingFile()
    with tarfile.open(fileobj=output, mode="w|", format=tarfile.PAX_FORMAT) as tar:
        for name, content in files:
            add_member(tar, name, content)
    return output.digest.hexdigest()


def index_leaks(root: Path) -> list[str]:
    """Describe everything in the table of a data set that `write_index` does not write."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(root / INDEX) as table:
        columns, metadata = table.schema_arrow, table.metadata.metadata or {}
    unexpected = sorted(metadata.keys() - {b"ARROW:schema", *(key.encode() for key in _METADATA_KEYS)})
    leaks = [f"metadata {name.decode(errors='replace')}" for name in unexpected]
    on_columns = {key for field in _nested_fields(columns) for key in field.metadata or {}} - {b"PARQUET:field_id"}
    leaks += [f"metadata {name.decode(errors='replace')} on a column" for name in sorted(on_columns)]
    return leaks if columns.equals(_schema()) else [*leaks, "unexpected columns"]


def _nested_fields(fields: Iterable["pa.Field"]) -> Iterator["pa.Field"]:
    """All columns, including nested ones."""
    for field in fields:
        yield field
        kind = field.type
        yield from _nested_fields(kind.field(number) for number in range(kind.num_fields))


def write_index(root: Path, content: Mapping[str, Any], positions: Mapping[str, Position]) -> None:
    """Write the table of a data set.

    Args:
        root: The data set.
        content: Content of a COCO file, with its photographs in the order of the shards.
        positions: Position of each photograph by file name.

    Raises:
        ValueError: A label has an entry that the table has no column for.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    face_columns = {field.name for field in _schema().field("faces").type.value_type}
    faces: dict[int, list[Mapping[str, Any]]] = {image["id"]: [] for image in content["images"]}
    for one in content["annotations"]:
        if unknown := one.keys() - face_columns - {"image_id"}:
            raise ValueError(f"the table of shards has no column for {', '.join(sorted(unknown))}")
        faces[one["image_id"]].append(one)
    by_shard: dict[int, list[dict[str, Any]]] = {}
    for image in content["images"]:
        position = positions[image["file_name"]]
        by_shard.setdefault(position.shard, []).append({**image, **position._asdict(), "faces": faces[image["id"]]})
    schema = _schema().with_metadata({key: json.dumps(content[key]) for key in _METADATA_KEYS})
    with atomic_file(root / INDEX) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
        for number in sorted(by_shard):
            writer.write_table(pa.Table.from_pylist(by_shard[number], schema))


def read_index(root: Path, shard: int | None = None) -> tuple[dict[str, Any], dict[str, Position]]:
    """Read the labels of a data set as the content of a COCO file, and the position of each photograph by file name.

    Args:
        root: The data set.
        shard: Number of the shard to read; None for all.

    Raises:
        FacadeError: The table cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(root / INDEX) as table:
            rows = (table.read() if shard is None else table.read_row_group(shard)).to_pylist()
            metadata = table.schema_arrow.metadata or {}
        info, categories = (json.loads(metadata[key.encode()]) for key in _METADATA_KEYS)
        content: dict[str, Any] = {"info": info, "images": [], "annotations": [], "categories": categories}
        positions = {}
        for row in rows:
            positions[row["file_name"]] = Position(row.pop("shard"), row.pop("offset"), row.pop("size"))
            for face in row.pop("faces"):
                one = {"id": face["id"], "image_id": row["id"], **_without_none(face)}  # key order of annotations.json
                if "keypoints" in one:  # visibility flags are integers
                    one["keypoints"][2::3] = map(int, one["keypoints"][2::3])
                content["annotations"].append(one)
            content["images"].append(_without_none(row))
    except (OSError, pa.ArrowException, ValueError, KeyError, TypeError) as error:
        raise FacadeError(
            f"{root / INDEX} was not written by Facade ({str(error)[:120]}). Run `dvc checkout`."
        ) from None
    return content, positions


def read_member(root: Path, position: Position) -> bytes:
    """Read the file of a photograph from its shard.

    Raises:
        OSError: The shard is missing or truncated.
    """
    with shard_file(root, position.shard).open("rb") as tar:
        tar.seek(position.offset)
        content = tar.read(position.size)
    if len(content) < position.size:
        raise OSError("the shard is truncated")
    return content


def pack(root: Path, content: Mapping[str, Any]) -> None:
    """Move the files of `images/` into shards, and write the table.

    Args:
        root: The data set.
        content: Content of a COCO file that lists all of them.
    """
    names = [image["file_name"] for image in content["images"]]
    positions: dict[str, Position] = {}
    for number, start in enumerate(range(0, len(names), SHARD_SIZE)):
        own = names[start : start + SHARD_SIZE]
        positions |= write_shard(
            shard_file(root, number), number, ((name, (root / "images" / name).read_bytes()) for name in own)
        )
        for name in own:
            (root / "images" / name).unlink()
    write_index(root, content, positions)


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
