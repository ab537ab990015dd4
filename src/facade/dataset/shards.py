"""A data set in shards: tars of photographs (WebDataset), and a Parquet table of labels and of where each lies.

    shards/000000.tar ...    a thousand photographs each, under their names
    annotations.parquet      a row a photograph, a row group a shard

DVC and storage then handle tens of files in place of tens of thousands.
"""

import hashlib
import io
import json
import tarfile
import uuid
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from facade.dataset.records import ATTRIBUTES
from facade.errors import FacadeError

INDEX, FOLDER = "annotations.parquet", "shards"
# Photographs of a shard: some hundred megabytes, which is what storage reads well, and what a lost worker costs.
SHARD = 1000
_FACE = pa.struct(
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
_SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        ("file_name", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("domain", pa.string()),
        ("shard", pa.int32()),
        ("offset", pa.int64()),
        ("size", pa.int64()),
        ("faces", pa.list_(_FACE)),
    ]
)
# What a COCO file says of all of its photographs.
_WHOLE = ("info", "categories")
_KNOWN = {field.name for field in _FACE}


class Position(NamedTuple):
    """Where a photograph lies: number of its shard; where its file begins there, and how long it is, bytes."""

    shard: int
    offset: int
    size: int


def is_sharded(root: Path) -> bool:
    """Whether a data set is one in shards."""
    return (root / INDEX).is_file()


def shard_file(root: Path, number: int) -> Path:
    """The tar of a shard."""
    return root / FOLDER / f"{number:06d}.tar"


