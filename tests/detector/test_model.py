"""The model, and the parts that mmdet does not have."""

import numpy as np
import pytest
import torch

from facade.detector.assigner import IgnoringAssigner
from facade.detector.backbone import TimmBackbone, available_strides
from facade.detector.model import model_config
from facade.detector.operators import _Operators
from facade.errors import FacadeError


def plain_nms(boxes: np.ndarray, scores: np.ndarray, threshold: float) -> list[int]:
    """Non-maximum suppression as its definition reads."""
    left = list(np.argsort(-scores, kind="stable"))
    kept = []
    while left:
        best = left.pop(0)
        kept.append(int(best))
        low = np.maximum(boxes[left, :2], boxes[best, :2])
        high = np.minimum(boxes[left, 2:], boxes[best, 2:])
        shared = np.clip(high - low, 0, None).prod(1)
        areas = (boxes[:, 2:] - boxes[:, :2]).prod(1)
        iou = shared / (areas[left] + areas[best] - shared)
        left = [index for index, value in zip(left, iou, strict=True) if value <= threshold]
    return kept


@pytest.mark.parametrize("seed", range(5))
def test_nms_equals_its_definition(seed):
    random = np.random.default_rng(seed)
    corner = random.uniform(0, 80, (60, 2))
    boxes = np.concatenate([corner, corner + random.uniform(5, 40, (60, 2))], axis=1)
    scores = random.permutation(60) / 60
    kept = _Operators("x").nms(torch.tensor(boxes), torch.tensor(scores), 0.5, 0)
    assert kept.tolist() == plain_nms(boxes, scores, 0.5)


def test_a_missing_operator_raises_when_it_is_called():
    with pytest.raises(NotImplementedError, match="roi_align_forward needs the compiled mmcv"):
        _Operators("x").roi_align_forward(1, 2)


def test_mmdet_uses_the_replacement():
    from mmcv.ops import batched_nms

    boxes = torch.tensor([[0, 0, 10, 10], [1, 1, 10, 10], [50, 50, 60, 60]], dtype=torch.float32)
    scores, labels = torch.tensor([0.9, 0.8, 0.7]), torch.zeros(3, dtype=torch.long)
    kept = batched_nms(boxes, scores, labels, {"type": "nms", "iou_threshold": 0.5})[1]
    assert kept.tolist() == [0, 2]


@pytest.mark.parametrize("strides", [[8, 16, 32], [4, 8]])
def test_the_backbone_gives_feature_maps_at_the_strides(strides):
    backbone = TimmBackbone("mobilenetv4_conv_small_050", strides)
    maps = backbone(torch.zeros(2, 3, 64, 96))
    assert [tuple(feature.shape[2:]) for feature in maps] == [(64 // s, 96 // s) for s in strides]
    assert [feature.shape[1] for feature in maps] == backbone.channels


def test_a_backbone_that_timm_does_not_have_is_refused_with_a_message():
    with pytest.raises(FacadeError, match="detector.backbone is 'resnet9000'"):
        available_strides("resnet9000")


def test_unavailable_strides_are_refused_with_a_message(params):
    with pytest.raises(FacadeError, match=r"strides is \[64, 128\]"):
        model_config(params.detector.model_copy(update={"strides": (64, 128)}), params.detect)


class Instances:
    """The few attributes of mmengine's InstanceData that assigners use."""

    def __init__(self, **values: torch.Tensor) -> None:
        self.__dict__.update(values)

    def __len__(self) -> int:
        return len(next(iter(self.__dict__.values())))

    def __contains__(self, name: str) -> bool:
        return name in self.__dict__


@pytest.mark.parametrize("others", [0, 1])
def test_anchors_inside_an_ignored_face_are_neither_positive_nor_negative(others):
    axis = torch.arange(4, 128, 8.0)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    centers = torch.stack([x.ravel(), y.ravel()], 1)
    priors = torch.cat([centers - 16, centers + 16], 1)
    faces = torch.tensor([[80.0, 80, 112, 112]])[:others]
    ignored = torch.tensor([[10.0, 10, 40, 40]])
    result = IgnoringAssigner(topk=9).assign(
        Instances(priors=priors),
        [len(priors)],
        Instances(bboxes=faces, labels=torch.zeros(others, dtype=torch.long)),
        Instances(bboxes=ignored),
    )
    inside = ((centers >= 10) & (centers <= 40)).all(1)
    assert (result.gt_inds[inside] == -1).all()
    assert (result.gt_inds[~inside] >= 0).all()
    assert bool((result.gt_inds > 0).any()) == bool(others)
