"""Anonymize a photograph."""

import hashlib
from dataclasses import dataclass
from pathlib import PurePosixPath

import cv2
import numpy as np

from facade.dataset.orientation import Stored
from facade.dataset.pixels import BadPhotographError, decode
from facade.dataset.store import encode
from facade.errors import FacadeError
from facade.footage.job import Job, Settings, exempt_mask, job_id, labelled_photograph, source_id
from facade.footage.masks import changed_mask, mask_path, write_mask
from facade.footage.record import FaceTable, Record
from facade.storage import atomic_file

# Formats that are written, by how; others are read, and become JPEG, or PNG where they are often without loss.
JPEG, LOSSLESS = (".jpg", ".jpeg", ".jpe", ".jfif"), (".png", ".bmp", ".tif", ".tiff", ".webp")
WRITTEN = JPEG + LOSSLESS
TO_JPEG, TO_PNG = (".heic", ".heif", ".hif", ".avif"), (".gif", ".jp2", ".jpx", ".jpf", ".j2k", ".j2c", ".jpc")
PHOTOGRAPHS = WRITTEN + TO_JPEG + TO_PNG


@dataclass(frozen=True)
class AnonymizedImage:
    """A treated photograph.

    Attributes:
        pixels: (H, W, 3) uint8, BGR, upright.
        faces: (n, 5) float, x y w h in pixels and score of the treated faces; the score of a labelled face is 1.
        exempt: (m, 5) float, the faces that were left untreated on request.
        changed: (H, W) bool, the pixels that differ from the source; None without `Settings.masks`.
    """

    pixels: np.ndarray
    faces: np.ndarray
    exempt: np.ndarray
    changed: np.ndarray | None = None


def anonymize_image(pixels: np.ndarray, name: str, identity: str, settings: Settings) -> AnonymizedImage:
    """Treat the faces of a decoded photograph.

    Args:
        pixels: (H, W, 3) uint8, BGR, upright; not changed.
        name: See `Job.name`.
        identity: Pseudonyms are derived from it, besides the key.
        settings: How it is anonymized.
    """
    faces = settings.faces(name, 0, [pixels])[0]
    faces = faces[faces[:, 4] >= settings.min_score]
    kept = exempt_mask(settings, name, 0, faces[:, :4], (pixels.shape[1], pixels.shape[0]))
    treated = pixels
    if settings.masks or not settings.records_only:
        treated = settings.treatment(pixels, labelled_photograph(identity, pixels, faces[~kept])).pixels
    rows = faces[:, :5]
    changed = changed_mask(pixels, treated) if settings.masks else None
    return AnonymizedImage(treated, rows[~kept], rows[kept], changed)


@dataclass(frozen=True)
class AnonymizedPhotograph:
    """An anonymized photograph, encoded.

    Attributes:
        content: The file.
        image: What was done.
        notes: Messages for the user.
    """

    content: bytes
    image: AnonymizedImage
    notes: tuple[str, ...] = ()

    def tables(self, picture: int | str, settings: Settings) -> tuple[FaceTable, FaceTable]:
        """Treated and exempt faces for the record; `picture` is the index or the name of the photograph."""
        return tuple(  # type: ignore[return-value]
            FaceTable([picture] * len(rows), rows[:, :4], rows[:, 4], None, settings.labeled)
            for rows in (self.image.faces, self.image.exempt)
        )


def anonymize_bytes(content: bytes, name: str, suffix: str, settings: Settings) -> AnonymizedPhotograph:
    """Treat the faces of a photograph, and encode it without any metadata.

    Args:
        content: The file.
        name: See `Job.name`.
        suffix: File extension in lower case, which determines the encoding; one of `WRITTEN`.
        settings: How it is anonymized.

    Raises:
        BadPhotographError: It cannot be read as a photograph.
    """
    decoded = decode(content, settings.max_megapixels)
    settings = settings.for_file(name, Stored(decoded.stored, decoded.orientation))
    image = anonymize_image(decoded.pixels, name, source_id(hashlib.sha256(content).hexdigest()), settings)
    if suffix in JPEG:
        encoded = encode(image.pixels, settings.codec)
    else:
        encoded = cv2.imencode(suffix, image.pixels, _lossless(suffix))[1].tobytes()
    return AnonymizedPhotograph(encoded, image, decoded.notes)


def anonymize_photograph(job: Job, settings: Settings) -> Record:
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
    source = hashlib.sha256(content).hexdigest()
    faces, exempt = result.tables(0, settings)
    height, width = result.image.pixels.shape[:2]
    record = Record(
        kind="photograph",
        source={"file": job.name, "bytes": len(content), "sha256": source},
        pictures=1,
        size=(width, height),
        detector=settings.detector,
        treatment=settings.method,
        faces=faces,
        exempt=exempt,
        notes=result.notes,
        job=job_id(job, source_id(source), settings),
    )
    if result.image.changed is not None:
        write_mask(mask_path(job.target), result.image.changed)
    if settings.records_only:
        record.write_to(job.record)
        return record
    record = record.with_result(hashlib.sha256(result.content).hexdigest())
    with atomic_file(job.target) as temporary:
        temporary.write_bytes(result.content)
        # Before the target appears, so that no target is ever without its record.
        record.write_to(job.record)
    return record


def _lossless(suffix: str) -> list[int]:
    return [cv2.IMWRITE_WEBP_QUALITY, 101] if suffix == ".webp" else []


def written_name(name: str) -> str:
    """The name of an output: that of the input, with another extension added if its format is not written.

    >>> written_name("a.jpg"), written_name("IMG_0001.HEIC"), written_name("b.gif")
    ('a.jpg', 'IMG_0001.HEIC.jpg', 'b.gif.png')
    """
    suffix = PurePosixPath(name).suffix.lower()
    return f"{name}.jpg" if suffix in TO_JPEG else f"{name}.png" if suffix in TO_PNG else name
