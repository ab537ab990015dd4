"""A diffusion model as a source of faces: inpaints the erased area with a synthetic person.

Any inpainting model that diffusers can load. Its requirements are in requirements-diffusion.txt.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

import cv2
import numpy as np

from facade.errors import FacadeError
from facade.heads.pose import Pose
from facade.params import Diffusion
from facade.sources.source import FaceRequest, Layer

# People to paint, with probabilities; the fraction of children is that of `sample_identity`.
PEOPLE = {
    "a girl": 0.05, "a boy": 0.05,
    "a young woman": 0.18, "a young man": 0.18,
    "a middle-aged woman": 0.15, "a middle-aged man": 0.15,
    "an old woman": 0.12, "an old man": 0.12,
}  # fmt: skip
# Minimum yaw of a three-quarter view and of a profile, and minimum pitch of looking up or down, degrees: halfway
# between the views that the words stand for (0, 45 and 90; level and 30).
THREE_QUARTER, PROFILE, TILTED = 22.5, 67.5, 15.0
# Beyond this yaw, degrees, the far cheek is too narrow to measure a tone on.
FAR_CHEEK = 30.0
# Margin of the painted area around the mask: fraction of the face's shorter side, and minimum in pixels. A model paints
# in cells of 8 of its pixels: on a crop three times as wide as the face, at 512, this is 3 cells.
MARGIN, MIN_MARGIN = 0.14, 2.0
# Mask values up to this are invisible in 8 bits.
INVISIBLE = 1 / 255
# Attempts at a face that the model's safety checker blacks out.
TRIES = 4


@dataclass(frozen=True)
class _PaintJob:
    """The inputs of the model for one face.

    Attributes:
        request: The face request.
        prompt: What to paint.
        seeds: Seeds of the initial noise, one per attempt.
        alpha: (h, w) float32: 1 in the mask, falling smoothly to 0 within the margin.
    """

    request: FaceRequest
    prompt: str
    seeds: list[int]
    alpha: np.ndarray


class DiffusionFaces:
    """Synthetic faces from a diffusion model.

    The model is loaded on the first request; until then the object is small and can be pickled.
    """

    def __init__(self, params: Diffusion) -> None:
        self.params = params

    def render(self, requests: Iterable[FaceRequest]) -> Iterator[Layer]:
        """A face for each request, in order; `params.batch` requests are held at a time.

        Each face starts from its own noise, the same on every device, so that neither order nor batches change the
        identity. Another batch size may change the last digits, because processors then sum in another order.

        Raises:
            FacadeError: diffusers or the model is missing, or the model returns no usable picture.
        """
        waiting = iter(requests)
        while batch := list(islice(waiting, self.params.batch)):
            jobs = [self._job(request) for request in batch]
            for job, square in zip(jobs, self._paint(jobs), strict=True):
                height, width = job.alpha.shape
                side = max(height, width)
                pixels = np.ascontiguousarray(_resized(square, side)[:height, :width])
                yield Layer(pixels, job.alpha, bare_skin_discs(job.request))

    def _job(self, request: FaceRequest) -> _PaintJob:
        who = str(request.random.choice(list(PEOPLE), p=list(PEOPLE.values())))
        return _PaintJob(
            request=request,
            prompt=self.params.prompt.format(who=who, view=describe_view(request.view.pose)),
            seeds=request.random.integers(2**63, size=TRIES).tolist(),
            alpha=feathered_mask(request.mask, max(MIN_MARGIN, MARGIN * min(request.bbox[2:]))),
        )

    def _paint(self, jobs: list[_PaintJob]) -> list[np.ndarray]:
        """One square picture per face, (size, size, 3) float32, BGR, 0 to 1."""
        painted: dict[int, np.ndarray] = {}
        for attempt in range(TRIES):
            left = [number for number in range(len(jobs)) if number not in painted]
            if not left:
                break
            squares = self._try([jobs[number] for number in left], attempt)
            # A safety checker returns black; pasted, it would be another treatment.
            painted |= {number: square for number, square in zip(left, squares, strict=True) if square.any()}
        if len(painted) < len(jobs):
            raise FacadeError(
                f"{self.params.model} returned a black picture {TRIES} times for one face: its safety checker rejects "
                "it. Change synthesize.key, or synthesize.diffusion.prompt or model."
            )
        return [painted[number] for number in range(len(jobs))]

    def _try(self, jobs: list[_PaintJob], attempt: int) -> np.ndarray:
        """Square pictures, some of them possibly black, (N, size, size, 3) float32, BGR, 0 to 1."""
        import torch

        size = self.params.size
        rgb = [_resized(_square(job.request.pixels), size)[..., ::-1] for job in jobs]
        masks = [_resized(_square(job.alpha), size) > 0 for job in jobs]
        images = self._pipeline(
            prompt=[job.prompt for job in jobs],
            image=np.stack(rgb),
            mask_image=np.stack(masks)[..., None].astype(np.float32),
            height=size,
            width=size,
            strength=self.params.strength,
            num_inference_steps=self.params.steps,
            guidance_scale=self.params.guidance,
            # The CPU generator gives the same numbers on every device.
            generator=[torch.Generator("cpu").manual_seed(job.seeds[attempt]) for job in jobs],
            output_type="np",
        ).images
        if not np.isfinite(images).all():
            raise FacadeError(
                f"{self.params.model} returned a picture with values that are not finite: half precision, used on a "
                "GPU, is insufficient for this model. Choose another synthesize.diffusion.model."
            )
        return images[..., ::-1].astype(np.float32)

    @cached_property
    def _pipeline(self) -> Any:
        """The model, on the GPU where there is one."""
        try:
            import torch
            from diffusers import AutoPipelineForInpainting
            from diffusers.utils import logging
        except ImportError as error:
            raise FacadeError(
                f"synthesize.source is diffusion, but its requirements are not installed ({error}). "
                "Run: pip install -r requirements-diffusion.txt"
            ) from None
        logging.set_verbosity_error()
        device = "cuda" if torch.cuda.is_available() else "cpu"
        # Pickled weights are loaded as tensors only (weights_only of diffusers and transformers), and code that comes
        # with a model is never executed.
        try:
            pipeline = AutoPipelineForInpainting.from_pretrained(
                self.params.model, dtype=torch.float16 if device == "cuda" else torch.float32
            ).to(device)
        except (OSError, ValueError, ImportError, RuntimeError) as error:
            reason = str(error).strip().partition("\n")[0].rstrip(".")
            raise FacadeError(
                f"synthesize.diffusion.model is {self.params.model}, which cannot be loaded as an inpainting model: "
                f"{reason}. Give the folder of a model in diffusers' layout, or a model's name on the hub, and be "
                "online for the first run with it."
            ) from None
        pipeline.set_progress_bar_config(disable=True)
        return pipeline


def describe_view(pose: Pose) -> str:
    """Head pose in the words of portrait captions: "three-quarter view facing left, looking down"."""
    side = "right" if pose.yaw > 0 else "left"
    yaw = abs(pose.yaw)
    words = (
        "frontal view" if yaw < THREE_QUARTER
        else f"three-quarter view facing {side}" if yaw < PROFILE
        else f"profile view facing {side}"
    )  # fmt: skip
    if abs(pose.pitch) < TILTED:
        return words
    return f"{words}, looking {'up' if pose.pitch > 0 else 'down'}"


def feathered_mask(mask: np.ndarray, margin: float) -> np.ndarray:
    """Dilate a mask with a soft edge.

    Args:
        mask: (h, w) float32, 0 to 1.
        margin: Width of the edge, pixels.

    Returns:
        (h, w) float32: 1 wherever the mask is visible and in the adjacent pixel, then falling to 0.
    """
    if not (mask > INVISIBLE).any():
        return np.zeros_like(mask)
    distance = cv2.distanceTransform((mask <= INVISIBLE).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    level = np.clip(1 - (distance - 1) / margin, 0, 1)
    return (level * level * (3 - 2 * level)).astype(np.float32)


def bare_skin_discs(request: FaceRequest) -> np.ndarray:
    """Probable bare skin, (h, w) bool: discs on the cheeks and the chin, placed by the landmarks.

    The model is not constrained by the landmarks: this is where skin is most likely, not where it was detected.
    """
    left_eye, right_eye, _, left_mouth, right_mouth = request.keypoints
    eyes, mouth = (left_eye + right_eye) / 2, (left_mouth + right_mouth) / 2
    down = mouth - eyes
    spots = [mouth + 0.45 * down]
    # A head turned to the right of the picture shows the cheek on its left.
    if request.view.pose.yaw > -FAR_CHEEK:
        spots.append((left_eye + left_mouth) / 2)
    if request.view.pose.yaw < FAR_CHEEK:
        spots.append((right_eye + right_mouth) / 2)
    height, width = request.mask.shape
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    skin = np.zeros((height, width), bool)
    for spot in spots:
        skin |= np.hypot(x - spot[0], y - spot[1]) < 0.15 * float(np.linalg.norm(down))
    return skin & (request.mask > INVISIBLE)


def _square(picture: np.ndarray) -> np.ndarray:
    """A picture padded to a square on the right or at the bottom, by replicating its border: models paint squares."""
    height, width = picture.shape[:2]
    side = max(height, width)
    return cv2.copyMakeBorder(picture, 0, side - height, 0, side - width, cv2.BORDER_REPLICATE)


def _resized(square: np.ndarray, side: int) -> np.ndarray:
    """A square picture resized; by area averaging if smaller, which avoids aliasing."""
    shrunk = side < square.shape[0]
    return cv2.resize(square, (side, side), interpolation=cv2.INTER_AREA if shrunk else cv2.INTER_LINEAR)
