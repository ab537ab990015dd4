"""How like photographs procedural heads are.   python benchmarks/realism.py   (needs scikit-image)

By how well a simple classifier (HOG and logistic regression) that has seen synthetic faces alone knows real ones, by
how well it tells the two apart, and by the mean face. Real faces: the 100 of LFW that come with scikit-image, 25x25
pixels; what is no face: its pictures of things and textures, and the 100 pieces of background of the same set. Heads
are drawn over pieces of the same pictures, so that what surrounds them tells nothing.

With --photographs, faces of photographs and their pseudonyms: told from each other, and each from LFW's. How well real
faces of one data set are told from those of another is what a figure against LFW's is to be read beside.
"""

import argparse
from collections.abc import Callable
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from drawing import Renderer, facade_tile
from other import Other
from printing import print_header, print_table
from replacing import replacing
from scipy.optimize import minimize

from facade.anonymize.align import pose_of
from facade.dataset import Photographs
from facade.seeds import generator

try:
    import skimage.data
    from skimage.feature import hog
except ImportError:
    raise SystemExit("realism.py needs `pip install -r requirements-dev.txt`.") from None

SIZE = 25  # of LFW's faces, pixels
REAL = 100  # the first 100 of the set are faces, the others are not
# Tile on which a head is drawn, pixels; one ray a pixel is enough for a quarter of that.
TILE = 72
# LFW's people look at the camera: the yaw drawn is scaled, then limited, in degrees.
YAW_SCALE, MOST_YAW = 0.4, 25.0
# How LFW's faces are cut, in distances from the line of the eyes to that of the mouth: half the side of the crop, how
# far its centre lies above the middle of the two lines, and the spread of both. Found by search on the mean face.
HALF_CROP, ABOVE, HALF_CROP_SPREAD, CENTRE_SPREAD = 1.4, 0.15, 0.06, 0.05
SHORTEST = 12.0  # pixels, for that distance: foreshortened faces are not enlarged beyond
# Blur before the crop is shrunk, standard deviation in pixels of the crop.
SOFTNESS = 0.22
LUMINANCE = np.array([0.0722, 0.7152, 0.2126])  # of B, G, R (Rec. 709)
NEGATIVES = 4000
DRAWS = 4  # classifiers that learn from faces of their own: how far the luck of the draw goes
TEXTURES = ("coffee.png", "chelsea.png", "rocket.jpg", "camera.png", "brick.png", "grass.png", "coins.png", "page.png",
            "gravel.png", "retina.jpg", "hubble_deep_field.jpg", "moon.png", "text.png", "motorcycle_left.png",
            "astronaut.png")  # fmt: skip
FACELESS_FROM = 230  # row of the astronaut's picture below which there is no face
# L2 penalty, half its square norm times this, of the classifier of faces and of the one that tells synthetic from real.
KNOWS_FACES, TELLS_APART = 1.73e-4, 8.67e-4
# Faces in photographs: lowest, pixels, and of how many photographs.
MIN_HEIGHT, MOST_PHOTOGRAPHS = 32, 400
FOLDS = ((slice(0, 50), slice(50, 100)), (slice(50, 100), slice(0, 50)))
Score = Callable[[np.ndarray], np.ndarray]


def synthetic_faces(renderer: Renderer, count: int) -> np.ndarray:
    """Heads drawn, cropped and shrunk as LFW's are: (count, 25, 25) float32, grey, 0 to 1."""
    return np.stack([_synthetic_face(renderer, number) for number in range(count)])


