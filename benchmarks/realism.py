"""Realism of procedural heads.   python benchmarks/realism.py   (needs scikit-image)

Measured with a simple classifier (HOG features and logistic regression): how well it detects real faces when trained on
synthetic faces only, and how well it separates real from synthetic faces; and with the mean face. Real faces: the 100
of LFW that come with scikit-image, 25x25 pixels. Negatives: its pictures of objects and textures, and the 100
background crops of the same set. Heads are rendered over crops of the same pictures, so that the background carries no
information.

With --photographs, faces of photographs and their pseudonyms are separated from each other, and both from LFW. The
separability of real faces of two data sets is the baseline for values against LFW.
"""

import argparse
from collections.abc import Callable
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from drawing import Renderer, facade_tile
from other import OtherRenderer
from printing import print_header, print_table
from replacing import replacing
from scipy.optimize import minimize

from facade.anonymize.head_pose import estimate_pose
from facade.dataset import Photographs
from facade.seeds import generator

try:
    import skimage.data
    from skimage.feature import hog
except ImportError:
    raise SystemExit("realism.py needs `pip install -r requirements-dev.txt`.") from None

SIZE = 25  # side of LFW's faces, pixels
REAL = 100  # the first 100 of the set are faces, the others are not
# Side of the tile on which a head is rendered, pixels; it is downscaled, so one ray per pixel is enough.
TILE = 72
# LFW's people face the camera: the random yaw is scaled, then clipped, degrees.
YAW_SCALE, MAX_YAW = 0.4, 25.0
# Crop of LFW's faces, in distances between the eye line and the mouth line: half its side, the offset of its center
# above the midpoint of the two lines, and the standard deviations of both. Fitted to the mean face.
HALF_CROP, ABOVE, HALF_CROP_SPREAD, CENTER_SPREAD = 1.4, 0.15, 0.06, 0.05
MIN_DISTANCE = 12.0  # minimum of that distance, pixels, so that foreshortened faces are not overly enlarged
# Standard deviation of the blur before downscaling, pixels of the crop.
SOFTNESS = 0.22
LUMINANCE = np.array([0.0722, 0.7152, 0.2126])  # of B, G, R (Rec. 709)
NEGATIVES = 4000
REPEATS = 4  # classifiers, each trained on different synthetic faces, to show the random variation
TEXTURES = ("coffee.png", "chelsea.png", "rocket.jpg", "camera.png", "brick.png", "grass.png", "coins.png", "page.png",
            "gravel.png", "retina.jpg", "hubble_deep_field.jpg", "moon.png", "text.png", "motorcycle_left.png",
            "astronaut.png")  # fmt: skip
FACELESS_FROM = 230  # first row of the astronaut picture without a face
# Coefficient of the L2 penalty, half the squared norm, of the face classifier and of the real-or-synthetic classifier.
FACE_PENALTY, REAL_PENALTY = 1.73e-4, 8.67e-4
# Faces in photographs: minimum height, pixels, and maximum number of photographs.
MIN_HEIGHT, MAX_PHOTOGRAPHS = 32, 400
FOLDS = ((slice(0, 50), slice(50, 100)), (slice(50, 100), slice(0, 50)))
Score = Callable[[np.ndarray], np.ndarray]


def synthetic_faces(renderer: Renderer, count: int) -> np.ndarray:
    """Rendered heads, cropped and downscaled like LFW: (count, 25, 25) float32, gray, 0 to 1."""
    return np.stack([_synthetic_face(renderer, number) for number in range(count)])


