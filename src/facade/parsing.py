"""facexlib's BiSeNet: which part of a face, or of its surroundings, each pixel shows. The same every time."""

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from facade.checkpoints import read_checkpoint
from facade.errors import FacadeError
from facade.parallel import one_torch_thread
from facade.similarity import similarity

# Of what the network was trained to tell apart (CelebAMask-HQ), that which is no part of a head.
BACKGROUND, CLOTH = 0, 16
# Side of the square that the network sees, and where the five landmarks lie in it: facexlib's own alignment.
SIDE = 512
TEMPLATE = np.array(
    [(192.981, 239.947), (318.903, 240.194), (256.634, 314.019), (201.261, 371.410), (313.089, 371.151)]
)  # fmt: skip


class FaceParser:
    """Tells parts of a face apart."""

    def __init__(self, weights: Path) -> None:
        """Load the network.

        Args:
            weights: facexlib's `parsing_bisenet.pth`.

        Raises:
            FacadeError: There is no such file, or it is not what facexlib loads.
        """
        from facexlib.parsing.bisenet import BiSeNet  # here, not above: it takes seconds

        state = read_checkpoint(weights, "synthesize.parsing_weights")
        self._network = BiSeNet(num_class=19)
        try:
            self._network.load_state_dict(state, strict=True)
        except (RuntimeError, TypeError, AttributeError) as error:
            raise FacadeError(
                f"{weights} is not facexlib's parsing_bisenet.pth ({type(error).__name__}). Give another file as "
                "synthesize.parsing_weights, or null to go by colour."
            ) from None
        self._network.eval()

    def parts(self, picture: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
        """The part that each pixel shows, (H, W) uint8, by CelebAMask-HQ's numbers; 255 where the network saw nothing.

        Args:
            picture: (H, W, 3) uint8, BGR.
            keypoints: (5, 2) float, x y in pixels: eyes, nose tip, corners of the mouth.
        """
        import torch

        # Whole-numbered pixel centres, as OpenCV has them.
        to_square = similarity(keypoints - 0.5, TEMPLATE)
        square = cv2.warpAffine(picture, to_square, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)
        with torch.no_grad(), one_torch_thread():
            inputs = torch.from_numpy(square[..., ::-1].transpose(2, 0, 1).copy())[None].float() / 127.5 - 1
            labels = self._network(inputs)[0][0].argmax(0).numpy().astype(np.uint8)
        height, width = picture.shape[:2]
        inverse = cv2.WARP_INVERSE_MAP | cv2.INTER_NEAREST
        return cv2.warpAffine(labels, to_square, (width, height), flags=inverse, borderValue=255)


@lru_cache(maxsize=1)
def face_parser(weights: Path) -> FaceParser:
    """The network, loaded once a process."""
    return FaceParser(weights)
