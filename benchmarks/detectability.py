"""What an independent face detector makes of pseudonyms.   python benchmarks/detectability.py --rendered

With --photographs DATA, of faces replaced in photographs, beside the originals. DATA is a data set that `ingest` wrote
(images/ and annotations.json); its faces with landmarks are used. With --rendered, of heads over smooth backgrounds.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from detectors import TOLD, Detector, Outcome, detector, judged, told
from drawing import FACE_SHARE, Renderer, backdrop, facade_tile
from other import Other
from printing import print_header, print_table
from replacing import Replace, replacing
from tqdm import tqdm

from facade.anonymize.align import pose_of
from facade.dataset import Face, Photograph, Photographs
from facade.errors import FacadeError
from facade.seeds import generator

YAWS = ((0, 20), (20, 40), (40, 60), (60, 90))  # degrees to either side
HEIGHTS = (24, 40, 64, 122)  # of a face in a photograph, pixels; photographs are shrunk to it, never enlarged
CONTEXT = 3.0  # side of what is cut out, in longer sides of the face
RENDERED_HEIGHTS = (12, 16, 24, 32, 48, 64, 96)  # of a rendered face, pixels
RENDERED_TILES = (64, 128)  # sides of the tiles on which faces of all yaws are rendered, pixels
FRONTAL = 20.0  # most yaw of a face that is rendered at all sizes, degrees
CANVAS = 256  # side of a background, pixels
FINE_BELOW = 100  # tiles smaller than this are drawn with 4 rays a pixel, pixels
DRAWS = 2000  # of the bootstrap


@dataclass(frozen=True)
class Case:
    """One labelled face at one size.

    Attributes:
        image: Number of the photograph.
        face: Number of the face in it.
        height: What the face's height is shrunk to, pixels.
        yaw: Degrees to either side.
    """

    image: int
    face: int
    height: int
    yaw: float


def cases_of(data: Photographs) -> list[Case]:
    """Every face with landmarks, at every height that it has at the least."""
    cases = []
    for image, photograph in data.items():
        for number, face in enumerate(photograph.faces):
            if face.keypoints is None or face.ignore:
                continue
            yaw = abs(pose_of(np.array(face.keypoints, float)).yaw)
            cases += [Case(image, number, height, yaw) for height in HEIGHTS if height <= face.bbox[3]]
    return cases


def groups_of(cases: list[Case], most: int) -> dict[str, list[Case]]:
    """A sample of at most `most` cases for every height, and one for every range of yaw (of all heights)."""
    wholes = {f"{height} px high": [case for case in cases if case.height == height] for height in HEIGHTS}
    wholes |= {f"yaw {low}-{high}": [case for case in cases if low <= case.yaw < high] for low, high in YAWS}
    return {name: _sample(name, whole, most) for name, whole in wholes.items() if whole}


def _sample(name: str, whole: list[Case], most: int) -> list[Case]:
    chosen = generator("detectability", name).permutation(len(whole))[:most]
    return [whole[place] for place in sorted(chosen)]


def cut_out(image: np.ndarray, photograph: Photograph, case: Case) -> tuple[np.ndarray, Photograph]:
    """A face with its surroundings, shrunk: (h, w, 3) uint8, BGR, and its labels, of this face alone."""
    face = photograph.faces[case.face]
    x, y, w, h = face.bbox
    reach = CONTEXT * max(w, h) / 2
    left, top = max(0, round(x + w / 2 - reach)), max(0, round(y + h / 2 - reach))
    part = image[top : round(y + h / 2 + reach), left : round(x + w / 2 + reach)]
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


def judge_case(
    judge: Detector, image: np.ndarray, photograph: Photograph, treatments: dict[str, Replace]
) -> dict[str, Outcome]:
    """What the detector makes of the original and of each treated copy."""
    face = photograph.faces[0]
    copies = {"original": image, **{name: treat(image, photograph) for name, treat in treatments.items()}}
    return {name: judged(judge, copy, face.bbox, np.array(face.keypoints)) for name, copy in copies.items()}


def share_of_original(treated: np.ndarray, original: np.ndarray, owners: list[int]) -> str:
    """Ratio of mean scores, and its 95 % interval by a bootstrap over photographs, whose faces are no strangers."""
    _, owner = np.unique(owners, return_inverse=True)
    sums = np.stack([np.bincount(owner, scores) for scores in (treated, original)])
    random = generator("bootstrap")
    counts = random.multinomial(sums.shape[1], np.full(sums.shape[1], 1 / sums.shape[1]), DRAWS)
    above, below = sums @ counts.T
    low, high = np.percentile(above / np.maximum(below, 1e-9), (2.5, 97.5))
    return f"{treated.sum() / max(original.sum(), 1e-9):.3f} ({low:.3f} to {high:.3f})"


def photographs(
    judge: Detector, data: Photographs, treatments: dict[str, Replace], most: int, threshold: float
) -> None:
    """Print what the detector makes of faces in photographs, untouched and replaced."""
    groups = groups_of(cases_of(data), most)
    if not groups:
        raise SystemExit(f"{data.root}: no face with landmarks is {min(HEIGHTS)} pixels high. See ingest.landmarks.")
    by_image: dict[int, set[Case]] = {}
    for case in (case for group in groups.values() for case in group):
        by_image.setdefault(case.image, set()).add(case)
    labels = dict(data.items())
    outcomes: dict[Case, dict[str, Outcome]] = {}
    for image, cases in tqdm(sorted(by_image.items()), "photographs", mininterval=2):
        pixels = data.pixels(labels[image])
        for case in cases:
            outcomes[case] = judge_case(judge, *cut_out(pixels, labels[image], case), treatments)
    rows = []
    for name, group in groups.items():
        scores = {kind: np.array([outcomes[case][kind].score for case in group]) for kind in ("original", *treatments)}
        for kind, values in scores.items():
            share = (
                "-" if kind == "original" else share_of_original(values, scores["original"], [c.image for c in group])
            )
            cells = told((outcomes[case][kind] for case in group), threshold)
            rows.append([name, kind, str(len(group)), cells[0], share, *cells[1:]])
    print_table(["faces", "pixels", "n", TOLD[0], "of the original's (95 %)", *TOLD[1:]], rows)


def rendered(judge: Detector, renderers: dict[str, Renderer], count: int, threshold: float) -> None:
    """Print what the detector makes of heads over smooth backgrounds, by yaw and by size."""
    rows = []
    for low, high in YAWS:
        for name, renderer in renderers.items():
            outcomes = [_one_rendered(judge, renderer, number, (low, min(high, 85)), None) for number in range(count)]
            rows.append([f"yaw {low}-{high}", name, str(count), *told(outcomes, threshold)])
    for height in RENDERED_HEIGHTS:
        for name, renderer in renderers.items():
            outcomes = [_one_rendered(judge, renderer, number, (0, FRONTAL), height) for number in range(count)]
            rows.append([f"{height} px high", name, str(count), *told(outcomes, threshold)])
    print_table(["faces", "heads", "n", *TOLD], rows)
    low, high = (round(FACE_SHARE * side) for side in RENDERED_TILES)
    print(
        f"By yaw: faces {low} to {high} px high. By size: yaw up to {FRONTAL:.0f} degrees. Landmarks: those in sight."
    )


def _one_rendered(
    judge: Detector, renderer: Renderer, number: int, yaws: tuple[float, float], height: int | None
) -> Outcome:
    random = generator("rendered", number, *map(str, yaws), str(height))
    yaw = random.uniform(*yaws) * random.choice([-1, 1])
    side = round(height / FACE_SHARE) if height else int(random.integers(RENDERED_TILES[0], RENDERED_TILES[1] + 1))
    picture = backdrop(random, CANVAS, CANVAS)
    left, top = random.integers(0, CANVAS - side + 1, 2).tolist()
    place = picture[top : top + side, left : left + side]
    tile = renderer(random, place.copy(), lambda _: yaw, 2 if side < FINE_BELOW else 1)
    place[:] = tile.pixels
    x, y, w, h = tile.bbox
    pixels = np.rint(picture * 255).astype(np.uint8)
    return judged(judge, pixels, (x + left, y + top, w, h), np.add(tile.keypoints, (left, top)), tile.visible)


def treatments_of(wanted: argparse.Namespace) -> dict[str, Replace]:
    """How faces are replaced, by name."""
    bank = wanted.bank if wanted.source == "bank" else None
    treatments = {wanted.source: replacing(bank, wanted.bank_weights)}
    if wanted.other:
        other = Other(wanted.other)

        def replaced(image: np.ndarray, photograph: Photograph) -> np.ndarray:
            face = photograph.faces[0]
            seed = int(generator("other", photograph.file).integers(2**31))
            return other.replace(image, face.bbox, np.array(face.keypoints), seed)

        treatments["other"] = replaced
    return treatments


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--photographs", type=Path, metavar="DATA", help="replace faces in the photographs of a data set")
    what.add_argument("--rendered", action="store_true", help="render heads; needs no data")
    parser.add_argument("--detector", choices=["centerface", "retinaface"], default="centerface")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="retinaface: facexlib's detection_*_Final.pth")
    parser.add_argument("--faces", type=int, default=100, help="most faces in a row of the table")
    parser.add_argument("--threshold", type=float, default=0.5, help="score from which a face counts as found")
    parser.add_argument("--source", choices=["procedural", "bank"], default="procedural")
    parser.add_argument("--bank", type=Path, metavar="FOLDER", help="bank: pictures of synthetic faces")
    parser.add_argument("--bank-weights", type=Path, metavar="FILE", help="bank: what finds its landmarks")
    parser.add_argument("--other", type=Path, metavar="FOLDER", help="judge this renderer, too")
    wanted = parser.parse_args()
    if wanted.source == "bank" and not wanted.bank:
        parser.error("--source bank needs --bank FOLDER.")
    cv2.setNumThreads(1)
    title = "Detectability of rendered heads" if wanted.rendered else "Detectability of replaced faces"
    try:
        judge = detector(wanted.detector, wanted.weights)
        print_header(title, detector=wanted.detector, faces_in_a_row=wanted.faces, found_from_score=wanted.threshold)
        if wanted.rendered:
            renderers: dict[str, Renderer] = {"facade": facade_tile}
            if wanted.other:
                renderers["other"] = Other(wanted.other).tile
            rendered(judge, renderers, wanted.faces, wanted.threshold)
        else:
            data = Photographs(wanted.photographs)
            photographs(judge, data, treatments_of(wanted), wanted.faces, wanted.threshold)
    except FacadeError as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
