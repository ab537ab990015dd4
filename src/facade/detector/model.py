"""The detector: GFL (Li et al., arXiv 2006.04388) on a timm backbone, as an mmdet model."""

from math import gcd
from typing import Any

from facade.detector.operators import provide_operators

provide_operators()

import torch  # noqa: E402
from mmdet.registry import MODELS  # noqa: E402  after the operators are in place
from mmdet.utils import register_all_modules  # noqa: E402
from mmengine.config import ConfigDict  # noqa: E402
from mmengine.model import BaseModel  # noqa: E402

from facade.detector.assigner import IgnoringAssigner  # noqa: E402
from facade.detector.backbone import TimmBackbone, available_strides  # noqa: E402
from facade.errors import FacadeError  # noqa: E402
from facade.params import Detect, Detector  # noqa: E402

# ImageNet's mean and standard deviation (RGB, 0 to 255), as timm's backbones expect.
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
# Side of an anchor in strides: 32 px at stride 8. Anchors are for label assignment alone; boxes are regressed as
# distances from anchor centers.
ANCHOR = 4
# Greatest distance from an anchor center to a side of its face (GFL's reg_max), in strides: 256 px at stride 32.
REG_MAX = 8


def model_config(detector: Detector, detect: Detect) -> dict[str, Any]:
    """The detector as an mmdet config.

    Raises:
        FacadeError: The backbone has no feature map at one of the strides.
    """
    strides = list(detector.strides)
    available = available_strides(detector.backbone)
    if not set(strides) <= set(available):
        raise FacadeError(
            f"detector.strides is {strides}, but {detector.backbone} has feature maps at strides {available}. Choose "
            "from those."
        )
    backbone = {"type": TimmBackbone.__name__, "name": detector.backbone, "strides": strides}
    channels = TimmBackbone(detector.backbone, strides).channels
    norm = {"type": "GN", "num_groups": gcd(detector.channels, 16), "requires_grad": True}
    return {
        "type": "GFL",
        "data_preprocessor": {
            "type": "DetDataPreprocessor",
            "mean": list(MEAN),
            "std": list(STD),
            "bgr_to_rgb": True,
            "pad_size_divisor": max(strides),
        },
        "backbone": backbone,
        "neck": {
            "type": "FPN",
            "in_channels": channels,
            "out_channels": detector.channels,
            "num_outs": len(strides),
        },
        "bbox_head": {
            "type": "GFLHead",
            "num_classes": 1,
            "in_channels": detector.channels,
            "feat_channels": detector.channels,
            "stacked_convs": detector.convs,
            "norm_cfg": norm,
            "anchor_generator": {
                "type": "AnchorGenerator",
                "ratios": [1.0],
                "octave_base_scale": ANCHOR,
                "scales_per_octave": 1,
                "strides": strides,
            },
            "loss_cls": {"type": "QualityFocalLoss", "use_sigmoid": True, "beta": 2.0, "loss_weight": 1.0},
            "loss_dfl": {"type": "DistributionFocalLoss", "loss_weight": 0.25},
            "reg_max": REG_MAX,
            "loss_bbox": {"type": "GIoULoss", "loss_weight": 2.0},
        },
        "train_cfg": {
            "assigner": {"type": IgnoringAssigner.__name__, "topk": 9},
            "allowed_border": -1,
            "pos_weight": -1,
        },
        "test_cfg": {
            "nms_pre": 2 * detect.max_detections,
            "min_bbox_size": 0,
            "score_thr": detect.min_score,
            "nms": {"type": "nms", "iou_threshold": detect.nms},
            "max_per_img": detect.max_detections,
        },
    }


def build(config: dict[str, Any]) -> BaseModel:
    """Build an mmdet config, with random weights."""
    register_all_modules(init_default_scope=True)
    return MODELS.build(ConfigDict(config)).to(memory_format=torch.channels_last)
