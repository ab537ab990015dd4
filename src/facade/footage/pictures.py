"""A photograph, anonymized."""

import hashlib

import cv2

from facade.dataset.pixels import BadPhotographError, decode
from facade.dataset.store import encode
from facade.errors import FacadeError
from facade.footage.job import Job, Report, Settings, is_exempt, job_id, least_sure, photograph_of, source_id

JPEG, LOSSLESS = (".jpg", ".jpeg"), (".png", ".bmp", ".tif", ".tiff", ".webp")
PICTURES = JPEG + LOSSLESS


def anonymize_picture(job: Job, settings: Settings) -> Report:
    """Treat the faces of a photograph, and write it without any metadata.

    Raises:
        FacadeError: It cannot be read.
    """
    try:
        pixels = decode(job.source.read_bytes(), settings.max_megapixels).pixels
    except (BadPhotographError, OSError) as error:
        reason = str(error) if isinstance(error, BadPhotographError) else error.strerror
        raise FacadeError(f"{job.source} cannot be read as a photograph: {reason}. Mend it, or leave it out.") from None
    settings.check_count(job.name, 1)
    size = (pixels.shape[1], pixels.shape[0])
    found = settings.finder.find(job.name, 0, [pixels])[0]
    found = found[found[:, 4] >= settings.sure]
    kept = is_exempt(settings, job, 0, found[:, :4], size)
    source = source_id(job.source)
    photograph = photograph_of(source, pixels, found[~kept, :4])
    treated = settings.treatment(pixels, photograph).pixels
    if job.target.suffix.lower() in JPEG:
        content = encode(treated, settings.codec)
    else:
        content = cv2.imencode(job.target.suffix.lower(), treated, _lossless(job.target.suffix.lower()))[1].tobytes()
    report = Report(
        kind="photograph",
        pictures=1,
        faces=len(photograph.faces),
        tracks=None,
        bridged=0,
        exempt=int(kept.sum()),
        least_sure=least_sure([(0, row[:4], float(row[4])) for row in found[~kept]]),
        job=job_id(job, source, settings),
        sha256=hashlib.sha256(content).hexdigest(),
    )
    try:
        job.partial.write_bytes(content)
        report.write_with(job, job.partial)
    finally:
        job.partial.unlink(missing_ok=True)
    return report


def _lossless(suffix: str) -> list[int]:
    return [cv2.IMWRITE_WEBP_QUALITY, 101] if suffix == ".webp" else []
