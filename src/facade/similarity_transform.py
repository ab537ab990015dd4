"""Similarity transform (rotation, scale, translation) between two sets of landmarks, by facexlib."""

import numpy as np


def similarity_transform(points: np.ndarray, onto: np.ndarray) -> np.ndarray:
    """Least-squares similarity transform from one set of points to another, without reflection.

    Args:
        points: (N, 2) float.
        onto: (N, 2) float, the target positions.

    Returns:
        (2, 3) float, as OpenCV's warpAffine takes it.
    """
    # Here, not above: it imports torch, which costs seconds and hundreds of megabytes that blurring does not need.
    from facexlib.detection.matlab_cp2tform import get_similarity_transform_for_cv2

    return np.asarray(get_similarity_transform_for_cv2(points.copy(), onto.copy(), reflective=False), float)
