"""A face bank as a source: a folder of pictures of synthetic faces (SFHQ, FaceSynthetics, StyleGAN...).

`facade bank FOLDER` writes `landmarks.csv` next to the pictures; see `bank_landmarks`.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from facade.dataset.pixels import mirrored_points
from facade.sources.bank_landmarks import read_picture, read_portraits
from facade.sources.bank_lookalikes import without_lookalikes
from facade.sources.outline import outline
from facade.sources.source import FaceRequest, Layer
from facade.sources.warp import warp_face

CACHE = Path(".work/banks")
# Number of pictures sampled for each person, of which the nearest in pose is used: more match poses better, fewer give
# more variety.
CANDIDATES = 24
# Width of the soft edge of the face, in levels of the outline; minimum in pixels.
EDGE, MIN_EDGE = 0.14, 1.5
# Width of the soft edge along the border of a bank picture, in units (eyes to mouth).
BORDER_EDGE = 0.1


class FaceBank:
    """Synthetic faces from a folder of pictures."""

    def __init__(self, folder: Path, weights: Path | None, recognition: Path | None, cache: Path = CACHE) -> None:
        """Open a bank.

        Args:
            folder: The pictures, each of one synthetic face.
            weights: facexlib's `detection_mobilenet0.25_Final.pth` or `detection_Resnet50_Final.pth`, used for
                pictures that are not in `landmarks.csv`; None downloads the publisher's when needed.
            recognition: Face recognition network (ONNX) that filters out look-alikes; None keeps all.
            cache: Where landmarks and embeddings are cached. The bank itself is never written.

        Raises:
            FacadeError: The folder is missing or has no usable picture, or a file is missing or damaged.
        """
        self.folder = folder
        found = read_portraits(folder, weights, cache)
        if recognition is not None:
            found = without_lookalikes(folder, found, recognition, cache)
        self._files = found.files
        self._keypoints = found.keypoints
        self._poses = np.array([_pose_features(keypoints) for keypoints in found.keypoints])

    def render(self, requests: Iterable[FaceRequest]) -> Iterator[Layer]:
        """A picture of the bank for each request, warped onto its landmarks, in order."""
        return map(self._layer, requests)

    def choose(self, random: np.random.Generator, keypoints: np.ndarray) -> tuple[int, bool]:
        """Index of the picture to use, and whether to mirror it: the nearest in pose of a random sample.

        Args:
            random: Draws the sample.
            keypoints: (5, 2) float, the landmarks that define the pose.
        """
        sample = random.choice(len(self._files), min(CANDIDATES, len(self._files)), replace=False)
        target = np.array(_pose_features(keypoints))
        distance = np.linalg.norm(self._poses[sample] - target, axis=1)
        mirrored_distance = np.linalg.norm(self._poses[sample] * (-1, 1) - target, axis=1)
        nearest = int(np.minimum(distance, mirrored_distance).argmin())
        return int(sample[nearest]), bool(mirrored_distance[nearest] < distance[nearest])

    def _layer(self, request: FaceRequest) -> Layer:
        number, mirrored = self.choose(request.random, request.keypoints)
        picture, keypoints = read_picture(self.folder / self._files[number]), self._keypoints[number]
        if mirrored:
            picture, keypoints = mirror(picture, keypoints)
        size = (request.pixels.shape[0], request.pixels.shape[1])
        warped = warp_face(picture, keypoints, request.keypoints, size)
        face = outline(warped.keypoints)
        y, x = np.mgrid[: size[0], : size[1]] + 0.5
        points = np.stack([x, y], axis=-1)
        edge = max(EDGE, MIN_EDGE / face.unit)
        fade = np.clip((1 + edge / 2 - face.level(points)) / edge, 0, 1)
        # Some faces are cut off by the border of their picture.
        fade *= np.clip(warped.inside / max(BORDER_EDGE * face.unit, 1), 0, 1)
        alpha = fade * fade * (3 - 2 * fade)
        return Layer(warped.pixels, alpha.astype(np.float32), face.skin(points) & (alpha > 0.99))


def mirror(picture: np.ndarray, keypoints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A picture flipped left to right, and its landmarks, with left and right swapped."""
    return np.ascontiguousarray(picture[:, ::-1]), mirrored_points(keypoints, picture.shape[1])


def _pose_features(keypoints: np.ndarray) -> tuple[float, float]:
    """Yaw and pitch of a face as two comparable numbers: turn to the right, and how low the nose lies."""
    face = outline(keypoints)
    # `turn` is in half units (the depth of the nose); scale `nod` alike.
    return face.turn, 2 * face.nod
