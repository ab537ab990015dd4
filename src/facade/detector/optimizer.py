"""How weights are moved: AdamW, with weight decay where it belongs."""

import torch
from mmengine.optim import OptimWrapper

from facade.params import Train

# Longer gradients are shortened to this.
LONGEST = 10.0
NORMS = (
    torch.nn.modules.batchnorm._BatchNorm,
    torch.nn.modules.instancenorm._InstanceNorm,
    torch.nn.GroupNorm,
    torch.nn.LayerNorm,
)


class Bfloat16OptimWrapper(OptimWrapper):
    """Runs the model in bfloat16 where that is safe, on any device; bfloat16 needs no scaling of the loss.

    mmengine's own refuses to work without an accelerator.
    """

    def __init__(self, device: str, **settings) -> None:  # type: ignore[no-untyped-def]
        super().__init__(**settings)
        self._device = device

    def optim_context(self, model: torch.nn.Module):  # type: ignore[no-untyped-def]
        """The context that the loss is computed in."""
        return torch.autocast(self._device, torch.bfloat16)


def optimizer(model: torch.nn.Module, train: Train, device: str) -> OptimWrapper:
    """The optimizer of a run; weights of convolutions decay, norms and biases do not.

    All weights of a kind are one group, which is moved by one call: mmengine would make a group of each tensor, whose
    calls take a tenth of the time of a small model.

    Args:
        model: What is trained.
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
        return Bfloat16OptimWrapper(device, optimizer=adam, clip_grad={"max_norm": LONGEST})
    return OptimWrapper(optimizer=adam, clip_grad={"max_norm": LONGEST})
