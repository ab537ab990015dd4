"""SCRFD (Guo et al., arXiv 2105.04714), in the layout of insightface's ONNX files."""

from collections.abc import Mapping

import cv2
import numpy as np

from facade.errors import FacadeError
from facade.networks.protocol import apply_nms
from facade.networks.resized import letterbox
from facade.networks.sessions import OnnxNetwork

# By the number of feature maps: their strides in pixels, and the anchors per cell.
LAYOUTS = {3: ((8, 16, 32), 2), 5: ((8, 16, 32, 64, 128), 1)}
# Values of an anchor: a score, distances from the anchor to the left, top, right and bottom of the box, five landmarks.
SCORE, BOX, LANDMARKS = 1, 4, 10
MEAN, SCALE = 127.5, 1 / 128
PADDING = (0.0, 0.0, 0.0)
NMS = 0.4  # insightface's own


def scrfd_outputs(outputs: Mapping[str, list[int | str | None]]) -> dict[int, list[str]] | None:
    """The outputs of an SCRFD network, whose names are bare numbers in most files, by their last axis.

    Args:
        outputs: Shape by name, in the file's order, which is that of ascending strides.

    Returns:
        Names of the outputs by `SCORE`, `BOX` and (if there are any) `LANDMARKS`; None if it is another network.
    """
    groups: dict[int, list[str]] = {}
    for name, shape in outputs.items():
        width = shape[-1] if shape else None
        if not isinstance(width, int):
            return None
        groups.setdefault(width, []).append(name)
    counts = {len(names) for names in groups.values()}
    known = set(groups) in ({SCORE, BOX}, {SCORE, BOX, LANDMARKS})
    return groups if known and len(counts) == 1 and counts <= set(LAYOUTS) else None


class Scrfd:
    """Images keep their size, and are padded; a network with an input of fixed size has them resized to fit."""

    name = "SCRFD"

    def __init__(self, network: OnnxNetwork, outputs: dict[int, list[str]]) -> None:
        self._network, self._outputs, self.device = network, outputs, network.device
        self._strides, self._anchors = LAYOUTS[len(outputs[SCORE])]
        self._size = network.input_size()
        self.fixed_size = self._size is not None

    def detect(self, image: np.ndarray, min_score: float) -> np.ndarray:
        """See `FaceDetector`."""
        boxed = letterbox(image, self._size, self._strides[-1], PADDING)
        pixels = cv2.dnn.blobFromImage(boxed.pixels, SCALE, mean=(MEAN, MEAN, MEAN), swapRB=True)
        names = [name for group in self._outputs.values() for name in group]
        values = dict(zip(names, self._network.run(names, pixels), strict=True))
        scores, distances, points = (
            [values[name].reshape(-1, width) for name in self._outputs.get(width, ())]
            for width in (SCORE, BOX, LANDMARKS)
        )
        kept_scores, boxes, landmarks = [], [], []
        for index, stride in enumerate(self._strides):
            rows, columns = -(-pixels.shape[2] // stride), -(-pixels.shape[3] // stride)
            if len(scores[index]) != rows * columns * self._anchors:
                raise FacadeError(
                    f"{self._network.file} gives {len(scores[index])} scores at stride {stride}, unlike SCRFD. Replace "
                    "the file."
                )
            kept = np.flatnonzero(scores[index][:, 0] >= min_score)
            cells = kept // self._anchors
            centers = np.column_stack([cells % columns, cells // columns]).astype(float) * stride
            sides = distances[index][kept] * float(stride)
            kept_scores.append(scores[index][kept, 0])
            boxes.append(np.column_stack([centers - sides[:, :2], sides[:, :2] + sides[:, 2:]]))
            if points:
                landmarks.append(points[index][kept] * float(stride) + np.tile(centers, 5))
        factor = np.array([image.shape[1] / boxed.width, image.shape[0] / boxed.height])
        return apply_nms(
            np.concatenate(boxes) * np.tile(factor, 2),
            np.concatenate(kept_scores),
            min_score,
            NMS,
            np.concatenate(landmarks) * np.tile(factor, 5) if landmarks else None,
        )
