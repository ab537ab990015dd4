"""Training data: photographs resized, cropped and flipped, with randomness that belongs to each photograph."""

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
from facade.dataset.coco_content import CATEGORY
from facade.params import Detect, Train
from facade.seeds import generator

# Value of padding (BGR): ImageNet's mean color, which the preprocessor turns into zeros.
PADDING = (104, 116, 124)
# Below this scale factor, photographs are resized by area averaging.
AREA_BELOW = 0.6
# A box clipped by the crop is dropped unless its width and height exceed this, pixels.
MIN_SIDE = 1.0
# Limits of the scale factor that gives a face a size: beyond, there are no details to magnify, or none are left.
FACE_SCALE = (0.2, 3.0)
# Margin of a crop that is placed around a face, as a share of its side: the face's center does not lie in it.
CROP_MARGIN = 0.1


@DATASETS.register_module()
class SeededCoco(CocoDataset):
    """mmdet's COCO data set with augmentation that depends on the seed, the epoch and the photograph alone.

    So neither the worker that loads a photograph matters, nor the order, nor an interruption of the training; and every
    arm sees the same crops.
    """

    METAINFO: ClassVar = {"classes": (CATEGORY["name"],), "palette": [(0, 114, 178)]}

    def __init__(self, seed: int, **settings: Any) -> None:
        self.seed = seed
        self.epoch = 0  # set by the training before each epoch
        super().__init__(**settings)

    def prepare_data(self, idx: int) -> Any:
        """One augmented training sample. mmdet's transforms use the global generators, which are seeded here."""
        own = generator("augment", self.seed, self.epoch, idx)
        random.seed(int(own.integers(2**32)))
        np.random.seed(int(own.integers(2**32)))  # noqa: NPY002
        return super().prepare_data(idx)


@TRANSFORMS.register_module()
class LoadPhotograph(BaseTransform):
    """Loads a photograph of a data set that Facade wrote, from files or shards.

    Args:
        root: The data set.
        cache_size: Maximum size of the cache of decoded photographs, in bytes. If all photographs fit, each is decoded
            once; if not, none is cached.
        preload: Whether to fill the cache now, so that processes forked from this one share it.
    """

    def __init__(self, root: str, cache_size: int = 0, preload: bool = False) -> None:
        self._photographs = Photographs(root)
        self._by_file = {photograph.file: photograph for photograph in self._photographs}
        self._caches = sum(3 * one.width * one.height for one in self._photographs) <= cache_size
        self._cache: dict[str, np.ndarray] = {}
        if preload and self._caches:
            for photograph in self._photographs:
                self._pixels(photograph)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add the pixels and their size to mmdet's `results`."""
        image = self._pixels(self._by_file[results["img_path"]])
        return results | {"img": image, "img_shape": image.shape[:2], "ori_shape": image.shape[:2]}

    def _pixels(self, photograph: Photograph) -> np.ndarray:
        if (cached := self._cache.get(photograph.file)) is not None:
            return cached
        image = self._photographs.pixels(photograph)
        if self._caches:
            image.flags.writeable = False
            self._cache[photograph.file] = image
        return image


