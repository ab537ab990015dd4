"""What the training sees: photographs resized, cropped and mirrored, by chance that belongs to each photograph."""

import random
from typing import Any, ClassVar

import numpy as np
from mmdet.datasets import CocoDataset
from mmdet.registry import DATASETS

from facade.dataset.store import CATEGORY
from facade.params import Detect, Train
from facade.seeds import generator

NORMAL_LOAD = {"type": "LoadImageFromFile", "backend_args": None, "imdecode_backend": "cv2"}
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


def training_steps(train: Train, detect: Detect) -> list[dict[str, Any]]:
    """Mmdet's transforms of a training photograph."""
    return [
        NORMAL_LOAD,
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
    """Mmdet's transforms of a photograph in which faces are to be detected."""
    return [
        NORMAL_LOAD,
        {"type": "Resize", "scale": (detect.size, detect.size), "keep_ratio": True},
        {"type": "PackDetInputs", "meta_keys": ("img_id", "img_path", "ori_shape", "img_shape", "scale_factor")},
    ]