def _synthetic_face(renderer: Renderer, number: int) -> np.ndarray:
    tile = renderer(generator("realism", number), _surroundings(number), _turn, 1)
    random = generator("realism crop", number)
    eyes, mouth = tile.keypoints[:2].mean(0), tile.keypoints[3:].mean(0)
    unit = max(float(np.linalg.norm(mouth - eyes)), SHORTEST)
    half = unit * HALF_CROP * np.exp(HALF_CROP_SPREAD * random.standard_normal())
    x, y = (eyes + mouth) / 2 - (0, ABOVE * unit) + CENTRE_SPREAD * unit * random.standard_normal(2)
    scale = (SIZE - 1) / (2 * half)
    to_crop = np.array([[scale, 0, SIZE // 2 - x * scale], [0, scale, SIZE // 2 - y * scale]])
    soft = cv2.GaussianBlur(tile.pixels, (0, 0), max(0.01, SOFTNESS / scale))
    return (cv2.warpAffine(soft, to_crop, (SIZE, SIZE)) @ LUMINANCE).astype(np.float32)


def _turn(yaw: float) -> float:
    return float(np.clip(YAW_SCALE * yaw, -MOST_YAW, MOST_YAW))


def _surroundings(number: int) -> np.ndarray:
    """What lies behind a head: a piece of a picture without a face, (TILE, TILE, 3) float32, BGR, 0 to 1."""
    pictures = _pictures(cv2.IMREAD_COLOR)
    random = generator("realism surroundings", number)
    return _piece(pictures[int(random.integers(len(pictures)))], random, TILE)


def textures(count: int) -> np.ndarray:
    """Pieces of pictures without a face, of all sizes: (count, 25, 25) float32, grey, 0 to 1."""
    pictures, random = _pictures(cv2.IMREAD_GRAYSCALE), generator("textures")
    return np.stack([_piece(pictures[number % len(pictures)], random, SIZE) for number in range(count)])


def _piece(picture: np.ndarray, random: np.random.Generator, size: int) -> np.ndarray:
    side = int(np.exp(random.uniform(np.log(size), np.log(0.7 * min(picture.shape[:2])))))
    top, left = random.integers(0, picture.shape[0] - side + 1), random.integers(0, picture.shape[1] - side + 1)
    piece = picture[top : top + side, left : left + side].astype(np.float32) / 255
    return cv2.resize(piece, (size, size), interpolation=cv2.INTER_AREA)


@cache
def _pictures(channels: int) -> list[np.ndarray]:
    folder = Path(skimage.data.__file__).parent
    pictures = []
    for name in TEXTURES:
        picture = cv2.imread(str(folder / name), channels)
        if picture is None:
            raise SystemExit(f"{name} is missing: this release of scikit-image brings other pictures. 0.26 has all.")
        pictures.append(picture)
    pictures[-1] = pictures[-1][FACELESS_FROM:]
    return pictures


def features(pictures: np.ndarray) -> np.ndarray:
    """Histograms of oriented gradients (Dalal and Triggs, 2005) of (N, 25, 25) pictures, (N, 576)."""
    cells = {"orientations": 9, "pixels_per_cell": (5, 5), "cells_per_block": (2, 2)}
    return np.stack([hog(picture, **cells) for picture in pictures])


def learned(positives: np.ndarray, negatives: np.ndarray, penalty: float) -> Score:
    """Logistic regression with an L2 penalty, both classes weighing the same; gives the logit of (N, D) features."""
    samples = np.concatenate([positives, negatives])
    mean, spread = samples.mean(0), samples.std(0) + 1e-3
    sign = np.repeat([1.0, -1.0], [len(positives), len(negatives)])
    weight = np.repeat([0.5 / len(positives), 0.5 / len(negatives)], [len(positives), len(negatives)])

    def widened(values: np.ndarray) -> np.ndarray:
        return np.column_stack([(values - mean) / spread, np.ones(len(values))])

    inputs = widened(samples)

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        margin = sign * (inputs @ parameters)
        penalised = np.append(parameters[:-1], 0)  # the intercept is free
        slope = -(sign * weight * np.exp(-np.logaddexp(0, margin))) @ inputs
        value = weight @ np.logaddexp(0, -margin) + 0.5 * penalty * penalised @ penalised
        return float(value), slope + penalty * penalised

    start = np.zeros(inputs.shape[1])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 300}).x
    return lambda values: widened(values) @ found


def auc(positives: np.ndarray, negatives: np.ndarray) -> float:
    """The chance that a positive scores above a negative: area under the ROC curve."""
    above = positives[:, None] - negatives[None]
    return float(np.mean(above > 0) + 0.5 * np.mean(above == 0))


def inner(pictures: np.ndarray) -> np.ndarray:
    """The middle of (N, 25, 25) pictures: brows to mouth, without hair and background, (N, 15, 15)."""
    return pictures[:, 5:20, 5:20]


def with_mirrored(pictures: np.ndarray) -> np.ndarray:
    """The pictures, then their mirror images."""
    return np.concatenate([pictures, pictures[:, :, ::-1]])


def transfer(pictures: np.ndarray, real: np.ndarray, background: np.ndarray, negatives: np.ndarray) -> float:
    """AUC on real faces of a classifier that has seen synthetic ones alone."""
    score = learned(features(with_mirrored(pictures)), negatives, KNOWS_FACES)
    return auc(score(real), score(background))


def real_to_real(pictures: np.ndarray, real: np.ndarray, background: np.ndarray, negatives: np.ndarray) -> float:
    """AUC on real faces of a classifier that has seen the other half of them, mean of two folds."""
    areas = []
    for seen, unseen in FOLDS:
        score = learned(features(with_mirrored(pictures[seen])), negatives, KNOWS_FACES)
        areas.append(auc(score(real[unseen]), score(background)))
    return float(np.mean(areas))


def separability(synthetic: np.ndarray, real: np.ndarray) -> float:
    """AUC of telling real from synthetic, .5 if that cannot be done, mean of two folds."""
    half = len(synthetic) // 2
    halves = (synthetic[:half], synthetic[half:])
    areas = []
    for (seen, unseen), (known, unknown) in zip(FOLDS, (halves, halves[::-1]), strict=True):
        score = learned(real[seen], known, TELLS_APART)
        areas.append(auc(score(real[unseen]), score(unknown)))
    return float(np.mean(areas))


def told(areas: list[float]) -> str:
    """Mean and range over the draws."""
    return f"{np.mean(areas):.3f} ({min(areas):.3f} to {max(areas):.3f})"


def save(folder: Path, name: str, faces: np.ndarray, real: np.ndarray) -> None:
    """Write the mean faces (real left), and a sheet of real faces beside one of synthetic ones."""
    folder.mkdir(parents=True, exist_ok=True)

    def sheet(pictures: np.ndarray) -> np.ndarray:
        return np.vstack([np.hstack(list(pictures[row * 12 : row * 12 + 12])) for row in range(4)])

    def write(file: Path, picture: np.ndarray, factor: int) -> None:
        large = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(file), np.clip(large * 255, 0, 255).astype(np.uint8))

    gap = np.ones((4 * SIZE, SIZE // 2), np.float32)
    write(folder / f"mean-{name}.png", np.hstack([real.mean(0), faces.mean(0)]), 10)
    write(folder / f"faces-{name}.png", np.hstack([sheet(real), gap, sheet(faces)]), 3)


def replaced_faces(data: Photographs, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Faces of photographs cut as LFW's are, and the pseudonyms in their places: (N, 25, 25) float32 each.

    Only nearly frontal ones, as high as a crop at least; a face of a photograph each, so that halves share no scene.
    """
    replace = replacing()
    originals, pseudonyms = [], []
    for photograph in data:
        for face in photograph.faces:
            if face.keypoints is None or face.ignore or face.bbox[3] < MIN_HEIGHT:
                continue
            points = np.array(face.keypoints, float)
            if abs(pose_of(points).yaw) > MOST_YAW:
                continue
            image = data.pixels(photograph)
            treated = replace(image, photograph)
            originals.append(_cut(image, points))
            pseudonyms.append(_cut(treated, points))
            break
        if len(originals) == most:
            break
    return np.stack(originals), np.stack(pseudonyms)


def _cut(image: np.ndarray, points: np.ndarray) -> np.ndarray:
    eyes, mouth = points[:2].mean(0), points[3:].mean(0)
    half = max(float(np.linalg.norm(mouth - eyes)), 1.0) * HALF_CROP
    x, y = (eyes + mouth) / 2 - (0, ABOVE * half / HALF_CROP)
    scale = (SIZE - 1) / (2 * half)
    to_crop = np.array([[scale, 0, SIZE // 2 - x * scale], [0, scale, SIZE // 2 - y * scale]])
    soft = cv2.GaussianBlur(image, (0, 0), max(0.01, SOFTNESS / scale)).astype(np.float32) / 255
    return (cv2.warpAffine(soft, to_crop, (SIZE, SIZE), borderMode=cv2.BORDER_REPLICATE) @ LUMINANCE).astype(np.float32)


def told_in_photographs(originals: np.ndarray, pseudonyms: np.ndarray) -> float:
    """AUC of telling pseudonyms from originals in photographs that the classifier has not seen, mean of two folds."""
    half = len(originals) // 2
    halves = (slice(0, half), slice(half, 2 * half))
    real, drawn = features(originals), features(pseudonyms)
    areas = []
    for seen, unseen in (halves, halves[::-1]):
        score = learned(real[seen], drawn[seen], TELLS_APART)
        areas.append(auc(score(real[unseen]), score(drawn[unseen])))
    return float(np.mean(areas))


def _lfw() -> np.ndarray:
    """(200, 25, 25) float32, 0 to 1: faces, then what is none."""
    return np.load(Path(skimage.data.__file__).parent / "lfw_subset.npy").astype(np.float32)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=int, default=400, help=f"synthetic faces in each of {DRAWS} draws, at least 48")
    parser.add_argument("--save", type=Path, metavar="FOLDER", help="write mean faces and sheets there")
    parser.add_argument("--other", type=Path, metavar="FOLDER", help="measure the heads of this renderer, too")
    parser.add_argument(
        "--photographs", type=Path, metavar="DATA", help="a data set with landmarks: tell its faces from pseudonyms"
    )
    wanted = parser.parse_args()
    if wanted.photographs:
        print_header("Realism in photographs", data=wanted.photographs.name)
        originals, pseudonyms = replaced_faces(Photographs(wanted.photographs), MOST_PHOTOGRAPHS)
        lfw = _lfw()[:REAL]
        rows = [["a pseudonym from its original", f"{told_in_photographs(originals, pseudonyms):.3f}", "-"]]
        for name, faces in (
            ("an original from a face of LFW", originals),
            ("a pseudonym from a face of LFW", pseudonyms),
        ):
            whole = separability(features(faces), features(lfw))
            inside = separability(features(inner(faces)), features(inner(lfw)))
            rows.append([name, f"{whole:.3f}", f"{inside:.3f}"])
        print_table([f"told apart, {len(originals)} faces", "AUC", "by the face alone"], rows)
        contrast = np.median(inner(pseudonyms).std((1, 2)) / np.maximum(inner(originals).std((1, 2)), 1e-6))
        print(f"Contrast by the face alone: {contrast:.2f} of the original's (median).")
        return
    if wanted.faces < 48:
        parser.error("--faces must be at least 48.")
    renderers: dict[str, Renderer] = {"facade": facade_tile}
    if wanted.other:
        renderers["other"] = Other(wanted.other).tile
    lfw = _lfw()
    print_header(
        "Realism",
        synthetic_faces=f"{DRAWS} x {wanted.faces}",
        real_faces=REAL,
        other_pieces=len(lfw) - REAL,
        textures=NEGATIVES,
    )
    real, background, negatives = features(lfw[:REAL]), features(lfw[REAL:]), features(textures(NEGATIVES))
    control = real_to_real(lfw[:REAL], real, background, negatives)
    rows = []
    for name, renderer in renderers.items():
        faces = synthetic_faces(renderer, DRAWS * wanted.faces)
        draws = np.split(faces, DRAWS)
        knows = [transfer(draw, real, background, negatives) for draw in draws]
        apart = [separability(features(draw), real) for draw in draws]
        inside = [separability(features(inner(draw)), features(inner(lfw[:REAL]))) for draw in draws]
        alike = np.corrcoef(lfw[:REAL].mean(0).ravel(), faces.mean(0).ravel())[0, 1]
        mean_contrast = faces.mean(0).std() / lfw[:REAL].mean(0).std()
        contrast = faces.std((1, 2)).mean() / lfw[:REAL].std((1, 2)).mean()
        brightness = faces.mean() / lfw[:REAL].mean()
        numbers = [f"{number:.3f}" for number in (alike, mean_contrast, contrast, brightness)]
        rows.append([name, told(knows), f"{control:.3f}", told(apart), told(inside), *numbers])
        if wanted.save:
            save(wanted.save, name, faces, lfw[:REAL])
    columns = ["heads", "knows real faces: AUC", "50 real faces: AUC", "told apart: AUC", "by the face alone"]
    print_table([*columns, "mean face: correlation", "mean face: contrast", "contrast", "brightness"], rows)
    print(f"AUC: mean and range of {DRAWS} draws; told apart: .5 would be indistinguishable.")
    print("Contrast and brightness are shares of the real faces'.")


if __name__ == "__main__":
    main()
