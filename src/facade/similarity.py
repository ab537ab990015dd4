"""The similarity (turn, scale, shift) that brings landmarks onto landmarks; facexlib's."""

import numpy as np


def similarity(points: np.ndarray, onto: np.ndarray) -> np.ndarray:
    """The similarity that brings points nearest to others, by least squares; none that mirrors.

    Args:
        points: (N, 2) float.
        onto: (N, 2) float, where they should come to lie.

    Returns:
        (2, 3) float, as OpenCV's warpAffine takes it.
    """
    # Here, not above: it brings torch, seconds and hundreds of megabytes, to whoever draws or blurs faces.
    from facexlib.detection.matlab_cp2tform import get_similarity_transform_for_cv2

    return np.asarray(get_similarity_transform_for_cv2(points.copy(), onto.copy(), reflective=False), float)
