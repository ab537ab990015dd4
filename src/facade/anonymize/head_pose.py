"""Head pose of a person in a photograph, estimated from five landmarks or from the face box."""

import numpy as np

from facade.dataset import Face
from facade.dataset.records import Box
from facade.heads.fit import fit_view, mean_head
from facade.heads.pose import FACE_HEIGHT, Pose, View

# Landmarks farther than this from the face box, in box sizes, belong to another face or are annotation errors.
MAX_KEYPOINT_OFFSET = 0.35
# A fit with a larger error than this, in eye-to-mouth distances, is rejected: the points are not a head.
MAX_FIT_ERROR = 0.30
# Width of the mean face as a fraction of its height.
ASPECT = 0.79


def plausible_keypoints(face: Face) -> np.ndarray | None:
    """The landmarks of a face, (5, 2), left and right as seen in the picture, or None where they are implausible.

    Data sets that list the person's own left eye first are handled too.
    """
    if face.keypoints is None:
        return None
    points = np.array(face.keypoints, float)
    across, down = points[1] - points[0], points[3:].mean(0) - points[:2].mean(0)
    if across[0] * down[1] < across[1] * down[0]:  # mirrored order: left and right are the person's own
        points = points[[1, 0, 2, 4, 3]]
    x, y, w, h = face.bbox
    low = np.array([x - MAX_KEYPOINT_OFFSET * w, y - MAX_KEYPOINT_OFFSET * h])
    high = np.array([x + (1 + MAX_KEYPOINT_OFFSET) * w, y + (1 + MAX_KEYPOINT_OFFSET) * h])
    spread = np.ptp(points, axis=0).max()
    return points if (points >= low).all() and (points <= high).all() and spread > 0.15 * max(w, h) else None


def view_from_keypoints(keypoints: np.ndarray | None, bbox: Box) -> tuple[View, bool]:
    """Pose and position of a face: from its landmarks if they fit a head, else frontal and as large as its box.

    Args:
        keypoints: (5, 2) float, x y in pixels: eyes, nose tip, corners of the mouth; or None.
        bbox: x, y, width, height of the face, in pixels.

    Returns:
        The view, and whether it comes from the landmarks.
    """
    if keypoints is not None:
        view, error = fit_view(keypoints, mean_head().landmarks)
        if error < MAX_FIT_ERROR:
            return view, True
    x, y, w, h = bbox
    height = max(h, 0.85 * w / ASPECT)
    return View.of_face(Pose(), height, x + w / 2, y + h / 2), False


def estimate_view(face: Face) -> tuple[View, np.ndarray, bool]:
    """The view of a labelled face, its landmarks, and whether they are its own.

    Returns:
        The view; (5, 2) float, x y in pixels: its own landmarks, or those of the mean head in that view where it has no
        plausible ones; and whether the view comes from its own landmarks.
    """
    keypoints = plausible_keypoints(face)
    view, fits = view_from_keypoints(keypoints, face.bbox)
    return view, keypoints if keypoints is not None and fits else view.project(mean_head().landmarks), fits


def estimate_pose(keypoints: np.ndarray) -> Pose:
    """Head pose from five landmarks, (5, 2) in pixels: eyes, nose tip, corners of the mouth."""
    return fit_view(keypoints, mean_head().landmarks)[0].pose


def projected_face_height(view: View) -> float:
    """Height of a face in a view, hairline to chin, in pixels."""
    return FACE_HEIGHT * view.scale
