"""Face parsing by facexlib's BiSeNet: segments a face and its surroundings into parts, deterministically."""

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from facade.checkpoints import read_checkpoint
from facade.errors import FacadeError
from facade.parallel import one_torch_thread
from facade.similarity_transform import similarity_transform

# Classes of CelebAMask-HQ, which the network was trained on, that are not part of a head.
BACKGROUND, CLOTH = 0, 16
# Side of the network's square input, and its landmark template: facexlib's own alignment.
SIDE = 512
TEMPLATE = np.array(
    [(192.981, 239.947), (318.903, 240.194), (256.634, 314.019), (201.261, 371.410), (313.089, 371.151)]
)  # fmt: skip


class FaceParser:
    """Segments a face into parts."""

    def __init__(self, weights: Path) -> None:
        """Load the network.

        Args:
            weights: facexlib's `parsing_bisenet.pth`.

        Raises:
            FacadeError: The file is missing, or facexlib cannot load it.
        """
        from facexlib.parsing.bisenet import BiSeNet  # here, not above: importing takes seconds

        state = read_checkpoint(weights, "synthesize.parsing_weights")
        self._network = BiSeNet(num_class=19)
        try:
            self._network.load_state_dict(state, strict=True)
        except (RuntimeError, TypeError, AttributeError) as error:
            raise FacadeError(
                f"{weights} is not facexlib's parsing_bisenet.pth ({type(error).__name__}). Give another file as "
                "synthesize.parsing_weights, or null to segment by color."
            ) from None
        self._network.eval()

    def parts(self, picture: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
        """Class of each pixel, (H, W) uint8, as numbered in CelebAMask-HQ; 255 outside the network's input.

        Args:
            picture: (H, W, 3) uint8, BGR.
            keypoints: (5, 2) float, x y in pixels: eyes, nose tip, corners of the mouth.
        """
        import torch

        # OpenCV's pixel centers lie at integers.
        to_square = similarity_transform(keypoints - 0.5, TEMPLATE)
        square = cv2.warpAffine(picture, to_square, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)
        with torch.no_grad(), one_torch_thread():
            inputs = torch.from_numpy(square[..., ::-1].transpose(2, 0, 1).copy())[None].float() / 127.5 - 1
            labels = self._network(inputs)[0][0].argmax(0).numpy().astype(np.uint8)
        height, width = picture.shape[:2]
        inverse = cv2.WARP_INVERSE_MAP | cv2.INTER_NEAREST
        return cv2.warpAffine(labels, to_square, (width, height), flags=inverse, borderValue=255)


@lru_cache(maxsize=1)
def face_parser(weights: Path) -> FaceParser:
    """Load the network, once per process."""
    return FaceParser(weights)
