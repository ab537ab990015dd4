"""What the training sees: photographs resized, cropped and mirrored, by chance that belongs to each photograph."""

import random
from typing import Any, ClassVar

import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.datasets import CocoDataset
from mmdet.registry import DATASETS, TRANSFORMS

from facade.dataset import Photograph, Photographs
from facade.dataset.store import CATEGORY
from facade.params import Detect, Train
from facade.seeds import generator

# What padding is filled with: the mean colour, which the preprocessor turns into zeros.
PADDING = (104, 116, 124)


@DATASETS.register_module()
class SeededCoco(CocoDataset):
    """mmdet's COCO data set, whose chance depends on the seed, the epoch and the photograph alone.

    So it matters neither which worker prepares a photograph, nor in which order, nor whether the training was
    interrupted; and every arm sees the same crops.
    """

    METAINFO: ClassVar = {"classes": (CATEGORY["name"],), "palette": [(0, 114, 178)]}

    def __init__(self, seed: int, **settings: Any) -> None:
        self.seed = seed
        self.epoch = 0  # set by the training before each epoch
        super().__init__(**settings)

    def prepare_data(self, idx: int) -> Any:
        """The photograph as the training takes it; mmdet's transforms draw from the global generators."""
        chance = generator("augment", self.seed, self.epoch, idx)
        random.seed(int(chance.integers(2**32)))
        np.random.seed(int(chance.integers(2**32)))  # noqa: NPY002
        return super().prepare_data(idx)


@TRANSFORMS.register_module()
class LoadPhotograph(BaseTransform):
    """Reads a photograph of a data set that Facade wrote, in whichever form it is.

    Args:
        root: The data set.
        kept: Bytes that decoded photographs may take in memory. If all of them fit, each is decoded once.
        ahead: Whether they are decoded now, so that processes that are forked from this one share them.
    """

    def __init__(self, root: str, kept: int = 0, ahead: bool = False) -> None:
        self._photographs = Photographs(root)
        self._by_file = {photograph.file: photograph for photograph in self._photographs}
        self._keeps = sum(3 * one.width * one.height for one in self._photographs) <= kept
        self._kept: dict[str, np.ndarray] = {}
        if ahead and self._keeps:
            for photograph in self._photographs:
                self._pixels(photograph)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add the picture, and its size, to what is known of a photograph."""
        image = self._pixels(self._by_file[results["img_path"]])
        return results | {"img": image, "img_shape": image.shape[:2], "ori_shape": image.shape[:2]}

    def _pixels(self, photograph: Photograph) -> np.ndarray:
        if (kept := self._kept.get(photograph.file)) is not None:
            return kept
        image = self._photographs.pixels(photograph)
        if self._keeps:
            image.flags.writeable = False
            self._kept[photograph.file] = image
        return image


def training_steps(load: dict[str, Any], train: Train, detect: Detect) -> list[dict[str, Any]]:
    """Mmdet's transforms of a training photograph, behind the one that loads it."""
    return [
        load,
        {"type": "LoadAnnotations", "with_bbox": True},
        {
            "type": "RandomResize",
            "scale": (detect.size, detect.size),
            "ratio_range": train.scale,
            "keep_ratio": True,
        },
        {"type": "RandomCrop", "crop_size": (train.crop, train.crop), "allow_negative_crop": True},
        {"type": "RandomFlip", "prob": 0.5},
        {"type": "Pad", "size": (train.crop, train.crop), "pad_val": {"img": PADDING}},
        {"type": "PackDetInputs"},
    ]


def detection_steps(detect: Detect) -> list[dict[str, Any]]:
    """Mmdet's transforms of a picture in which faces are to be detected."""
    return [
        {"type": "LoadImageFromNDArray"},
        {"type": "Resize", "scale": (detect.size, detect.size), "keep_ratio": True},
        {"type": "PackDetInputs", "meta_keys": ("img_id", "img_path", "ori_shape", "img_shape", "scale_factor")},
    ]
