"""The optimizer: AdamW, without weight decay on norms and biases."""

import torch
from mmengine.optim import OptimWrapper

from facade.params import Train

# Gradients are clipped to this norm.
MAX_GRADIENT_NORM = 10.0
NORMS = (
    torch.nn.modules.batchnorm._BatchNorm,
    torch.nn.modules.instancenorm._InstanceNorm,
    torch.nn.GroupNorm,
    torch.nn.LayerNorm,
)


class Bfloat16OptimWrapper(OptimWrapper):
    """Runs the model under bfloat16 autocast, on any device. bfloat16 needs no loss scaling.

    mmengine's `AmpOptimWrapper` refuses to run without an accelerator.
    """

    def __init__(self, device: str, **settings) -> None:  # type: ignore[no-untyped-def]
        super().__init__(**settings)
        self._device = device

    def optim_context(self, model: torch.nn.Module):  # type: ignore[no-untyped-def]
        """The context in which the loss is computed."""
        return torch.autocast(self._device, torch.bfloat16)


def optimizer(model: torch.nn.Module, train: Train, device: str) -> OptimWrapper:
    """The optimizer of a run. Weights of convolutions decay; norms and biases do not.

    There are two parameter groups, each updated by one fused call. mmengine would make a group of each tensor, whose
    calls take a tenth of the training time of a small model.

    Args:
        model: The model to train.
        train: Learning rate, decay and precision.
        device: "cpu" or "cuda".
    """
    decays: list[torch.nn.Parameter] = []
    others: list[torch.nn.Parameter] = []
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            (others if isinstance(module, NORMS) or name == "bias" else decays).append(parameter)
    groups = [{"params": decays}, {"params": others, "weight_decay": 0.0}]
    adam = torch.optim.AdamW(groups, lr=train.learning_rate, weight_decay=train.weight_decay, fused=True)
    if train.precision == "bfloat16":
        return Bfloat16OptimWrapper(device, optimizer=adam, clip_grad={"max_norm": MAX_GRADIENT_NORM})
    return OptimWrapper(optimizer=adam, clip_grad={"max_norm": MAX_GRADIENT_NORM})
