"""Making a synthetic face look as if the same camera had taken it: tone, sharpness, noise."""

import cv2
import numpy as np

# How far the spread of light and dark may be narrowed or stretched to that of the photograph; colours may vanish
# altogether, as in a grey photograph. Skin in WIDER FACE's photographs differs more within a face than drawn skin, half
# of the time by 1.2 times and more in light, and 2 times and more in colour, where beards and shadows count, too.
LEAST_SPREAD, MOST_SPREAD = (0.7, 0.0, 0.0), (1.5, 1.6, 1.6)
# With fewer pixels of skin to compare than this, all pixels are compared.
FEWEST = 9
# Blurs tried to make a face as soft as the photograph, standard deviations in pixels.
SOFTNESS = (0.0, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.4, 1.7, 2.0, 2.5, 3.2)
# Grain of a camera after its own smoothing, and how much of it is alike in all three channels.
GRAIN, GREY_SHARE = 0.6, 0.8


def same_tone(face: np.ndarray, original: np.ndarray, skin: np.ndarray) -> np.ndarray:
    """Give a face the median colour and the spread of tones of the original's skin, in CIE Lab.

    Args:
        face: (h, w, 3) float32, BGR, 0 to 1.
        original: (h, w, 3) float32, BGR, 0 to 1.
        skin: (h, w) bool: where both show skin.

    Returns:
        (h, w, 3) float32, BGR, 0 to 1.
    """
    where = skin if skin.sum() >= FEWEST else np.ones_like(skin)
    lab, wanted = cv2.cvtColor(face, cv2.COLOR_BGR2LAB), cv2.cvtColor(original, cv2.COLOR_BGR2LAB)
    low, middle, high = np.percentile(lab[where], (15, 50, 85), axis=0)
    wanted_low, aim, wanted_high = np.percentile(wanted[where], (15, 50, 85), axis=0)
    stretch = np.clip((wanted_high - wanted_low) / np.maximum(high - low, 1e-3), LEAST_SPREAD, MOST_SPREAD)
    matched = ((lab - middle) * stretch + aim).astype(np.float32)
    # What is less colourful than the skin, as teeth and the white of the eye, is moved less, or it would turn blue.
    chroma = np.hypot(lab[..., 1], lab[..., 2]) / max(float(np.hypot(middle[1], middle[2])), 1.0)
    moved = np.clip(chroma, 0, 1)[..., None]
    matched[..., 1:] = moved * matched[..., 1:] + (1 - moved) * lab[..., 1:] * np.minimum(stretch[1:], 1).astype(
        np.float32
    )
    matched[..., 0] = np.clip(matched[..., 0], 0, 100)
    return np.clip(cv2.cvtColor(matched, cv2.COLOR_LAB2BGR), 0, 1)


def same_softness(face: np.ndarray, original: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Blur a face until it holds no more fine detail than the original, by the energy of the Laplacian.

    Args:
        face: (h, w, 3) float32, BGR, 0 to 1.
        original: (h, w, 3) float32, BGR, 0 to 1.
        where: (h, w) bool: where detail is compared.
    """
    if not where.any():
        return face

    def detail(picture: np.ndarray) -> float:
        grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
        return float(np.abs(cv2.Laplacian(grey, cv2.CV_32F, ksize=3))[where].mean())

    aim = detail(original)
    softer = face
    for sigma in SOFTNESS:
        softer = cv2.GaussianBlur(face, (0, 0), sigma) if sigma else face
        if detail(softer) <= aim:
            break
    return softer


def noise_of(picture: np.ndarray) -> float:
    """Standard deviation of the noise in a picture (Immerkær, 1996, with a median, which edges do not disturb).

    Args:
        picture: (h, w, 3) float32, BGR, 0 to 1.
    """
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    return float(1.4826 * np.median(np.abs(cv2.filter2D(grey, cv2.CV_32F, kernel))) / 6)


def same_noise(face: np.ndarray, noise: float, random: np.random.Generator) -> np.ndarray:
    """Add grain to a face until it is as noisy as asked for.

    Args:
        face: (h, w, 3) float32, BGR, 0 to 1.
        noise: Standard deviation that the photograph has.
        random: Where the grain comes from.
    """
    missing = np.sqrt(max(0.0, noise**2 - noise_of(face) ** 2))
    if missing < 1e-4:
        return face
    height, width = face.shape[:2]
    grain = GREY_SHARE * random.standard_normal((height, width, 1), np.float32)
    grain = grain + (1 - GREY_SHARE) * 2 * random.standard_normal((height, width, 3), np.float32)
    grain = cv2.GaussianBlur(grain, (0, 0), GRAIN)
    return np.clip(face + grain * (missing / max(float(grain.std()), 1e-6)), 0, 1).astype(np.float32)
