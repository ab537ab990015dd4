"""The record of a whole run of `facade anonymize`, and a table of all its faces in Parquet."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

from facade.errors import FacadeError
from facade.files import write_json
from facade.footage.job import Job, Settings
from facade.footage.record import read_record
from facade.storage import AnyPath, atomic_file, make_parents

# Name of the record in the output folder; changes with its keys.
RUN_RECORD, SCHEMA = "facade-run.json", "facade-run/1"


@dataclass(frozen=True)
class Outcome:
    """What became of a file that was named.

    Attributes:
        job: The file.
        status: "done", "already done" by an earlier run, "incomplete" if photographs of a shard are missing from the
            output, or "failed".
        message: A line for the user.
        seconds: Time that it took in this run.
    """

    job: Job
    status: str
    message: str
    seconds: float = 0.0


def failures(outcomes: Sequence[Outcome]) -> list[str]:
    """Messages of the files that failed or are incomplete."""
    return [one.message for one in outcomes if one.status in ("failed", "incomplete")]


class RunClock:
    """When a run began, and for how long it has been running."""

    def __init__(self) -> None:
        self.started = datetime.now(timezone.utc)
        self._start = time.perf_counter()

    def seconds(self) -> float:
        """Seconds since the run began."""
        return time.perf_counter() - self._start


def write_run_record(
    path: AnyPath, clock: RunClock, settings: Settings, outcomes: Sequence[Outcome], left_out: Sequence[tuple[str, str]]
) -> None:
    """Write what a run did, file by file. Unlike the records of files, it holds times.

    Args:
        path: The JSON file to write.
        clock: Of the run.
        settings: How files were anonymized.
        outcomes: One for each file.
        left_out: Names of files that were not tried, and why.
    """
    files: list[dict[str, Any]] = []
    for one in outcomes:
        record = None if one.status == "failed" else read_record(one.job.record)
        files.append(
            {
                "file": one.job.name,
                "output": one.job.target.name,
                "status": one.status,
                **({"error": one.message} if one.status == "failed" else {}),
                "seconds": round(one.seconds, 3),
                **({} if record is None else {"result": record["result"], "counts": record["counts"]}),
            }
        )
    counted = [file["counts"] for file in files if "counts" in file]
    content = {
        "schema": SCHEMA,
        "facade": version("facade"),
        "started": clock.started.isoformat(timespec="seconds"),
        "seconds": round(clock.seconds(), 3),
        "detector": dict(settings.detector),
        "treatment": dict(settings.method),
        "counts": {
            "files": len(files),
            "failed": sum(file["status"] == "failed" for file in files),
            "left_out": len(left_out),
            **{name: sum(one[name] for one in counted) for name in ("pictures", "faces", "interpolated", "exempt")},
        },
        "files": files,
        "left_out": [{"what": what, "why": why} for what, why in left_out],
    }
    write_json(path, content)


def write_face_table(path: Path, outcomes: Sequence[Outcome]) -> int:
    """Write all faces of a run as one Parquet table, file by file, so that memory holds the faces of a single file.

    Columns: file, picture (in a shard), stream (in a video of several), frame, track, x, y, width, height, score,
    origin, exempt.

    Args:
        path: The `.parquet` file to write.
        outcomes: The files of the run; failed ones have no faces.

    Returns:
        The number of rows.

    Raises:
        FacadeError: The path does not end in .parquet.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if path.suffix != ".parquet":
        raise FacadeError(f"{path} must end in .parquet.")
    numbers = [(name, pa.float32()) for name in ("x", "y", "width", "height", "score")]
    schema = pa.schema(
        [
            ("file", pa.string()), ("picture", pa.string()), ("stream", pa.int64()), ("frame", pa.int64()),
            ("track", pa.int64()), *numbers, ("origin", pa.string()), ("exempt", pa.bool_()),
        ]
    )  # fmt: skip
    count = 0
    make_parents(path)
    with atomic_file(path) as temporary, pq.ParquetWriter(temporary, schema) as writer:
        for one in outcomes:
            record = None if one.status == "failed" else read_record(one.job.record)
            rows = [] if record is None else _rows(one.job.name, record)
            if rows:
                writer.write_table(pa.Table.from_pylist(rows, schema))
                count += len(rows)
    return count


def _rows(name: str, record: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "file": name,
            "picture": face.get("picture"),
            "stream": face.get("stream"),
            "frame": face.get("frame"),
            "track": face.get("track"),
            **dict(zip(("x", "y", "width", "height"), face["bbox"], strict=True)),
            "score": face["score"],
            "origin": face["origin"],
            "exempt": kind == "exempt",
        }
        for kind in ("faces", "exempt")
        for face in record[kind]
    ]