def add(into: tarfile.TarFile, name: str, content: bytes) -> int:
    """Add a file to a tar, with nothing of when and by whom.

    Returns:
        Where in the tar its content begins, bytes.
    """
    member = tarfile.TarInfo(name)
    member.size = len(content)
    into.addfile(member, io.BytesIO(content))
    return into.offset - -(-len(content) // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE


def write_shard(path: Path, number: int, files: Iterable[tuple[str, bytes]]) -> dict[str, Position]:
    """Write a tar, beside its final name first.

    Args:
        path: The file.
        number: Of the shard.
        files: Names and contents.

    Returns:
        By name, where each file lies.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # A worker whose parent was killed may still write the same shard.
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with tarfile.open(beside, "w", format=tarfile.PAX_FORMAT) as tar:
            places = {name: Position(number, add(tar, name, content), len(content)) for name, content in files}
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    return places


class _Summed(io.RawIOBase):
    """A file to write of which nothing is kept but the sum."""

    def __init__(self) -> None:
        self.digest = hashlib.sha256()

    def write(self, block: Any, /) -> int:
        self.digest.update(block)
        return len(block)


def sum_of(files: Iterable[tuple[str, bytes]]) -> str:
    """The sha256 of the shard that `write_shard` makes of files."""
    summed = _Summed()
    with tarfile.open(fileobj=summed, mode="w|", format=tarfile.PAX_FORMAT) as tar:
        for name, content in files:
            add(tar, name, content)
    return summed.digest.hexdigest()


def index_leaks(root: Path) -> list[str]:
    """What the table of a data set holds besides what `write_index` writes, in words."""
    with pq.ParquetFile(root / INDEX) as table:
        columns, told = table.schema_arrow, table.metadata.metadata or {}
    strange = sorted(told.keys() - {b"ARROW:schema", *(key.encode() for key in _WHOLE)})
    found = [f"a note {name.decode(errors='replace')}" for name in strange]
    noted = {key for field in _fields(columns) for key in field.metadata or {}} - {b"PARQUET:field_id"}
    found += [f"a note {name.decode(errors='replace')} on a column" for name in sorted(noted)]
    return found if columns.equals(_SCHEMA) else [*found, "columns that do not belong there"]


def _fields(within: Iterable[pa.Field]) -> Iterator[pa.Field]:
    """All columns, and those inside of them."""
    for field in within:
        yield field
        kind = field.type
        yield from _fields(kind.field(number) for number in range(kind.num_fields))


def write_index(root: Path, content: Mapping[str, Any], places: Mapping[str, Position]) -> None:
    """Write the table of a data set.

    Args:
        root: The data set.
        content: Of a COCO file, its photographs in the order of the shards.
        places: By file name, where each photograph lies.

    Raises:
        ValueError: A label holds something that the table has no column for.
    """
    faces: dict[int, list[Mapping[str, Any]]] = {image["id"]: [] for image in content["images"]}
    for one in content["annotations"]:
        if unknown := one.keys() - _KNOWN - {"image_id"}:
            raise ValueError(f"the table of shards has no column for {', '.join(sorted(unknown))}")
        faces[one["image_id"]].append(one)
    by_shard: dict[int, list[dict[str, Any]]] = {}
    for image in content["images"]:
        place = places[image["file_name"]]
        by_shard.setdefault(place.shard, []).append({**image, **place._asdict(), "faces": faces[image["id"]]})
    whole = {key: json.dumps(content[key]) for key in _WHOLE}
    schema = _SCHEMA.with_metadata(whole)
    beside = root / f".{INDEX}.partial"
    with pq.ParquetWriter(beside, schema, compression="zstd") as writer:
        for number in sorted(by_shard):
            writer.write_table(pa.Table.from_pylist(by_shard[number], schema))
    beside.replace(root / INDEX)


def read_index(root: Path, shard: int | None = None) -> tuple[dict[str, Any], dict[str, Position]]:
    """The labels of a data set as the content of a COCO file, and by file name where each photograph lies.

    Args:
        root: The data set.
        shard: Number of the one shard that is read; None for all.

    Raises:
        FacadeError: The table cannot be read.
    """
    try:
        with pq.ParquetFile(root / INDEX) as table:
            rows = (table.read() if shard is None else table.read_row_group(shard)).to_pylist()
            told = table.schema_arrow.metadata or {}
        info, categories = (json.loads(told[key.encode()]) for key in _WHOLE)
        content: dict[str, Any] = {"info": info, "images": [], "annotations": [], "categories": categories}
        places = {}
        for row in rows:
            places[row["file_name"]] = Position(row.pop("shard"), row.pop("offset"), row.pop("size"))
            for face in row.pop("faces"):
                one = {"id": face["id"], "image_id": row["id"], **_without_none(face)}  # in the order of the files
                if "keypoints" in one:  # how well a point is seen is a whole number
                    one["keypoints"][2::3] = map(int, one["keypoints"][2::3])
                content["annotations"].append(one)
            content["images"].append(_without_none(row))
    except (OSError, pa.ArrowException, ValueError, KeyError, TypeError) as error:
        raise FacadeError(
            f"{root / INDEX} is not a table that Facade wrote ({str(error)[:120]}). Run `dvc checkout`."
        ) from None
    return content, places


def read_member(root: Path, position: Position) -> bytes:
    """The file of a photograph.

    Raises:
        OSError: Its shard is missing, or too short.
    """
    with shard_file(root, position.shard).open("rb") as tar:
        tar.seek(position.offset)
        content = tar.read(position.size)
    if len(content) < position.size:
        raise OSError("the shard is cut off")
    return content


def pack(root: Path, content: Mapping[str, Any]) -> None:
    """Move files of `images/` into shards, and write the table.

    Args:
        root: The data set.
        content: Of a COCO file, which names all of them.
    """
    names = [image["file_name"] for image in content["images"]]
    places: dict[str, Position] = {}
    for number, start in enumerate(range(0, len(names), SHARD)):
        own = names[start : start + SHARD]
        places |= write_shard(
            shard_file(root, number), number, ((name, (root / "images" / name).read_bytes()) for name in own)
        )
        for name in own:
            (root / "images" / name).unlink()
    write_index(root, content, places)


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
