"""The label assigner of the detector: ATSS that truly ignores ignored faces."""

from facade.detector.operators import provide_operators

provide_operators()

from mmdet.models.task_modules.assigners import AssignResult, ATSSAssigner  # noqa: E402  after the operators are in place
from mmdet.registry import TASK_UTILS  # noqa: E402


@TASK_UTILS.register_module()
class IgnoringAssigner(ATSSAssigner):
    """ATSS (Zhang et al., arXiv 1912.02424) in which an anchor inside an ignored face is neither positive nor negative.

    mmdet's own compares whole anchors with the ignored boxes. That leaves out small ones, and it drops all of them in
    a photograph without another face. Here an anchor is ignored if its center lies inside an ignored box.
    """

    def assign(self, pred_instances, num_level_priors, gt_instances, gt_instances_ignore=None) -> AssignResult:  # type: ignore[no-untyped-def]
        """Assign faces to anchors; see `ATSSAssigner.assign`."""
        result = super().assign(pred_instances, num_level_priors, gt_instances)
        if gt_instances_ignore is not None and len(gt_instances_ignore):
            priors, boxes = pred_instances.priors, gt_instances_ignore.bboxes
            centers = (priors[:, None, :2] + priors[:, None, 2:4]) / 2
            inside = ((centers >= boxes[None, :, :2]) & (centers <= boxes[None, :, 2:])).all(-1).any(-1)
            result.gt_inds[inside & (result.gt_inds == 0)] = -1
        return result
