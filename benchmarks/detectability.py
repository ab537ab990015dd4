"""Detection of pseudonyms by an independent face detector.   python benchmarks/detectability.py --rendered

With --photographs DATA, of faces replaced in photographs, compared with the originals. DATA is a data set written by
`ingest` (images/ and annotations.json), of which faces with landmarks are used. With --rendered, of heads over smooth
backgrounds.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from drawing import FACE_FRACTION, Renderer, backdrop, facade_tile
from other import OtherRenderer
from printing import print_header, print_table
from rendered_faces import COLUMNS, Detector, FaceMeasurement, detector, measure_face, summary_cells
from replacing import Replace, replacing
from tqdm import tqdm

from facade.anonymize.head_pose import estimate_pose
from facade.dataset import Face, Photograph, Photographs
from facade.errors import FacadeError
from facade.seeds import generator

YAWS = ((0, 20), (20, 40), (40, 60), (60, 90))  # degrees to either side
HEIGHTS = (24, 40, 64, 122)  # face heights in photographs, pixels; photographs are downscaled to them, never upscaled
CONTEXT = 3.0  # side of the crop, in longer sides of the face
RENDERED_HEIGHTS = (12, 16, 24, 32, 48, 64, 96)  # heights of rendered faces, pixels
RENDERED_TILES = (64, 128)  # range of tile sides for the measurement by yaw, pixels
MAX_FRONTAL_YAW = 20.0  # for the measurement by size, degrees
CANVAS = 256  # side of a background, pixels
SUPERSAMPLE_BELOW = 100  # tiles smaller than this are rendered with 4 rays per pixel, pixels
BOOTSTRAP_SAMPLES = 2000


@dataclass(frozen=True)
class FaceCase:
    """One labelled face at one size.

    Attributes:
        image: Index of the photograph.
        face: Index of the face in it.
        height: Height to which the face is downscaled, pixels.
        yaw: Degrees to either side.
    """

    image: int
    face: int
    height: int
    yaw: float


def cases_of(data: Photographs) -> list[FaceCase]:
    """Every face with landmarks, at every height up to its own."""
    cases = []
    for image, photograph in data.items():
        for number, face in enumerate(photograph.faces):
            if face.keypoints is None or face.ignore:
                continue
            yaw = abs(estimate_pose(np.array(face.keypoints, float)).yaw)
            cases += [FaceCase(image, number, height, yaw) for height in HEIGHTS if height <= face.bbox[3]]
    return cases


def groups_of(cases: list[FaceCase], max_faces: int) -> dict[str, list[FaceCase]]:
    """A sample of at most `max_faces` cases for every height, and one for every range of yaw (over all heights)."""
    groups = {f"{height} px high": [case for case in cases if case.height == height] for height in HEIGHTS}
    groups |= {f"yaw {low}-{high}": [case for case in cases if low <= case.yaw < high] for low, high in YAWS}
    return {name: _sample(name, group, max_faces) for name, group in groups.items() if group}


def _sample(name: str, group: list[FaceCase], max_faces: int) -> list[FaceCase]:
    chosen = generator("detectability", name).permutation(len(group))[:max_faces]
    return [group[index] for index in sorted(chosen)]


def crop_face(image: np.ndarray, photograph: Photograph, case: FaceCase) -> tuple[np.ndarray, Photograph]:
    """A downscaled crop around a face, (h, w, 3) uint8, BGR, and the label of this face only."""
    face = photograph.faces[case.face]
    x, y, w, h = face.bbox
    half = CONTEXT * max(w, h) / 2
    left, top = max(0, round(x + w / 2 - half)), max(0, round(y + h / 2 - half))
    part = image[top : round(y + h / 2 + half), left : round(x + w / 2 + half)]
    factor = case.height / h
    size = (max(1, round(part.shape[1] * factor)), max(1, round(part.shape[0] * factor)))
    scale = np.array(size) / (part.shape[1], part.shape[0])
    corner, extent = (np.array([x, y]) - (left, top)) * scale, np.array([w, h]) * scale
    keypoints = (np.array(face.keypoints, float) - (left, top)) * scale
    small = Face(
        (*corner.tolist(), *extent.tolist()), tuple(map(tuple, keypoints.tolist())), attributes=face.attributes
    )
    pixels = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
    name = f"{photograph.file}/{case.face}/{case.height}"
    return pixels, Photograph(name, size[0], size[1], (small,))


def measure_case(
    detector: Detector, image: np.ndarray, photograph: Photograph, treatments: dict[str, Replace]
) -> dict[str, FaceMeasurement]:
    """Measure the original and each treated copy of a face."""
    face = photograph.faces[0]
    copies = {"original": image, **{name: treat(image, photograph) for name, treat in treatments.items()}}
    return {name: measure_face(detector, copy, face.bbox, np.array(face.keypoints)) for name, copy in copies.items()}


def share_of_original(treated: np.ndarray, original: np.ndarray, owners: list[int]) -> str:
    """Ratio of mean scores, with a 95 % bootstrap interval over photographs, whose faces are correlated."""
    _, owner = np.unique(owners, return_inverse=True)
    sums = np.stack([np.bincount(owner, scores) for scores in (treated, original)])
    random = generator("bootstrap")
    counts = random.multinomial(sums.shape[1], np.full(sums.shape[1], 1 / sums.shape[1]), BOOTSTRAP_SAMPLES)
    numerators, denominators = sums @ counts.T
    low, high = np.percentile(numerators / np.maximum(denominators, 1e-9), (2.5, 97.5))
    return f"{treated.sum() / max(original.sum(), 1e-9):.3f} ({low:.3f} to {high:.3f})"


def measure_photographs(
    detector: Detector, data: Photographs, treatments: dict[str, Replace], max_faces: int, threshold: float
) -> None:
    """Print the detection metrics of faces in photographs, original and replaced."""
    groups = groups_of(cases_of(data), max_faces)
    if not groups:
        raise SystemExit(
            f"{data.root}: no face with landmarks is at least {min(HEIGHTS)} pixels high. See ingest.landmarks."
        )
    by_image: dict[int, set[FaceCase]] = {}
    for case in (case for group in groups.values() for case in group):
        by_image.setdefault(case.image, set()).add(case)
    labels = dict(data.items())
    measurements: dict[FaceCase, dict[str, FaceMeasurement]] = {}
    for image, cases in tqdm(sorted(by_image.items()), "photographs", mininterval=2):
        pixels = data.pixels(labels[image])
        for case in cases:
            measurements[case] = measure_case(detector, *crop_face(pixels, labels[image], case), treatments)
    rows = []
    for name, group in groups.items():
        scores = {
            kind: np.array([measurements[case][kind].score for case in group]) for kind in ("original", *treatments)
        }
        for kind, values in scores.items():
            share = (
                "-" if kind == "original" else share_of_original(values, scores["original"], [c.image for c in group])
            )
            cells = summary_cells((measurements[case][kind] for case in group), threshold)
            rows.append([name, kind, str(len(group)), cells[0], share, *cells[1:]])
    print_table(["faces", "pixels", "n", COLUMNS[0], "share of the original (95 %)", *COLUMNS[1:]], rows)


def measure_rendered(detector: Detector, renderers: dict[str, Renderer], count: int, threshold: float) -> None:
    """Print the detection metrics of heads over smooth backgrounds, by yaw and by size."""
    rows = []
    for low, high in YAWS:
        for name, renderer in renderers.items():
            measurements = [
                _measure_head(detector, renderer, number, (low, min(high, 85)), None) for number in range(count)
            ]
            rows.append([f"yaw {low}-{high}", name, str(count), *summary_cells(measurements, threshold)])
    for height in RENDERED_HEIGHTS:
        for name, renderer in renderers.items():
            measurements = [
                _measure_head(detector, renderer, number, (0, MAX_FRONTAL_YAW), height) for number in range(count)
            ]
            rows.append([f"{height} px high", name, str(count), *summary_cells(measurements, threshold)])
    print_table(["faces", "heads", "n", *COLUMNS], rows)
    low, high = (round(FACE_FRACTION * side) for side in RENDERED_TILES)
    print(
        f"By yaw: faces {low} to {high} px high. By size: yaw up to {MAX_FRONTAL_YAW:.0f} degrees. Landmarks: only "
        "visible ones."
    )


def _measure_head(
    detector: Detector, renderer: Renderer, number: int, yaws: tuple[float, float], height: int | None
) -> FaceMeasurement:
    random = generator("rendered", number, *map(str, yaws), str(height))
    yaw = random.uniform(*yaws) * random.choice([-1, 1])
    side = round(height / FACE_FRACTION) if height else int(random.integers(RENDERED_TILES[0], RENDERED_TILES[1] + 1))
    picture = backdrop(random, CANVAS, CANVAS)
    left, top = random.integers(0, CANVAS - side + 1, 2).tolist()
    region = picture[top : top + side, left : left + side]
    tile = renderer(random, region.copy(), lambda _: yaw, 2 if side < SUPERSAMPLE_BELOW else 1)
    region[:] = tile.pixels
    x, y, w, h = tile.bbox
    pixels = np.rint(picture * 255).astype(np.uint8)
    return measure_face(detector, pixels, (x + left, y + top, w, h), np.add(tile.keypoints, (left, top)), tile.visible)


def treatments_of(args: argparse.Namespace) -> dict[str, Replace]:
    """The replacement functions, by name."""
    bank = args.bank if args.source == "bank" else None
    treatments = {args.source: replacing(bank, args.bank_weights)}
    if args.other:
        other = OtherRenderer(args.other)

        def replaced(image: np.ndarray, photograph: Photograph) -> np.ndarray:
            face = photograph.faces[0]
            seed = int(generator("other", photograph.file).integers(2**31))
            return other.replace(image, face.bbox, np.array(face.keypoints), seed)

        treatments["other"] = replaced
    return treatments


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--photographs", type=Path, metavar="DATA", help="replace faces in the photographs of a data set")
    mode.add_argument("--rendered", action="store_true", help="render heads; needs no data")
    parser.add_argument("--detector", choices=["centerface", "retinaface"], default="centerface")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="retinaface: facexlib's detection_*_Final.pth")
    parser.add_argument("--faces", type=int, default=100, help="maximum number of faces per row of the table")
    parser.add_argument("--threshold", type=float, default=0.5, help="confidence threshold of a detected face")
    parser.add_argument("--source", choices=["procedural", "bank"], default="procedural")
    parser.add_argument("--bank", type=Path, metavar="FOLDER", help="bank: pictures of synthetic faces")
    parser.add_argument("--bank-weights", type=Path, metavar="FILE", help="bank: weights of the landmark detector")
    parser.add_argument("--other", type=Path, metavar="FOLDER", help="also measure this renderer")
    args = parser.parse_args()
    if args.source == "bank" and not args.bank:
        parser.error("--source bank needs --bank FOLDER.")
    cv2.setNumThreads(1)
    title = "Detectability of rendered heads" if args.rendered else "Detectability of replaced faces"
    try:
        network = detector(args.detector, args.weights)
        print_header(title, detector=args.detector, faces_per_row=args.faces, threshold=args.threshold)
        if args.rendered:
            renderers: dict[str, Renderer] = {"facade": facade_tile}
            if args.other:
                renderers["other"] = OtherRenderer(args.other).tile
            measure_rendered(network, renderers, args.faces, args.threshold)
        else:
            data = Photographs(args.photographs)
            measure_photographs(network, data, treatments_of(args), args.faces, args.threshold)
    except FacadeError as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
