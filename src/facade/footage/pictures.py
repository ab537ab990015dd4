"""A photograph, anonymized."""

import hashlib
from dataclasses import dataclass
from pathlib import PurePosixPath

import cv2
import numpy as np

from facade.dataset.pixels import BadPhotographError, decode
from facade.dataset.store import encode
from facade.errors import FacadeError
from facade.footage.job import Detected, Job, Report, Settings, is_exempt, job_id, least_sure, photograph_of
from facade.storage import whole_file

JPEG, LOSSLESS = (".jpg", ".jpeg"), (".png", ".bmp", ".tif", ".tiff", ".webp")
PICTURES = JPEG + LOSSLESS


@dataclass(frozen=True)
class Anonymized:
    """A photograph, as it is written.

    Attributes:
        content: The file.
        faces: How many were treated.
        exempt: How many were kept as they are.
        detected: (n, 5) float, x y w h in pixels and score of those that were treated.
    """

    content: bytes
    faces: int
    exempt: int
    detected: np.ndarray

    def rows(self, picture: int | str) -> list[Detected]:
        """What was detected, as reports list it: picture, box, score."""
        return [(picture, row[:4], float(row[4])) for row in self.detected]


def anonymized(content: bytes, name: str, suffix: str, settings: Settings) -> Anonymized:
    """Treat the faces of a photograph, and encode it without any metadata.

    Args:
        content: The file.
        name: What a finder knows it by.
        suffix: Ending that says how it is encoded, in small letters.
        settings: How it is anonymized.

    Raises:
        BadPhotographError: It cannot be read as a photograph.
    """
    pixels = decode(content, settings.max_megapixels).pixels
    found = settings.finder.find(name, 0, [pixels])[0]
    found = found[found[:, 4] >= settings.sure]
    kept = is_exempt(settings, name, 0, found[:, :4], (pixels.shape[1], pixels.shape[0]))
    photograph = photograph_of(hashlib.sha256(content).hexdigest()[:16], pixels, found[~kept, :4])
    treated = settings.treatment(pixels, photograph).pixels
    if suffix in JPEG:
        written = encode(treated, settings.codec)
    else:
        written = cv2.imencode(suffix, treated, _lossless(suffix))[1].tobytes()
    return Anonymized(written, len(photograph.faces), int(kept.sum()), found[~kept])


def anonymize_picture(job: Job, settings: Settings) -> Report:
    """Treat the faces of a photograph, and write it without any metadata.

    Raises:
        FacadeError: It cannot be read.
    """
    settings.check_count(job.name, 1)
    try:
        content = job.source.read_bytes()
        one = anonymized(content, job.name, PurePosixPath(job.target.name).suffix.lower(), settings)
    except (BadPhotographError, OSError) as error:
        reason = str(error) if isinstance(error, BadPhotographError) else error.strerror or error
        raise FacadeError(f"{job.source} cannot be read as a photograph: {reason}. Mend it, or leave it out.") from None
    report = Report(
        kind="photograph",
        pictures=1,
        faces=one.faces,
        tracks=None,
        bridged=0,
        exempt=one.exempt,
        least_sure=least_sure(one.rows(0)),
        job=job_id(job, hashlib.sha256(content).hexdigest()[:16], settings),
        sha256=hashlib.sha256(one.content).hexdigest(),
    )
    with whole_file(job.target) as beside:
        beside.write_bytes(one.content)
        report.write_to(job)
    return report


def _lossless(suffix: str) -> list[int]:
    return [cv2.IMWRITE_WEBP_QUALITY, 101] if suffix == ".webp" else []
