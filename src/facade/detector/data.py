"""What the training sees: photographs resized, cropped and mirrored, by chance that belongs to each photograph."""

import random
from math import ceil
from typing import Any, ClassVar

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.datasets import CocoDataset
from mmdet.registry import DATASETS, TRANSFORMS
from mmdet.structures.bbox import HorizontalBoxes

from facade.dataset import Photograph, Photographs
from facade.dataset.store import CATEGORY
from facade.params import Detect, Train
from facade.seeds import generator

# What padding is filled with: the mean colour, which the preprocessor turns into zeros.
PADDING = (104, 116, 124)
# Photographs that become smaller than this share of themselves are averaged.
SHRUNK = 0.6
# What a crop leaves of a box is kept from this width and height on, pixels.
LEAST_SIDE = 1.0
# Share of the crop's side, at each end, in which the middle of the face that it is placed around does not lie.
RIM = 0.1


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


@TRANSFORMS.register_module()
class FaceCrop(BaseTransform):
    """A square crop at a random scale, around one of the photograph's faces or anywhere.

    Where faces are small most crops show none, and teach a detector little; WIDER FACE's detectors anchor their crops
    at faces for that (as in PyramidBox, Tang et al., arXiv 1803.07737, section 3.3). The crop is cut before it is
    resized: pixels outside of it cost nothing.

    Args:
        size: Longest side that the photograph is taken to have, pixels.
        scale: Least and most factor on that size; uniform in the logarithm.
        crop: Side of the crop, pixels. What a smaller photograph leaves is padded later.
        share: Of the crops that are placed around a face, 0 to 1.
    """

    def __init__(self, size: int, scale: tuple[float, float], crop: int, share: float) -> None:
        self._size, self._scale, self._crop, self._share = size, scale, crop, share

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Cut and resize picture and boxes; boxes that reach out are clipped, those that lie outside leave."""
        image, boxes, ignored = results["img"], results["gt_bboxes"], results["gt_ignore_flags"]
        height, width = image.shape[:2]
        places = boxes.tensor.numpy()
        factor = self._size / max(height, width) * np.exp(np.random.uniform(*np.log(self._scale)))  # noqa: NPY002
        window = self._crop / factor
        corner = self._corner(places[~ignored], window, np.array([width, height]))
        left, top = (int(value) for value in corner)
        right, bottom = min(width, ceil(corner[0] + window)), min(height, ceil(corner[1] + window))
        size = tuple(max(1, min(self._crop, round(side * factor))) for side in (right - left, bottom - top))
        # Averaged where much shrinks: single pixels between would be skipped.
        way = cv2.INTER_AREA if factor < SHRUNK else cv2.INTER_LINEAR
        cut = (places - [left, top, left, top]) * np.tile(np.divide(size, [right - left, bottom - top]), 2)
        cut = np.clip(cut, 0, np.tile(size, 2)).astype(np.float32)
        kept = (cut[:, 2:] - cut[:, :2] > LEAST_SIDE).all(1)
        return results | {
            "img": cv2.resize(image[top:bottom, left:right], size, interpolation=way),
            "img_shape": (size[1], size[0]),
            "gt_bboxes": HorizontalBoxes(cut[kept]),
            "gt_bboxes_labels": results["gt_bboxes_labels"][kept],
            "gt_ignore_flags": ignored[kept],
        }

    def _corner(self, faces: np.ndarray, window: float, size: np.ndarray) -> np.ndarray:
        """Upper left corner of the crop, (2,) x y in pixels of the photograph."""
        room = np.maximum(size - window, 0)
        if not len(faces) or np.random.random() >= self._share:  # noqa: NPY002
            return np.random.uniform(0, room)  # noqa: NPY002
        face = faces[np.random.randint(len(faces))]  # noqa: NPY002
        # The middle of the face lies anywhere in the crop but at its very rim.
        middle = (face[:2] + face[2:]) / 2
        return np.clip(middle - window * np.random.uniform(RIM, 1 - RIM, 2), 0, room)  # noqa: NPY002


def training_steps(load: dict[str, Any], train: Train, detect: Detect) -> list[dict[str, Any]]:
    """Mmdet's transforms of a training photograph, behind the one that loads it."""
    return [
        load,
        {"type": "LoadAnnotations", "with_bbox": True},
        {
            "type": "FaceCrop",
            "size": detect.size,
            "scale": train.scale,
            "crop": train.crop,
            "share": train.face_crops / 100,
        },
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
