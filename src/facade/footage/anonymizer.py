"""Anonymize photographs and videos from Python; `facade anonymize` is written on this.

>>> from facade import Anonymizer
>>> anonymizer = Anonymizer(detector="yunet.onnx")      # doctest: +SKIP
>>> treated = anonymizer(picture)                       # doctest: +SKIP
>>> anonymizer.folder("holiday", "holiday-anonymized")  # doctest: +SKIP
"""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from facade.errors import FacadeError
from facade.footage.anonymize_files import VIDEOS, Plan, check_targets, plan_jobs, run_jobs
from facade.footage.job import Job, source_id
from facade.footage.labelled_boxes import LabelledBoxes
from facade.footage.photographs import AnonymizedImage, anonymize_image
from facade.footage.run_record import RUN_RECORD, Outcome, RunClock, write_run_record
from facade.footage.settings import build_settings, open_box_source
from facade.footage.shard import SHARDS
from facade.params import Params
from facade.storage import AnyPath, storage_errors, to_path

Paths = str | Path | Sequence[str | Path]


def _quiet(line: str) -> None:
    del line


class Anonymizer:
    """Finds faces in photographs and videos, and treats them.

    Args:
        detector: A face detector, or several whose detections are joined: an ONNX or TorchScript file, weights that
            Facade knows, or `models/<arm>` of an experiment (docs/detectors.md). None: the detector that comes with
            Facade, which has seen no real face.
        method: gaussian, pixelate, solid or pseudonym; None: `blur.method`.
        min_score: Confidence threshold; None: the one measured for the detector.
        size: Longest side that images are resized to for detection, pixels; None: the detector's own.
        tiles: Whether large images are searched in overlapping tiles, too.
        device: auto, cpu or cuda.
        boxes: A COCO file of faces to use instead of a detector.
        exempt: A COCO file of faces that stay untreated.
        widen: Percent by which the treated area is wider and higher than a box; None: `DETECTED_WIDEN` for boxes of a
            detector, `blur.widen` for labelled boxes. Pseudonyms have margins of their own.
        key: Name of the secret behind pseudonyms (`synthesize.key`); the secret itself is in FACADE_KEY.
        keep: What pseudonyms take from the person: any of pose, light, tone, sharpness and grain. None: all of it,
            which looks natural, and lets an adversary who learns link many faces (docs/privacy.md).
        synthetic: Whether no real people are shown, so that pseudonyms may come from the public key, and detectors
            that are unfit for real people may be used.
        max_gap: Gaps of fewer frames than this in a track are interpolated; 0: no tracking.
        audio: Whether the sound of videos is copied.
        masks: Whether masks of the changed pixels are written next to the outputs.
        records_only: Whether only records are written.
        params: All other settings; None: the defaults of params.yaml.

    Attributes:
        warning: Why the detector should not be trusted with real people; None if nothing is known against it.

    Raises:
        FacadeError: A file is missing, an option is invalid, or the detector is refused.
    """

    def __init__(
        self,
        detector: Paths | None = None,
        method: str | None = None,
        *,
        min_score: float | None = None,
        size: int | None = None,
        tiles: bool = False,
        device: str = "auto",
        boxes: Path | str | None = None,
        exempt: Path | str | None = None,
        widen: float | None = None,
        key: str | None = None,
        keep: Sequence[str] | None = None,
        synthetic: bool = False,
        max_gap: int = 15,
        audio: bool = True,
        masks: bool = False,
        records_only: bool = False,
        params: Params | None = None,
    ) -> None:
        params = params or Params()
        self._inputs = [Path(path) for path in (boxes, exempt) if path is not None]
        source, threshold = open_box_source(
            [str(path) for path in ([detector] if isinstance(detector, str | Path) else detector or [])],
            min_score, size, tiles, device, None if boxes is None else Path(boxes), synthetic, params,
        )  # fmt: skip
        self.warning = None if synthetic else source.warning
        self.settings = build_settings(
            source, threshold, None if exempt is None else Path(exempt), method, widen, key, keep, max_gap, audio,
            synthetic, masks, records_only, params,
        )  # fmt: skip

    def __call__(self, picture: np.ndarray, name: str = "picture") -> AnonymizedImage:
        """Anonymize a picture in memory.

        Args:
            picture: (H, W, 3) uint8, BGR, upright; not changed.
            name: Name in a file of boxes.

        Returns:
            The treated picture, its faces, and those that were left untreated on request.

        Raises:
            ValueError: The array has another shape or type.
        """
        if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
            raise ValueError(f"a picture is (H, W, 3) uint8, not {picture.shape} {picture.dtype}")
        pixels = np.ascontiguousarray(picture)
        return anonymize_image(pixels, name, source_id(hashlib.sha256(pixels.tobytes()).hexdigest()), self.settings)

    def photograph(self, source: str | Path, target: str | Path, overwrite: bool = False) -> Outcome:
        """Anonymize a photograph; a record is written next to the output.

        Raises:
            FacadeError: It cannot be read or written.
        """
        return self._single(source, target, overwrite, 1)

    def video(
        self, source: str | Path, target: str | Path, overwrite: bool = False, workers: int | None = None
    ) -> Outcome:
        """Anonymize a video; a record is written next to the output. An interrupted call resumes where it stopped.

        Raises:
            FacadeError: It cannot be read or written.
        """
        return self._single(source, target, overwrite, workers)

    def folder(
        self,
        source: str | Path,
        target: str | Path,
        overwrite: bool = False,
        workers: int | None = None,
        log_line: Callable[[str], None] = _quiet,
    ) -> list[Outcome]:
        """Anonymize all photographs, shards and videos of a folder, and write a record of the run.

        Args:
            source: The folder.
            target: The folder to write.
            overwrite: Whether outputs of other settings are replaced.
            workers: Processes; all cores by default.
            log_line: Called with a line on each file that was anonymized.

        Returns:
            What became of each file. A file that fails does not stop the others.

        Raises:
            FacadeError: The folder is missing, holds nothing to anonymize, or the target cannot be written; or, after
                all others are done, it holds pictures or videos that cannot be anonymized.
        """
        outcomes, plan = self.run([to_path(str(source))], to_path(str(target)), overwrite, workers, log_line)
        if plan.refused:
            raise FacadeError(" ".join(map(str, plan.refused)))
        return outcomes

    def _single(self, source: str | Path, target: str | Path, overwrite: bool, workers: int | None) -> Outcome:
        (outcome,), _ = self.run([to_path(str(source))], to_path(str(target)), overwrite, workers)
        if outcome.status == "failed":
            raise FacadeError(outcome.message)
        return outcome

    def run(
        self,
        sources: Sequence[AnyPath],
        target: AnyPath,
        overwrite: bool = False,
        workers: int | None = None,
        log_line: Callable[[str], None] = _quiet,
    ) -> tuple[list[Outcome], Plan]:
        """Anonymize what is named; into a folder, a record of the run is written as well.

        Args:
            sources: Files and folders.
            target: See `facade.footage.anonymize_files.plan_jobs`.
            overwrite: Whether outputs of other settings are replaced.
            workers: Processes; all cores by default.
            log_line: Called with a line on each file that was anonymized.

        Returns:
            What became of each file; and the plan, which names the files that were skipped or refused.

        Raises:
            FacadeError: There is nothing to anonymize, or the target cannot be written.
        """
        clock = RunClock()
        try:
            with storage_errors():
                plan = plan_jobs(sources, target, self._inputs)
        except OSError as reason:
            raise FacadeError(f"the inputs cannot be listed: {reason.strerror or reason}.") from None
        jobs = plan.jobs
        if not jobs and not plan.refused:
            inputs = ", ".join(str(source) for source in sources)
            raise FacadeError(f"no supported inputs found in {inputs}. Name photographs, shards (.tar) or videos.")
        self._check(jobs)
        outcomes = run_jobs(jobs, self.settings, overwrite, log_line, workers)
        if not (len(jobs) == 1 and jobs[0].target == target):
            left_out = [(str(path), "neither picture nor video, or hidden") for path in plan.skipped]
            left_out += [(str(error), "refused") for error in plan.refused]
            write_run_record(target / RUN_RECORD, clock, self.settings, outcomes, left_out)
        return outcomes, plan

    def _check(self, jobs: Sequence[Job]) -> None:
        """Refuse what would fail only after hours."""
        if isinstance(self.settings.box_source, LabelledBoxes):
            boxes = self.settings.box_source
            boxes.check_names(
                job.name
                for job in jobs
                if job.source.suffix.lower() not in SHARDS
                and not (job.source.suffix.lower() in VIDEOS and boxes.lists_streams(job.name))
            )
        if self.settings.masks and any(job.source.suffix.lower() in SHARDS for job in jobs):
            raise FacadeError("masks are written for photographs and videos, not for shards. Unpack the tar first.")
        check_targets(jobs)
