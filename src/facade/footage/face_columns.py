"""What a detection holds besides box and score: columns of its row, counted from those."""

import numpy as np

from facade.anonymize.treat import HoldsFaces, Treatment
from facade.networks.landmarks import with_landmarks
from facade.networks.protocol import BOX_COLUMNS, LANDMARK_COLUMNS

# Among the columns after the score: five landmarks, x y each; and the appearance, in video only.
KEYPOINTS = slice(0, LANDMARK_COLUMNS - BOX_COLUMNS)
APPEARANCE = slice(KEYPOINTS.stop, None)


def complete_rows(
    treatment: Treatment, image: np.ndarray, rows: np.ndarray, min_score: float, in_video: bool = False
) -> np.ndarray:
    """Detections of an image with all that the treatment takes from a face.

    Args:
        treatment: How faces are anonymized.
        image: (H, W, 3) uint8, BGR.
        rows: (n, 5) or (n, 15) float, as a box source gives them.
        min_score: Score threshold of a face. Detections below may continue a track, but only their own landmarks are
            kept: in most of them, there is no face to look at.
        in_video: Whether to measure the appearance, too, so that it can be smoothed along a track.

    Returns:
        (n, 5) for a treatment that needs boxes alone; else (n, 15), with landmarks x y, or more with the appearance.
        NaN where unknown.
    """
    if not isinstance(treatment, HoldsFaces):
        return rows[:, :BOX_COLUMNS]
    from facade.anonymize.appearance import LENGTH  # numba and the heads, which a blur does not need

    complete = np.full((len(rows), LANDMARK_COLUMNS + (LENGTH if in_video else 0)), np.nan)
    complete[:, : rows.shape[1]] = rows
    faces = np.flatnonzero(rows[:, 4] >= min_score)
    complete[faces, :LANDMARK_COLUMNS] = with_landmarks(image, rows[faces])
    if in_video:
        for face in faces:
            measured = treatment.measure(image, tuple(rows[face, :4]), keypoints_of(complete[face, BOX_COLUMNS:]))
            complete[face, LANDMARK_COLUMNS:] = measured
    return complete


def keypoints_of(columns: np.ndarray) -> tuple[tuple[float, float], ...] | None:
    """The landmarks of a detection as `Face` holds them; None where it has none."""
    points = columns[KEYPOINTS]
    if len(points) < KEYPOINTS.stop or np.isnan(points).any():
        return None
    return tuple((float(x), float(y)) for x, y in points.reshape(5, 2))
