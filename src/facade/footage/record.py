"""The record of an anonymized file, for auditors: every treated box, what was left out and why, and how it was done.

One JSON file for each output file. The same source and settings give the same bytes. docs/records.md lists the keys.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from typing import Any

import numpy as np

from facade.files import read_json, write_text
from facade.storage import AnyPath

# Changes with the keys of a record.
SCHEMA = "facade-record/1"
# Where a box comes from: a detector, interpolation along a track, or a file of labels.
DETECTED, INTERPOLATED, LABELED = "detected", "interpolated", "labeled"


@dataclass(frozen=True)
class FaceTable:
    """Faces of a file, one row each, in the order of pictures.

    Attributes:
        pictures: Index of the frame, from 0; in a shard, the name of the photograph.
        boxes: (N, 4) float, x y w h in pixels of the upright picture.
        scores: (N,) float, confidence; NaN for interpolated boxes.
        tracks: (N,) int, index of the person in a video; -1 for photographs.
        labeled: Whether the boxes come from a file of labels, whose scores mean nothing.
        streams: (N,) int, number of the video stream, from 0; None unless the file has several.
    """

    pictures: Sequence[int | str] = ()
    boxes: np.ndarray = field(default_factory=lambda: np.zeros((0, 4)))
    scores: np.ndarray = field(default_factory=lambda: np.zeros(0))
    tracks: np.ndarray | None = None
    labeled: bool = False
    streams: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.pictures)

    @property
    def interpolated(self) -> int:
        """Number of faces whose box was interpolated along a track."""
        return int(np.isnan(self.scores).sum())

    def rows(self) -> Iterator[dict[str, Any]]:
        """The faces as JSON objects."""
        tracks = np.full(len(self), -1) if self.tracks is None else self.tracks
        streams = np.full(len(self), -1) if self.streams is None else self.streams
        columns = (self.pictures, self.boxes, self.scores, tracks, streams)
        for picture, box, score, track, stream in zip(*columns, strict=True):
            origin = INTERPOLATED if np.isnan(score) else LABELED if self.labeled else DETECTED
            yield {
                **({} if stream < 0 else {"stream": int(stream)}),
                "picture" if isinstance(picture, str) else "frame": picture,
                **({} if track < 0 else {"track": int(track)}),
                "bbox": [round(float(value), 2) for value in box],
                "score": round(float(score), 4) if origin == DETECTED else None,
                "origin": origin,
            }

    @classmethod
    def joined(cls, tables: Sequence["FaceTable"]) -> "FaceTable":
        """Tables of photographs, or of the streams of a video, as one."""
        if not tables:
            return cls()
        tracks = [table.tracks for table in tables if table.tracks is not None]
        streams = [table.streams for table in tables if table.streams is not None]
        return cls(
            [picture for table in tables for picture in table.pictures],
            np.concatenate([table.boxes for table in tables]),
            np.concatenate([table.scores for table in tables]),
            np.concatenate(tracks) if tracks else None,
            tables[0].labeled,
            np.concatenate(streams) if streams else None,
        )


@dataclass(frozen=True)
class Record:
    """What was done to a file. The attributes are keys of the JSON, besides schema, version and counts.

    Attributes:
        kind: "photograph", "shard" of photographs, or "video".
        source: Relative name, size in bytes and sha256 of the source.
        result: sha256 of the output; None if only the record is written.
        pictures: Number of photographs or frames.
        size: Width and height in pixels; None for a shard, and for a video of several streams.
        detector: What gave the boxes.
        treatment: How faces were treated.
        faces: The treated faces.
        exempt: The faces that were left untreated on request.
        streams: Of a video of several streams: size, number of pictures and of tracks of each.
        left_out: What else of the source is not in the output: what, and why.
        notes: Messages for the user.
        job: Identifies the source and the settings.
    """

    kind: str
    source: Mapping[str, Any]
    pictures: int
    size: tuple[int, int] | None
    detector: Mapping[str, Any]
    treatment: Mapping[str, Any]
    faces: FaceTable
    exempt: FaceTable
    job: str
    streams: Sequence[Mapping[str, Any]] = ()
    left_out: Sequence[Mapping[str, str]] = ()
    notes: Sequence[str] = ()
    result: str | None = None

    @property
    def tracks(self) -> int | None:
        """Number of treated people in a video; None for photographs."""
        return None if self.faces.tracks is None else len(np.unique(self.faces.tracks))

    def with_result(self, sha256: str) -> "Record":
        """The same record, with the sha256 of the output."""
        return replace(self, result=sha256)

    def counts(self) -> dict[str, Any]:
        """Numbers of pictures, faces, interpolated boxes, tracks and exempt faces."""
        return {
            "pictures": self.pictures,
            "faces": len(self.faces),
            "interpolated": self.faces.interpolated,
            "tracks": self.tracks,
            "exempt": len(self.exempt),
        }

    def write_to(self, path: AnyPath) -> None:
        """Write it as JSON, one face a line."""
        head = {
            "schema": SCHEMA,
            "facade": version("facade"),
            "kind": self.kind,
            "source": dict(self.source),
            "result": None if self.result is None else {"sha256": self.result},
            "size": None if self.size is None else list(self.size),
            **({"streams": [dict(one) for one in self.streams]} if self.streams else {}),
            "counts": self.counts(),
            "detector": dict(self.detector),
            "treatment": dict(self.treatment),
            "left_out": [dict(one) for one in self.left_out],
            "notes": list(self.notes),
            "job": self.job,
        }
        lists = [f'  "{name}": {_lines(table)}' for name, table in (("faces", self.faces), ("exempt", self.exempt))]
        text = json.dumps(head, indent=2, allow_nan=False).removesuffix("\n}")
        write_text(path, ",\n".join([text, *lists]) + "\n}\n")


def _lines(table: FaceTable) -> str:
    rows = ",\n".join(f"    {json.dumps(row, allow_nan=False)}" for row in table.rows())
    return f"[\n{rows}\n  ]" if rows else "[]"


def read_record(path: AnyPath) -> dict[str, Any] | None:
    """A record as JSON; None if the file is missing or is no record of this schema."""
    if not path.is_file():
        return None
    content = read_json(path)
    return content if isinstance(content, dict) and content.get("schema") == SCHEMA else None
