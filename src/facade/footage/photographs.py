"""Anonymize a photograph."""

import hashlib
from dataclasses import dataclass
from pathlib import PurePosixPath

import cv2
import numpy as np

from facade.dataset.pixels import BadPhotographError, decode
from facade.dataset.store import encode
from facade.errors import FacadeError
from facade.footage.job import (
    Detection,
    Job,
    JobReport,
    Settings,
    exempt_mask,
    job_id,
    labelled_photograph,
    report_rows,
)
from facade.storage import atomic_file

JPEG, LOSSLESS = (".jpg", ".jpeg"), (".png", ".bmp", ".tif", ".tiff", ".webp")
PHOTOGRAPHS = JPEG + LOSSLESS


@dataclass(frozen=True)
class AnonymizedPhotograph:
    """An anonymized photograph, encoded.

    Attributes:
        content: The file.
        faces: Number of treated faces.
        exempt: Number of faces that were left untreated.
        detected: (n, 5) float, x y w h in pixels and score of the treated faces.
    """

    content: bytes
    faces: int
    exempt: int
    detected: np.ndarray

    def detections(self, picture: int | str) -> list[Detection]:
        """The treated faces as reports list them: index or name of the photograph, box, score."""
        return [(picture, row[:4], float(row[4])) for row in self.detected]


def anonymize_bytes(content: bytes, name: str, suffix: str, settings: Settings) -> AnonymizedPhotograph:
    """Treat the faces of a photograph, and encode it without any metadata.

    Args:
        content: The file.
        name: See `Job.name`.
        suffix: File extension in lower case, which determines the encoding.
        settings: How it is anonymized.

    Raises:
        BadPhotographError: It cannot be read as a photograph.
    """
    pixels = decode(content, settings.max_megapixels).pixels
    faces = settings.box_source.faces(name, 0, [pixels])[0]
    faces = faces[faces[:, 4] >= settings.min_score]
    kept = exempt_mask(settings, name, 0, faces[:, :4], (pixels.shape[1], pixels.shape[0]))
    photograph = labelled_photograph(hashlib.sha256(content).hexdigest()[:16], pixels, faces[~kept, :4])
    treated = settings.treatment(pixels, photograph).pixels
    if suffix in JPEG:
        encoded = encode(treated, settings.codec)
    else:
        encoded = cv2.imencode(suffix, treated, _lossless(suffix))[1].tobytes()
    return AnonymizedPhotograph(encoded, len(photograph.faces), int(kept.sum()), faces[~kept])


def anonymize_photograph(job: Job, settings: Settings) -> JobReport:
    """Treat the faces of a photograph, and write it without any metadata.

    Raises:
        FacadeError: It cannot be read.
    """
    settings.check_count(job.name, 1)
    try:
        content = job.source.read_bytes()
        result = anonymize_bytes(content, job.name, PurePosixPath(job.target.name).suffix.lower(), settings)
    except (BadPhotographError, OSError) as error:
        reason = str(error) if isinstance(error, BadPhotographError) else error.strerror or error
        raise FacadeError(
            f"{job.source} cannot be read as a photograph: {reason}. Repair it, or leave it out."
        ) from None
    report = JobReport(
        kind="photograph",
        pictures=1,
        faces=result.faces,
        tracks=None,
        bridged=0,
        exempt=result.exempt,
        least_sure=report_rows(result.detections(0)),
        job=job_id(job, hashlib.sha256(content).hexdigest()[:16], settings),
        sha256=hashlib.sha256(result.content).hexdigest(),
    )
    with atomic_file(job.target) as temporary:
        temporary.write_bytes(result.content)
        report.write_to(job)
    return report


def _lossless(suffix: str) -> list[int]:
    return [cv2.IMWRITE_WEBP_QUALITY, 101] if suffix == ".webp" else []