@TRANSFORMS.register_module()
class FaceCrop(BaseTransform):
    """A square crop at a random scale, around one of the photograph's faces or anywhere.

    Where faces are small, most random crops show none, and teach a detector little. Detectors for WIDER FACE therefore
    crop around faces (as in PyramidBox, Tang et al., arXiv 1803.07737, section 3.3). The crop is cut before it is
    resized, so pixels outside of it cost nothing.

    Args:
        size: Longest side to which the photograph is resized at scale 1, pixels.
        scale: Minimum and maximum of a further scale factor, log-uniform.
        crop: Side of the crop, pixels. A smaller photograph is padded later.
        face_share: Share of the crops that are placed around a face, 0 to 1.
        face_sizes: Minimum and maximum side of the face that a crop is placed around, pixels, log-uniform; None: its
            scale is sampled as in other crops.
        min_visible: Faces of which the crop leaves a smaller share of the box are ignored, 0 to 1.
    """

    def __init__(
        self, size: int, scale: tuple[float, float], crop: int, face_share: float,
        face_sizes: tuple[float, float] | None = None, min_visible: float = 0,
    ) -> None:  # fmt: skip
        self._size, self._scale, self._crop, self._face_share = size, scale, crop, face_share
        self._face_sizes, self._min_visible = face_sizes, min_visible

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Crop and resize pixels and boxes. Boxes are clipped to the crop; those outside are dropped."""
        image, boxes, ignored = results["img"], results["gt_bboxes"], results["gt_ignore_flags"]
        height, width = image.shape[:2]
        xyxy = boxes.tensor.numpy()
        factor = self._size / max(height, width) * np.exp(np.random.uniform(*np.log(self._scale)))  # noqa: NPY002
        face = self._choose_face(xyxy[~ignored])
        if face is not None and self._face_sizes is not None:
            side = np.exp(np.random.uniform(*np.log(self._face_sizes)))  # noqa: NPY002
            factor = np.clip(side / max(1, np.sqrt(np.prod(face[2:] - face[:2]))), *FACE_SCALE)
        window = self._crop / factor
        corner = self._corner(face, window, np.array([width, height]))
        left, top = (int(value) for value in corner)
        right, bottom = min(width, ceil(corner[0] + window)), min(height, ceil(corner[1] + window))
        size = tuple(max(1, min(self._crop, round(side * factor))) for side in (right - left, bottom - top))
        # Bilinear interpolation would alias at small scales.
        interpolation = cv2.INTER_AREA if factor < AREA_BELOW else cv2.INTER_LINEAR
        cut = (xyxy - [left, top, left, top]) * np.tile(np.divide(size, [right - left, bottom - top]), 2)
        cut = np.clip(cut, 0, np.tile(size, 2)).astype(np.float32)
        kept = (cut[:, 2:] - cut[:, :2] > MIN_SIDE).all(1)
        whole = np.prod(xyxy[:, 2:] - xyxy[:, :2], 1) * factor**2
        ignored = ignored | (np.prod(cut[:, 2:] - cut[:, :2], 1) < self._min_visible * whole)
        return results | {
            "img": cv2.resize(image[top:bottom, left:right], size, interpolation=interpolation),
            "img_shape": (size[1], size[0]),
            "gt_bboxes": HorizontalBoxes(cut[kept]),
            "gt_bboxes_labels": results["gt_bboxes_labels"][kept],
            "gt_ignore_flags": ignored[kept],
        }

    def _choose_face(self, faces: np.ndarray) -> np.ndarray | None:
        """The face that the crop is placed around, (4,) xyxy; None for a crop anywhere."""
        if not len(faces) or np.random.random() >= self._face_share:  # noqa: NPY002
            return None
        return np.asarray(faces[np.random.randint(len(faces))])  # noqa: NPY002

    def _corner(self, face: np.ndarray | None, window: float, size: np.ndarray) -> np.ndarray:
        """Top left corner of the crop, (2,) x y in pixels of the photograph."""
        room = np.maximum(size - window, 0)
        if face is None:
            return np.random.uniform(0, room)  # noqa: NPY002
        center = (face[:2] + face[2:]) / 2
        return np.clip(center - window * np.random.uniform(CROP_MARGIN, 1 - CROP_MARGIN, 2), 0, room)  # noqa: NPY002


def training_pipeline(load: dict[str, Any], train: Train, detect: Detect) -> list[dict[str, Any]]:
    """Mmdet's transforms of a training photograph, after the one that loads it."""
    return [
        load,
        {"type": "LoadAnnotations", "with_bbox": True},
        {
            "type": "FaceCrop",
            "size": detect.size,
            "scale": train.scale,
            "crop": train.crop,
            "face_share": train.face_crops / 100,
            "face_sizes": train.face_sizes,
            "min_visible": train.min_visible / 100,
        },
        {"type": "RandomFlip", "prob": 0.5},
        {"type": "Pad", "size": (train.crop, train.crop), "pad_val": {"img": PADDING}},
        {"type": "PackDetInputs"},
    ]


def inference_pipeline(detect: Detect) -> list[dict[str, Any]]:
    """Mmdet's transforms of an image to detect faces in."""
    return [
        {"type": "LoadImageFromNDArray"},
        {"type": "Resize", "scale": (detect.size, detect.size), "keep_ratio": True},
        {"type": "PackDetInputs", "meta_keys": ("img_id", "img_path", "ori_shape", "img_shape", "scale_factor")},
    ]