def _synthetic_face(renderer: Renderer, number: int) -> np.ndarray:
    tile = renderer(generator("realism", number), _background(number), _limit_yaw, 1)
    random = generator("realism crop", number)
    eyes, mouth = tile.keypoints[:2].mean(0), tile.keypoints[3:].mean(0)
    unit = max(float(np.linalg.norm(mouth - eyes)), MIN_DISTANCE)
    half = unit * HALF_CROP * np.exp(HALF_CROP_SPREAD * random.standard_normal())
    x, y = (eyes + mouth) / 2 - (0, ABOVE * unit) + CENTER_SPREAD * unit * random.standard_normal(2)
    scale = (SIZE - 1) / (2 * half)
    to_crop = np.array([[scale, 0, SIZE // 2 - x * scale], [0, scale, SIZE // 2 - y * scale]])
    soft = cv2.GaussianBlur(tile.pixels, (0, 0), max(0.01, SOFTNESS / scale))
    return (cv2.warpAffine(soft, to_crop, (SIZE, SIZE)) @ LUMINANCE).astype(np.float32)


def _limit_yaw(yaw: float) -> float:
    return float(np.clip(YAW_SCALE * yaw, -MAX_YAW, MAX_YAW))


def _background(number: int) -> np.ndarray:
    """The background of a head: a crop of a picture without a face, (TILE, TILE, 3) float32, BGR, 0 to 1."""
    pictures = _pictures(cv2.IMREAD_COLOR)
    random = generator("realism surroundings", number)
    return _random_crop(pictures[int(random.integers(len(pictures)))], random, TILE)


def textures(count: int) -> np.ndarray:
    """Crops of all sizes of pictures without a face: (count, 25, 25) float32, gray, 0 to 1."""
    pictures, random = _pictures(cv2.IMREAD_GRAYSCALE), generator("textures")
    return np.stack([_random_crop(pictures[number % len(pictures)], random, SIZE) for number in range(count)])


def _random_crop(picture: np.ndarray, random: np.random.Generator, size: int) -> np.ndarray:
    side = int(np.exp(random.uniform(np.log(size), np.log(0.7 * min(picture.shape[:2])))))
    top, left = random.integers(0, picture.shape[0] - side + 1), random.integers(0, picture.shape[1] - side + 1)
    part = picture[top : top + side, left : left + side].astype(np.float32) / 255
    return cv2.resize(part, (size, size), interpolation=cv2.INTER_AREA)


@cache
def _pictures(channels: int) -> list[np.ndarray]:
    folder = Path(skimage.data.__file__).parent
    pictures = []
    for name in TEXTURES:
        picture = cv2.imread(str(folder / name), channels)
        if picture is None:
            raise SystemExit(f"{name} is missing: this release of scikit-image lacks it. Install 0.26.")
        pictures.append(picture)
    pictures[-1] = pictures[-1][FACELESS_FROM:]
    return pictures


def features(pictures: np.ndarray) -> np.ndarray:
    """Histograms of oriented gradients (Dalal and Triggs, 2005) of (N, 25, 25) pictures, (N, 576)."""
    cells = {"orientations": 9, "pixels_per_cell": (5, 5), "cells_per_block": (2, 2)}
    return np.stack([hog(picture, **cells) for picture in pictures])


def fit_classifier(positives: np.ndarray, negatives: np.ndarray, penalty: float) -> Score:
    """Fit a logistic regression with an L2 penalty and balanced classes; returns the logit of (N, D) features."""
    samples = np.concatenate([positives, negatives])
    mean, spread = samples.mean(0), samples.std(0) + 1e-3
    sign = np.repeat([1.0, -1.0], [len(positives), len(negatives)])
    weight = np.repeat([0.5 / len(positives), 0.5 / len(negatives)], [len(positives), len(negatives)])

    def with_intercept(values: np.ndarray) -> np.ndarray:
        return np.column_stack([(values - mean) / spread, np.ones(len(values))])

    inputs = with_intercept(samples)

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        margin = sign * (inputs @ parameters)
        penalized = np.append(parameters[:-1], 0)  # the intercept is not penalized
        slope = -(sign * weight * np.exp(-np.logaddexp(0, margin))) @ inputs
        value = weight @ np.logaddexp(0, -margin) + 0.5 * penalty * penalized @ penalized
        return float(value), slope + penalty * penalized

    start = np.zeros(inputs.shape[1])
    solution = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 300}).x
    return lambda values: with_intercept(values) @ solution


def auc(positives: np.ndarray, negatives: np.ndarray) -> float:
    """Area under the ROC curve: the probability that a positive scores above a negative."""
    above = positives[:, None] - negatives[None]
    return float(np.mean(above > 0) + 0.5 * np.mean(above == 0))


def inner(pictures: np.ndarray) -> np.ndarray:
    """The center of (N, 25, 25) pictures: brows to mouth, without hair and background, (N, 15, 15)."""
    return pictures[:, 5:20, 5:20]


def with_mirrored(pictures: np.ndarray) -> np.ndarray:
    """The pictures, then their mirror images."""
    return np.concatenate([pictures, pictures[:, :, ::-1]])


def transfer(pictures: np.ndarray, real: np.ndarray, background: np.ndarray, negatives: np.ndarray) -> float:
    """AUC on real faces of a classifier trained on synthetic ones only."""
    score = fit_classifier(features(with_mirrored(pictures)), negatives, FACE_PENALTY)
    return auc(score(real), score(background))


def real_to_real(pictures: np.ndarray, real: np.ndarray, background: np.ndarray, negatives: np.ndarray) -> float:
    """AUC on real faces of a classifier trained on the other half of them, mean of two folds."""
    areas = []
    for training, test in FOLDS:
        score = fit_classifier(features(with_mirrored(pictures[training])), negatives, FACE_PENALTY)
        areas.append(auc(score(real[test]), score(background)))
    return float(np.mean(areas))


def separability(synthetic: np.ndarray, real: np.ndarray) -> float:
    """AUC of separating real from synthetic faces, .5 if they are indistinguishable, mean of two folds."""
    half = len(synthetic) // 2
    halves = (synthetic[:half], synthetic[half:])
    areas = []
    for (training, test), (synthetic_training, synthetic_test) in zip(FOLDS, (halves, halves[::-1]), strict=True):
        score = fit_classifier(real[training], synthetic_training, REAL_PENALTY)
        areas.append(auc(score(real[test]), score(synthetic_test)))
    return float(np.mean(areas))


def mean_and_range(areas: list[float]) -> str:
    """Mean and range over the repeats, as text."""
    return f"{np.mean(areas):.3f} ({min(areas):.3f} to {max(areas):.3f})"


def save(folder: Path, name: str, faces: np.ndarray, real: np.ndarray) -> None:
    """Write the mean faces (real on the left), and a contact sheet of real next to synthetic faces."""
    folder.mkdir(parents=True, exist_ok=True)

    def sheet(pictures: np.ndarray) -> np.ndarray:
        return np.vstack([np.hstack(list(pictures[row * 12 : row * 12 + 12])) for row in range(4)])

    def write(file: Path, picture: np.ndarray, factor: int) -> None:
        large = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(file), np.clip(large * 255, 0, 255).astype(np.uint8))

    gap = np.ones((4 * SIZE, SIZE // 2), np.float32)
    write(folder / f"mean-{name}.png", np.hstack([real.mean(0), faces.mean(0)]), 10)
    write(folder / f"faces-{name}.png", np.hstack([sheet(real), gap, sheet(faces)]), 3)


def replaced_faces(data: Photographs, max_faces: int) -> tuple[np.ndarray, np.ndarray]:
    """Faces of photographs cropped like LFW, and their pseudonyms: (N, 25, 25) float32 each.

    Nearly frontal faces of sufficient height; one face per photograph, so that the two halves share no scene.
    """
    replace = replacing()
    originals, pseudonyms = [], []
    for photograph in data:
        for face in photograph.faces:
            if face.keypoints is None or face.ignore or face.bbox[3] < MIN_HEIGHT:
                continue
            points = np.array(face.keypoints, float)
            if abs(estimate_pose(points).yaw) > MAX_YAW:
                continue
            image = data.pixels(photograph)
            treated = replace(image, photograph)
            originals.append(_crop(image, points))
            pseudonyms.append(_crop(treated, points))
            break
        if len(originals) == max_faces:
            break
    return np.stack(originals), np.stack(pseudonyms)


def _crop(image: np.ndarray, points: np.ndarray) -> np.ndarray:
    eyes, mouth = points[:2].mean(0), points[3:].mean(0)
    half = max(float(np.linalg.norm(mouth - eyes)), 1.0) * HALF_CROP
    x, y = (eyes + mouth) / 2 - (0, ABOVE * half / HALF_CROP)
    scale = (SIZE - 1) / (2 * half)
    to_crop = np.array([[scale, 0, SIZE // 2 - x * scale], [0, scale, SIZE // 2 - y * scale]])
    soft = cv2.GaussianBlur(image, (0, 0), max(0.01, SOFTNESS / scale)).astype(np.float32) / 255
    return (cv2.warpAffine(soft, to_crop, (SIZE, SIZE), borderMode=cv2.BORDER_REPLICATE) @ LUMINANCE).astype(np.float32)


def separability_in_photographs(originals: np.ndarray, pseudonyms: np.ndarray) -> float:
    """AUC of separating pseudonyms from originals in unseen photographs, mean of two folds."""
    half = len(originals) // 2
    halves = (slice(0, half), slice(half, 2 * half))
    real, pseudonymized = features(originals), features(pseudonyms)
    areas = []
    for training, test in (halves, halves[::-1]):
        score = fit_classifier(real[training], pseudonymized[training], REAL_PENALTY)
        areas.append(auc(score(real[test]), score(pseudonymized[test])))
    return float(np.mean(areas))


def _lfw() -> np.ndarray:
    """(200, 25, 25) float32, 0 to 1: faces, then background crops."""
    return np.load(Path(skimage.data.__file__).parent / "lfw_subset.npy").astype(np.float32)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--faces", type=int, default=400, help=f"synthetic faces in each of {REPEATS} repeats, at least 48"
    )
    parser.add_argument("--save", type=Path, metavar="FOLDER", help="write mean faces and contact sheets there")
    parser.add_argument("--other", type=Path, metavar="FOLDER", help="also measure this renderer")
    parser.add_argument(
        "--photographs", type=Path, metavar="DATA", help="a data set with landmarks: separate its faces from pseudonyms"
    )
    args = parser.parse_args()
    if args.photographs:
        print_header("Realism in photographs", data=args.photographs.name)
        originals, pseudonyms = replaced_faces(Photographs(args.photographs), MAX_PHOTOGRAPHS)
        lfw = _lfw()[:REAL]
        rows = [["pseudonyms from their originals", f"{separability_in_photographs(originals, pseudonyms):.3f}", "-"]]
        for name, faces in (
            ("originals from faces of LFW", originals),
            ("pseudonyms from faces of LFW", pseudonyms),
        ):
            whole = separability(features(faces), features(lfw))
            inside = separability(features(inner(faces)), features(inner(lfw)))
            rows.append([name, f"{whole:.3f}", f"{inside:.3f}"])
        print_table([f"separability, {len(originals)} faces", "AUC", "AUC, inner face only"], rows)
        contrast = np.median(inner(pseudonyms).std((1, 2)) / np.maximum(inner(originals).std((1, 2)), 1e-6))
        print(f"Contrast of the inner face: {contrast:.2f} of the original's (median).")
        return
    if args.faces < 48:
        parser.error("--faces must be at least 48.")
    renderers: dict[str, Renderer] = {"facade": facade_tile}
    if args.other:
        renderers["other"] = OtherRenderer(args.other).tile
    lfw = _lfw()
    print_header(
        "Realism",
        synthetic_faces=f"{REPEATS} x {args.faces}",
        real_faces=REAL,
        background_crops=len(lfw) - REAL,
        textures=NEGATIVES,
    )
    real, background, negatives = features(lfw[:REAL]), features(lfw[REAL:]), features(textures(NEGATIVES))
    control = real_to_real(lfw[:REAL], real, background, negatives)
    rows = []
    for name, renderer in renderers.items():
        faces = synthetic_faces(renderer, REPEATS * args.faces)
        repeats = np.split(faces, REPEATS)
        transferred = [transfer(one, real, background, negatives) for one in repeats]
        separated = [separability(features(one), real) for one in repeats]
        inside = [separability(features(inner(one)), features(inner(lfw[:REAL]))) for one in repeats]
        correlation = np.corrcoef(lfw[:REAL].mean(0).ravel(), faces.mean(0).ravel())[0, 1]
        mean_contrast = faces.mean(0).std() / lfw[:REAL].mean(0).std()
        contrast = faces.std((1, 2)).mean() / lfw[:REAL].std((1, 2)).mean()
        brightness = faces.mean() / lfw[:REAL].mean()
        numbers = [f"{number:.3f}" for number in (correlation, mean_contrast, contrast, brightness)]
        rows.append(
            [
                name,
                mean_and_range(transferred),
                f"{control:.3f}",
                mean_and_range(separated),
                mean_and_range(inside),
                *numbers,
            ]
        )
        if args.save:
            save(args.save, name, faces, lfw[:REAL])
    columns = ["heads", "synthetic to real: AUC", "real to real: AUC", "separability: AUC", "inner face only"]
    print_table([*columns, "mean face: correlation", "mean face: contrast", "contrast", "brightness"], rows)
    print(f"AUC: mean and range of {REPEATS} repeats; separability: .5 means indistinguishable.")
    print("Contrast and brightness are relative to real faces.")


if __name__ == "__main__":
    main()
