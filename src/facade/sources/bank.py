"""A bank: a folder of pictures of synthetic faces (SFHQ, FaceSynthetics, StyleGAN...) as a source of faces.

`python -m facade.sources.bank FOLDER` writes the pictures' landmarks beside them; see `bank_landmarks`.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from facade.dataset.pixels import mirrored_points
from facade.errors import FacadeError
from facade.sources.bank_landmarks import TABLE, portraits, read_picture, write_table
from facade.sources.bank_lookalikes import without_lookalikes
from facade.sources.outline import outline
from facade.sources.source import Layer, Setting
from facade.sources.warp import lay

CACHE = Path(".work/banks")
# Of so many pictures, drawn for each person, the nearest in pose is taken: more fit poses better, fewer make more
# people come up.
DRAWN = 24
# Soft edge of the face, in outlines, and at least so many pixels.
EDGE, LEAST_EDGE = 0.14, 1.5
# Soft edge along the border of a bank picture, in units (eyes to mouth).
BORDER_EDGE = 0.1


class FaceBank:
    """Synthetic faces from a folder of pictures."""

    def __init__(self, folder: Path, weights: Path | None, recognition: Path | None, cache: Path = CACHE) -> None:
        """Open a bank.

        Args:
            folder: The pictures, each of one synthetic face.
            weights: facexlib's `detection_mobilenet0.25_Final.pth` or `detection_Resnet50_Final.pth`, used for
                pictures that no `landmarks.csv` names; None for the publisher's, fetched when it is needed.
            recognition: Face recognition network (ONNX), by which look-alikes are left out; None keeps all.
            cache: Where landmarks and embeddings are kept. The folder itself is never written.

        Raises:
            FacadeError: There is no such folder or no usable picture in it, or a file is missing or damaged.
        """
        self.folder = folder
        found = portraits(folder, weights, cache)
        if recognition is not None:
            found = without_lookalikes(folder, found, recognition, cache)
        self._files = found.files
        self._keypoints = found.keypoints
        self._looks = np.array([_look(keypoints) for keypoints in found.keypoints])

    def layers(self, settings: Iterable[Setting]) -> Iterator[Layer]:
        """A picture of the bank for each setting, brought onto its landmarks, in their order."""
        return map(self._layer, settings)

    def choose(self, who: np.random.Generator, keypoints: np.ndarray) -> tuple[int, bool]:
        """Which picture comes, and whether it is mirrored: the nearest in pose of some that are drawn.

        Args:
            who: Draws the pictures.
            keypoints: (5, 2) float, the landmarks that tell the pose.
        """
        drawn = who.choice(len(self._files), min(DRAWN, len(self._files)), replace=False)
        wanted = np.array(_look(keypoints))
        away = np.linalg.norm(self._looks[drawn] - wanted, axis=1)
        away_mirrored = np.linalg.norm(self._looks[drawn] * (-1, 1) - wanted, axis=1)
        nearest = int(np.minimum(away, away_mirrored).argmin())
        return int(drawn[nearest]), bool(away_mirrored[nearest] < away[nearest])

    def _layer(self, setting: Setting) -> Layer:
        number, mirrored = self.choose(setting.who, setting.keypoints)
        picture, keypoints = read_picture(self.folder / self._files[number]), self._keypoints[number]
        if mirrored:
            picture, keypoints = mirror(picture, keypoints)
        size = (setting.pixels.shape[0], setting.pixels.shape[1])
        laid = lay(picture, keypoints, setting.keypoints, size)
        face = outline(laid.keypoints)
        y, x = np.mgrid[: size[0], : size[1]] + 0.5
        points = np.stack([x, y], axis=-1)
        edge = max(EDGE, LEAST_EDGE / face.unit)
        fade = np.clip((1 + edge / 2 - face.level(points)) / edge, 0, 1)
        # The border of the picture cuts some faces off: there is nothing to show beyond.
        fade *= np.clip(laid.inside / max(BORDER_EDGE * face.unit, 1), 0, 1)
        alpha = fade * fade * (3 - 2 * fade)
        return Layer(laid.pixels, alpha.astype(np.float32), face.skin(points) & (alpha > 0.99))


def mirror(picture: np.ndarray, keypoints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A picture mirrored left to right, and its landmarks, left and right as seen again."""
    return np.ascontiguousarray(picture[:, ::-1]), mirrored_points(keypoints, picture.shape[1])


def _look(keypoints: np.ndarray) -> tuple[float, float]:
    """How a face is held, in numbers that change alike: turn to the right, and how low the nose lies."""
    face = outline(keypoints)
    # Half a unit of nose a full turn, as `turn` is scaled, too.
    return face.turn, 2 * face.nod


def main() -> None:
    """Write the landmarks of a bank's pictures beside them."""
    parser = argparse.ArgumentParser(prog="python -m facade.sources.bank", description=main.__doc__)
    parser.add_argument("folder", type=Path, help="the bank")
    parser.add_argument("--weights", type=Path, help="facexlib's detection_*_Final.pth; by default, the publisher's")
    wanted = parser.parse_args()
    try:
        usable, left_out = write_table(wanted.folder, wanted.weights, CACHE)
    except FacadeError as error:
        sys.exit(f"facade: {error}")
    print(f"{wanted.folder / TABLE}: landmarks of {usable} pictures; {left_out} are left out (not one sure face).")


if __name__ == "__main__":
    main()
