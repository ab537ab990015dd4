"""How a person in a photograph holds the head, read off five landmarks or off the box."""

import numpy as np

from facade.dataset import Face
from facade.dataset.records import Box
from facade.heads.fit import fit_view, mean_head
from facade.heads.pose import FACE_HEIGHT, Pose, View

# Landmarks farther than this from the face's box, in box sizes, are another face's or a slip of the hand.
ASTRAY = 0.35
# A fit that leaves the landmarks this far off, in eye-to-mouth distances, is no head.
MISFIT = 0.30
# The mean face is so wide, in shares of its height.
ASPECT = 0.79


def trusted_keypoints(face: Face) -> np.ndarray | None:
    """The landmarks of a face, (5, 2), as seen in the picture, or None where it has none that can be its own.

    Data sets that name the person's own left eye first are understood, too.
    """
    if face.keypoints is None:
        return None
    points = np.array(face.keypoints, float)
    across, down = points[1] - points[0], points[3:].mean(0) - points[:2].mean(0)
    if across[0] * down[1] < across[1] * down[0]:  # seen from behind: left and right are the person's own
        points = points[[1, 0, 2, 4, 3]]
    x, y, w, h = face.bbox
    low = np.array([x - ASTRAY * w, y - ASTRAY * h])
    high = np.array([x + (1 + ASTRAY) * w, y + (1 + ASTRAY) * h])
    spread = np.ptp(points, axis=0).max()
    return points if (points >= low).all() and (points <= high).all() and spread > 0.15 * max(w, h) else None


def view_of(keypoints: np.ndarray | None, bbox: Box) -> tuple[View, bool]:
    """How a face is held and where it lies: by its landmarks, else frontal, as large as its box.

    Args:
        keypoints: (5, 2) float, x y in pixels: eyes, nose tip, corners of the mouth; or None.
        bbox: x, y, width, height of the face, in pixels.

    Returns:
        The view, and whether the landmarks told it.
    """
    if keypoints is not None:
        view, error = fit_view(keypoints, mean_head().landmarks)
        if error < MISFIT:
            return view, True
    x, y, w, h = bbox
    height = max(h, 0.85 * w / ASPECT)
    return View.of_face(Pose(), height, x + w / 2, y + h / 2), False


def held(face: Face) -> tuple[View, np.ndarray, bool]:
    """How a face is held, its landmarks, and whether they are its own.

    Returns:
        The view; (5, 2) float, x y in pixels, those of the mean head in that view where the face has none that can be
        its own; and whether its own told the view.
    """
    keypoints = trusted_keypoints(face)
    view, fits = view_of(keypoints, face.bbox)
    return view, keypoints if keypoints is not None and fits else view.project(mean_head().landmarks), fits


def pose_of(keypoints: np.ndarray) -> Pose:
    """How a head is held, read off its five landmarks, (5, 2) in pixels: eyes, nose tip, corners of the mouth."""
    return fit_view(keypoints, mean_head().landmarks)[0].pose


def face_height(view: View) -> float:
    """How high a face in a view is, hairline to chin, in pixels."""
    return FACE_HEIGHT * view.scale
