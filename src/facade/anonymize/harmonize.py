"""Match a synthetic face to its photograph: tone, sharpness, noise."""

import cv2
import numpy as np

from facade.color import LUMINANCE

# A photograph is grayscale if the channels of at least this share of its pixels differ by no more than this.
MIN_GRAY_SHARE, MAX_GRAY_SPREAD = 0.99, 4
# Limits of the factor by which the spread of L, a, b is scaled to that of the photograph. Chroma may drop to zero, as
# in a grayscale photograph. Skin within a face varies more in WIDER FACE than in rendered skin: in half of the faces by
# a factor of at least 1.2 in lightness and 2 in chroma, beards and shadows included.
MIN_STRETCH, MAX_STRETCH = (0.7, 0.0, 0.0), (1.5, 1.6, 1.6)
# With fewer skin pixels than this, all pixels are compared.
MIN_SKIN_PIXELS = 9
# Candidate blurs to match the sharpness of the photograph, standard deviations in pixels.
BLUR_SIGMAS = (0.0, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.4, 1.7, 2.0, 2.5, 3.2)
# Ranges of sampled sharpness, standard deviation of a blur in percent of the face's height, and of sampled grain.
SAMPLED_BLUR, SAMPLED_NOISE = (0.0, 2.0), (0.002, 0.02)
# Blur of the camera grain, standard deviation in pixels, and the fraction of grain that all three channels share.
GRAIN_SIGMA, GRAY_FRACTION = 0.6, 0.8


def is_grayscale(image: np.ndarray) -> bool:
    """Whether a photograph, (H, W, 3) uint8, has no color; every eighth pixel along each side is looked at."""
    sample = image[::8, ::8].reshape(-1, 3)
    return float(np.mean(np.ptp(sample, axis=1) <= MAX_GRAY_SPREAD)) >= MIN_GRAY_SHARE


def to_grayscale(picture: np.ndarray) -> np.ndarray:
    """The luminance of a picture, (h, w, 3) float32, BGR, in all three channels."""
    return np.repeat((picture @ LUMINANCE[::-1])[..., None], 3, axis=2)


def tonal_range(picture: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Percentiles 15, 50 and 85 of L, a and b in a part of a picture, (3, 3) float.

    Args:
        picture: (h, w, 3) float32, BGR, 0 to 1.
        where: (h, w) bool.
    """
    return np.asarray(np.percentile(cv2.cvtColor(picture, cv2.COLOR_BGR2LAB)[where], (15, 50, 85), axis=0))


def match_tone(
    face: np.ndarray, original: np.ndarray, skin: np.ndarray, wanted: np.ndarray | None = None
) -> np.ndarray:
    """Give a face the median color and the tonal spread of the original's skin, in CIE Lab.

    Args:
        face: (h, w, 3) float32, BGR, 0 to 1.
        original: (h, w, 3) float32, BGR, 0 to 1.
        skin: (h, w) bool: pixels where both show skin.
        wanted: (3, 3) float: the `tonal_range` of the original's skin if it is known; None measures it.

    Returns:
        (h, w, 3) float32, BGR, 0 to 1.
    """
    where = skin if skin.sum() >= MIN_SKIN_PIXELS else np.ones_like(skin)
    lab = cv2.cvtColor(face, cv2.COLOR_BGR2LAB)
    low, middle, high = tonal_range(face, where)
    wanted_low, aim, wanted_high = tonal_range(original, where) if wanted is None else wanted
    stretch = np.clip((wanted_high - wanted_low) / np.maximum(high - low, 1e-3), MIN_STRETCH, MAX_STRETCH)
    matched = ((lab - middle) * stretch + aim).astype(np.float32)
    # Pixels less saturated than skin, such as teeth and the white of the eye, are shifted less, or they would turn
    # blue.
    chroma = np.hypot(lab[..., 1], lab[..., 2]) / max(float(np.hypot(middle[1], middle[2])), 1.0)
    shift = np.clip(chroma, 0, 1)[..., None]
    matched[..., 1:] = shift * matched[..., 1:] + (1 - shift) * lab[..., 1:] * np.minimum(stretch[1:], 1).astype(
        np.float32
    )
    matched[..., 0] = np.clip(matched[..., 0], 0, 100)
    return np.clip(cv2.cvtColor(matched, cv2.COLOR_LAB2BGR), 0, 1)


def detail(picture: np.ndarray, where: np.ndarray) -> float:
    """Mean absolute Laplacian of a part of a picture: how sharp it is.

    Args:
        picture: (h, w, 3) float32, BGR, 0 to 1.
        where: (h, w) bool, not empty.
    """
    gray = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    return float(np.abs(cv2.Laplacian(gray, cv2.CV_32F, ksize=3))[where].mean())


def match_sharpness(
    face: np.ndarray, original: np.ndarray, where: np.ndarray, target: float | None = None
) -> np.ndarray:
    """Blur a face until it has no more fine detail than the original, by the mean absolute Laplacian.

    Args:
        face: (h, w, 3) float32, BGR, 0 to 1.
        original: (h, w, 3) float32, BGR, 0 to 1.
        where: (h, w) bool: pixels where detail is compared.
        target: The `detail` of the original if it is known; None measures it.
    """
    if not where.any():
        return face
    target = detail(original, where) if target is None else target
    softer = face
    for sigma in BLUR_SIGMAS:
        softer = cv2.GaussianBlur(face, (0, 0), sigma) if sigma else face
        if detail(softer, where) <= target:
            break
    return softer


def sample_sharpness(face: np.ndarray, height: float, random: np.random.Generator) -> np.ndarray:
    """Blur a face by a sampled amount, whatever the sharpness of its photograph.

    Args:
        face: (h, w, 3) float32, BGR, 0 to 1.
        height: Of the face, pixels.
        random: Samples the blur.
    """
    sigma = random.uniform(*SAMPLED_BLUR) / 100 * height
    return cv2.GaussianBlur(face, (0, 0), sigma) if sigma > 0.2 else face


def sample_noise(random: np.random.Generator) -> float:
    """A sampled standard deviation of grain, for colors from 0 to 1."""
    return float(np.exp(random.uniform(*np.log(SAMPLED_NOISE))))


def estimate_noise(picture: np.ndarray) -> float:
    """Standard deviation of the noise in a picture (Immerkær, 1996, with a median, which is robust to edges).

    Args:
        picture: (h, w, 3) float32, BGR, 0 to 1.
    """
    gray = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    return float(1.4826 * np.median(np.abs(cv2.filter2D(gray, cv2.CV_32F, kernel))) / 6)


def match_noise(face: np.ndarray, noise: float, random: np.random.Generator) -> np.ndarray:
    """Add grain to a face to reach a noise level.

    Args:
        face: (h, w, 3) float32, BGR, 0 to 1.
        noise: Standard deviation of the photograph's noise.
        random: Draws the grain.
    """
    missing = np.sqrt(max(0.0, noise**2 - estimate_noise(face) ** 2))
    if missing < 1e-4:
        return face
    height, width = face.shape[:2]
    grain = GRAY_FRACTION * random.standard_normal((height, width, 1), np.float32)
    grain = grain + (1 - GRAY_FRACTION) * 2 * random.standard_normal((height, width, 3), np.float32)
    grain = cv2.GaussianBlur(grain, (0, 0), GRAIN_SIGMA)
    return np.clip(face + grain * (missing / max(float(grain.std()), 1e-6)), 0, 1).astype(np.float32)
