"""A detector in ONNX that gives decoded boxes and scores: the plain layout, which Facade's own exports have.

Input: 1 x 3 x H x W float32, of any name; H and W fixed or dynamic. Outputs: `boxes`, (N, 4) or (1, N, 4), x1 y1 x2 y2
in pixels of the input; `scores`, N numbers from 0 to 1; optionally `landmarks`, N times x y of the left eye, right eye,
nose tip, left and right corner of the mouth, as a viewer sees them. NMS is applied here.

`metadata_props` of the file may say (defaults in brackets):
    color     order of the channels: BGR or RGB [BGR]
    mean      what is subtracted from pixels of 0 to 255: one number, or three with commas in the order of `color` [0]
    scale     what pixels are multiplied by afterwards [1]
    multiple  sides of a dynamic input are padded to multiples of this, at the bottom and on the right [32]
    nms       IoU above which the lower-scoring of two boxes is dropped [0.6]
"""

import numpy as np

from facade.errors import FacadeError
from facade.networks.cards import read_card
from facade.networks.protocol import apply_nms
from facade.networks.resized import letterbox
from facade.networks.sessions import OnnxNetwork

# ImageNet's mean color (BGR), which Facade's exports turn into zeros.
PADDING = (103.53, 116.28, 123.675)
MULTIPLE, NMS = 32, 0.6
KEYS = ("color", "mean", "scale", "multiple", "nms")


class PlainDetector:
    """Images keep their size, and are padded; a network with an input of fixed size has them resized to fit.

    Attributes:
        card: What an export of Facade says about itself, or None.
    """

    def __init__(self, network: OnnxNetwork) -> None:
        self.name = network.file.stem
        self.device = network.device
        self.card = read_card(network.file, network.metadata)
        self._network = network
        self._size = network.input_size()
        self.fixed_size = self._size is not None
        self._landmarks = ["landmarks"] if "landmarks" in network.outputs else []
        self._swap, self._mean, self._scale, self._multiple, self._nms = _read_metadata(network)

    def detect(self, image: np.ndarray, min_score: float) -> np.ndarray:
        """See `FaceDetector`."""
        padding = PADDING if self._mean is None else tuple(self._mean[::-1] if self._swap else self._mean)
        boxed = letterbox(image, self._size, self._multiple, padding)
        pixels = boxed.pixels[..., ::-1] if self._swap else boxed.pixels
        pixels = pixels.astype(np.float32)
        if self._mean is not None:
            pixels -= self._mean.astype(np.float32)
        if self._scale != 1:
            pixels *= np.float32(self._scale)
        pixels = np.ascontiguousarray(pixels.transpose(2, 0, 1)[None])
        boxes, scores, *points = self._network.run(["boxes", "scores", *self._landmarks], pixels)
        scores = scores.reshape(-1)
        if boxes.size != 4 * len(scores) or any(one.size != 10 * len(scores) for one in points):
            raise FacadeError(f"{self._network.file} gives {boxes.size} coordinates of boxes for {len(scores)} scores.")
        kept = scores >= min_score
        limits = [boxed.width, boxed.height]
        scale = np.array([image.shape[1], image.shape[0]]) / limits
        xyxy = np.clip(boxes.reshape(-1, 4)[kept], 0, limits * 2) * np.tile(scale, 2)
        landmarks = points[0].reshape(-1, 10)[kept] * np.tile(scale, 5) if points else None
        xywh = np.column_stack([xyxy[:, :2], xyxy[:, 2:] - xyxy[:, :2]])
        return apply_nms(xywh, scores[kept], min_score, self._nms, landmarks)


def _read_metadata(network: OnnxNetwork) -> tuple[bool, np.ndarray | None, float, int, float]:
    """Whether the channels are swapped; mean; scale; multiple; IoU of NMS."""
    given = network.metadata
    color = given.get("color", "BGR").strip().upper()
    try:
        mean = None
        if "mean" in given:
            mean = np.array([float(value) for value in given["mean"].split(",")])
            mean = np.repeat(mean, 3) if mean.size == 1 else mean
        scale, nms = float(given.get("scale", 1)), float(given.get("nms", NMS))
        multiple = int(given.get("multiple", MULTIPLE))
        valid = (mean is None or (mean.size == 3 and np.isfinite(mean).all())) and np.isfinite(scale) and scale > 0
        valid = valid and 0 < nms <= 1 and multiple > 0 and color in ("BGR", "RGB")
    except ValueError:
        valid = False
    if not valid:
        listed = ", ".join(f"{key} {given[key]!r}" for key in KEYS if key in given)
        raise FacadeError(
            f"{network.file}: its metadata has {listed}, which the plain layout does not allow. Correct it."
        )
    return color == "RGB", mean, scale, multiple, nms
