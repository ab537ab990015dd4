"""A diffusion model as a source of faces: it paints a person into the gap that another one left.

Any inpainting model that diffusers can load. What it needs is installed by requirements-diffusion.txt.
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
from facade.sources.source import Layer, Setting

# Who may come, and how often: as many children among the people as draw_identity makes.
PEOPLE = {
    "a girl": 0.05, "a boy": 0.05,
    "a young woman": 0.18, "a young man": 0.18,
    "a middle-aged woman": 0.15, "a middle-aged man": 0.15,
    "an old woman": 0.12, "an old man": 0.12,
}  # fmt: skip
# From which turn on a picture is called three-quarter and profile, and from which tilt on somebody looks up or down,
# in degrees: halfway between the views that the words stand for (0, 45 and 90; level and 30).
THREE_QUARTER, PROFILE, TILTED = 22.5, 67.5, 15.0
# Beyond this turn, in degrees, the far cheek is too narrow to tell a tone from.
FAR_CHEEK = 30.0
# How far the painted area reaches beyond the gap, in shares of the face's smaller side, and in pixels at the least. A
# model paints in cells of 8 of its pixels: on a crop three times as wide as the face, at 512, this is 3 cells.
MARGIN, LEAST_MARGIN = 0.14, 2.0
# A gap as faint as this does not show in 8 bits.
FAINT = 1 / 255
# How often a face is painted anew that a model's own safety checker has blackened.
TRIES = 4


@dataclass(frozen=True)
class _Order:
    """What a model is asked for.

    Attributes:
        setting: The place.
        prompt: What to paint.
        seeds: Of the noise that each try starts from.
        alpha: (h, w) float32: 1 in the gap, falling softly to 0 within the margin.
    """

    setting: Setting
    prompt: str
    seeds: list[int]
    alpha: np.ndarray


class DiffusionFaces:
    """Synthetic faces from a diffusion model.

    The model is loaded when the first face is asked for; until then the object is small and can be pickled.
    """

    def __init__(self, params: Diffusion) -> None:
        self.params = params

    def layers(self, settings: Iterable[Setting]) -> Iterator[Layer]:
        """A face for each setting, in their order; `params.batch` settings are held at a time.

        Each face starts from noise of its own, the same on every device, so neither order nor batch decide who comes.
        Batches of another size may change last digits, because processors then add in another order.

        Raises:
            FacadeError: diffusers or the model is missing, or the model gives no picture of a face.
        """
        waiting = iter(settings)
        while batch := list(islice(waiting, self.params.batch)):
            orders = [self._order(setting) for setting in batch]
            for order, square in zip(orders, self._paint(orders), strict=True):
                height, width = order.alpha.shape
                side = max(height, width)
                pixels = np.ascontiguousarray(_resized(square, side)[:height, :width])
                yield Layer(pixels, order.alpha, cheeks_and_chin(order.setting))

    def _order(self, setting: Setting) -> _Order:
        who = str(setting.who.choice(list(PEOPLE), p=list(PEOPLE.values())))
        return _Order(
            setting=setting,
            prompt=self.params.prompt.format(who=who, view=view_in_words(setting.view.pose)),
            seeds=setting.who.integers(2**63, size=TRIES).tolist(),
            alpha=softly_widened(setting.gap, max(LEAST_MARGIN, MARGIN * min(setting.bbox[2:]))),
        )

    def _paint(self, orders: list[_Order]) -> list[np.ndarray]:
        """Squares with a face each, (size, size, 3) float32, BGR, 0 to 1."""
        painted: dict[int, np.ndarray] = {}
        for attempt in range(TRIES):
            left = [number for number in range(len(orders)) if number not in painted]
            if not left:
                break
            squares = self._try([orders[number] for number in left], attempt)
            # Black is what a safety checker leaves; pasted, it would be a treatment of its own.
            painted |= {number: square for number, square in zip(left, squares, strict=True) if square.any()}
        if len(painted) < len(orders):
            raise FacadeError(
                f"{self.params.model} gave a black picture {TRIES} times for one face: its safety checker objects. "
                "Change synthesize.key, or synthesize.diffusion.prompt or model."
            )
        return [painted[number] for number in range(len(orders))]

    def _try(self, orders: list[_Order], attempt: int) -> np.ndarray:
        """Squares, black ones among them, (N, size, size, 3) float32, BGR, 0 to 1."""
        import torch

        size = self.params.size
        rgb = [_resized(_square(order.setting.pixels), size)[..., ::-1] for order in orders]
        wanted = [_resized(_square(order.alpha), size) > 0 for order in orders]
        images = self._pipeline(
            prompt=[order.prompt for order in orders],
            image=np.stack(rgb),
            mask_image=np.stack(wanted)[..., None].astype(np.float32),
            height=size,
            width=size,
            strength=self.params.strength,
            num_inference_steps=self.params.steps,
            guidance_scale=self.params.guidance,
            # On the CPU, whose generator gives the same numbers everywhere.
            generator=[torch.Generator("cpu").manual_seed(order.seeds[attempt]) for order in orders],
            output_type="np",
        ).images
        if not np.isfinite(images).all():
            raise FacadeError(
                f"{self.params.model} gave a picture that is no numbers, as models do for which half precision, used "
                "on a GPU, is too little. Choose another synthesize.diffusion.model."
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
                f"synthesize.source is diffusion, and what it needs is not installed ({error}). "
                "Run: pip install -r requirements-diffusion.txt"
            ) from None
        logging.set_verbosity_error()
        device = "cuda" if torch.cuda.is_available() else "cpu"
        # Weights that come as pickles are read as numbers only (diffusers' and transformers' weights_only), and no
        # code that comes with a model is run.
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


def view_in_words(pose: Pose) -> str:
    """How a head is held, as one says it of a portrait: "three-quarter view facing left, looking down"."""
    side = "right" if pose.yaw > 0 else "left"
    turned = abs(pose.yaw)
    words = (
        "frontal view" if turned < THREE_QUARTER
        else f"three-quarter view facing {side}" if turned < PROFILE
        else f"profile view facing {side}"
    )  # fmt: skip
    if abs(pose.pitch) < TILTED:
        return words
    return f"{words}, looking {'up' if pose.pitch > 0 else 'down'}"


def softly_widened(gap: np.ndarray, margin: float) -> np.ndarray:
    """A gap with a soft edge around it.

    Args:
        gap: (h, w) float32, 0 to 1: where something was erased, if only a little.
        margin: Width of the edge, pixels.

    Returns:
        (h, w) float32: 1 wherever anything was erased and in the pixel beside it, then falling to 0.
    """
    if not (gap > FAINT).any():
        return np.zeros_like(gap)
    away = cv2.distanceTransform((gap <= FAINT).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    level = np.clip(1 - (away - 1) / margin, 0, 1)
    return (level * level * (3 - 2 * level)).astype(np.float32)


def cheeks_and_chin(setting: Setting) -> np.ndarray:
    """Where bare skin is to be expected, by the landmarks, (h, w) bool: discs on the cheeks and the chin.

    The model is not held to the landmarks: this is where skin most likely is, not where it was seen.
    """
    left_eye, right_eye, _, left_mouth, right_mouth = setting.keypoints
    eyes, mouth = (left_eye + right_eye) / 2, (left_mouth + right_mouth) / 2
    down = mouth - eyes
    spots = [mouth + 0.45 * down]
    # Who turns to the right of the picture shows the cheek on its left.
    if setting.view.pose.yaw > -FAR_CHEEK:
        spots.append((left_eye + left_mouth) / 2)
    if setting.view.pose.yaw < FAR_CHEEK:
        spots.append((right_eye + right_mouth) / 2)
    height, width = setting.gap.shape
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    skin = np.zeros((height, width), bool)
    for spot in spots:
        skin |= np.hypot(x - spot[0], y - spot[1]) < 0.15 * float(np.linalg.norm(down))
    return skin & (setting.gap > FAINT)


def _square(picture: np.ndarray) -> np.ndarray:
    """A picture continued to the right or below until it is as high as wide: models paint squares."""
    height, width = picture.shape[:2]
    side = max(height, width)
    return cv2.copyMakeBorder(picture, 0, side - height, 0, side - width, cv2.BORDER_REPLICATE)


def _resized(square: np.ndarray, side: int) -> np.ndarray:
    """A square picture in another size; shrunk with a filter, so that nothing is speckled."""
    shrunk = side < square.shape[0]
    return cv2.resize(square, (side, side), interpolation=cv2.INTER_AREA if shrunk else cv2.INTER_LINEAR)
