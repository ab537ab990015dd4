"""Warping a picture of a face onto landmarks: each landmark lands on its target, and nothing is torn."""

import cv2
import numpy as np
import pytest

from facade.sources.warp import warp_face

# A frontal face of 100 pixels from eyes to mouth, in a picture of 320: eyes, nose, corners of the mouth.
FRONTAL = np.array([[110.0, 110], [210, 110], [160, 165], [120, 210], [200, 210]])


def dotted(points, size=320):
    """Black, with a white disc at each landmark."""
    picture = np.zeros((size, size, 3), np.uint8)
    for x, y in points:
        cv2.circle(picture, (round(16 * (x - 0.5)), round(16 * (y - 0.5))), 16 * 6, (255, 255, 255), -1, cv2.LINE_AA, 4)
    return picture


def disc_centers(pixels, near):
    """Center of the light around each of some points."""
    y, x = np.mgrid[: pixels.shape[0], : pixels.shape[1]] + 0.5
    centers = []
    for px, py in near:
        weight = pixels[..., 0] * (np.hypot(x - px, y - py) < 12)
        centers.append([(weight * x).sum() / weight.sum(), (weight * y).sum() / weight.sum()])
    return np.array(centers)


@pytest.mark.parametrize("moved", [(0, 0, 0, 0, 0), (4, -3, 5, -4, 3), (-5, 4, 2, 5, -4)])
def test_landmarks_land_on_their_targets(moved):
    """Targets that no similarity transform reaches: the mesh moves each landmark the rest of the way."""
    onto = FRONTAL * 0.8 + 20 + np.column_stack([moved, moved[::-1]])
    warped = warp_face(dotted(FRONTAL), FRONTAL, onto, (300, 300))
    np.testing.assert_allclose(warped.keypoints, onto)
    np.testing.assert_allclose(
        disc_centers(warped.pixels, onto), onto, atol=1.2
    )  # a disc that is sheared has another center


@pytest.mark.parametrize(("degrees", "scale"), [(0, 1.0), (25, 0.7), (-40, 0.3), (10, 1.6)])
def test_a_similarity_is_that_of_opencv(degrees, scale):
    picture = cv2.GaussianBlur(np.random.default_rng(1).integers(0, 256, (320, 320, 3), np.uint8), (0, 0), 6)
    turn = cv2.getRotationMatrix2D((160, 160), degrees, scale)
    onto = FRONTAL @ turn[:, :2].T + turn[:, 2]
    warped = warp_face(picture, FRONTAL, onto, (320, 320))
    shift = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])  # pixel centers at half-integers; OpenCV's at integers
    centered = (np.linalg.inv(shift) @ np.vstack([turn, [0, 0, 1]]) @ shift)[:2]
    expected = cv2.warpAffine(picture, centered, (320, 320), flags=cv2.INTER_LINEAR).astype(float) / 255
    within = warped.inside > 8
    assert within.mean() > 0.05
    assert np.abs(warped.pixels - expected)[within].mean() < 0.01


def test_the_border_of_the_picture_is_told_in_target_pixels():
    warped = warp_face(dotted(FRONTAL), FRONTAL, FRONTAL / 2, (160, 160))
    assert warped.inside[80, 80] == pytest.approx(80, abs=1)
    assert warped.inside[80, 5] == pytest.approx(5.5, abs=0.6)
    wider = warp_face(dotted(FRONTAL), FRONTAL, FRONTAL / 2 + 50, (260, 260))
    assert wider.inside[10, 100] < 0


def test_a_fold_is_refused_and_the_similarity_kept():
    """Eyes below the mouth: no mesh gets there without turning a triangle inside out."""
    onto = FRONTAL[[3, 4, 2, 0, 1]] * np.array([1, 0.2]) + np.array([0, 120])
    warped = warp_face(dotted(FRONTAL), FRONTAL, onto, (300, 300))
    assert np.isfinite(warped.pixels).all()
    assert np.abs(warped.keypoints - onto).max() > 1
