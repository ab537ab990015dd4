"""Where in a photograph a synthetic face comes to lie."""

import numpy as np
from facexlib.detection.matlab_cp2tform import get_similarity_transform_for_cv2

from facade.dataset import Face
from facade.heads import Pose
from facade.heads.portrait import Portrait

# Landmarks of a mean head, x y z in half head heights, y up and z towards the camera (facade.heads.anatomy).
MEAN_HEAD = np.array(
    [(-0.30, 0.04, 0.66), (0.30, 0.04, 0.66), (0.0, -0.24, 0.95), (-0.245, -0.52, 0.60), (0.245, -0.52, 0.60)]
)
# Beyond these a pose read off five points is more noise than pose, in degrees.
MOST_YAW, MOST_PITCH, MOST_ROLL = 75.0, 30.0, 60.0
# Landmarks farther than this from the face's box, in box sizes, are another face's or a slip of the hand.
ASTRAY = 0.35


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


def pose_of(keypoints: np.ndarray) -> Pose:
    """How a head is held, read off its five landmarks.

    The rotation that brings a mean head onto them under weak perspective (DeMenthon and Davis, "Model-based object
    pose in 25 lines of code", 1995, without its iterations).

    Args:
        keypoints: (5, 2) float, x y in pixels: eyes, nose tip, corners of the mouth.
    """
    model = MEAN_HEAD - MEAN_HEAD.mean(0)
    seen = (keypoints - keypoints.mean(0)) * (1, -1)
    right, up = np.linalg.lstsq(model, seen, rcond=None)[0].T
    right, up = right / max(np.linalg.norm(right), 1e-9), up / max(np.linalg.norm(up), 1e-9)
    # The nearest rotation: the two rows are hardly ever quite at right angles.
    left_vectors, _, right_vectors = np.linalg.svd(np.stack([right, up, np.cross(right, up)]))
    rotation = left_vectors @ right_vectors
    yaw = np.degrees(np.arctan2(-rotation[2, 0], rotation[2, 2]))
    pitch = -np.degrees(np.arcsin(np.clip(rotation[2, 1], -1, 1)))
    roll = -np.degrees(np.arctan2(-rotation[0, 1], rotation[1, 1]))
    return Pose(
        yaw=float(np.clip(yaw, -MOST_YAW, MOST_YAW)),
        pitch=float(np.clip(pitch, -MOST_PITCH, MOST_PITCH)),
        roll=float(np.clip(roll, -MOST_ROLL, MOST_ROLL)),
    )


def placement(portrait: Portrait, face: Face, keypoints: np.ndarray | None) -> np.ndarray:
    """The affine map from a portrait's pixels to the photograph's, (2, 3) float.

    A similarity that brings landmarks onto landmarks (facexlib's), or, where the data set has none, the map that
    brings the portrait's face box onto the labelled one.
    """
    if keypoints is not None:
        # Not reflective: facexlib's default may mirror a face when its landmarks are noisy.
        return np.asarray(get_similarity_transform_for_cv2(portrait.keypoints, keypoints, reflective=False), float)
    x, y, w, h = face.bbox
    left, top, wide, high = portrait.bbox
    scale_x, scale_y = w / max(wide, 1e-6), h / max(high, 1e-6)
    return np.array([[scale_x, 0, x - left * scale_x], [0, scale_y, y - top * scale_y]])
