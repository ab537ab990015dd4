"""Initial weights: whole detectors, and backbones under any names."""

import pytest
import timm
import torch

from facade.detector.model import build, model_config
from facade.detector.start import load_start
from facade.errors import FacadeError


@pytest.fixture
def model(params):
    torch.manual_seed(1)
    return build(model_config(params.detector, params.detect))


@pytest.fixture
def backbone(params):
    torch.manual_seed(3)
    return timm.create_model(params.detector.backbone)


def saved(state, tmp_path):
    torch.save(state, tmp_path / "weights.pth")
    return tmp_path / "weights.pth"


def equal(model, original) -> bool:
    return torch.equal(model.backbone.body.conv_stem.weight, original.conv_stem.weight)


def test_all_weights_of_a_detector_are_loaded(tmp_path, model, params):
    torch.manual_seed(2)
    other = build(model_config(params.detector, params.detect))
    load_start(model, saved(other.state_dict(), tmp_path))
    assert all(torch.equal(one, another) for one, another in zip(model.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize("prefix", ["", "module."])
def test_a_backbone_is_matched_by_timms_names(tmp_path, model, backbone, prefix):
    state = {f"{prefix}{name}": value for name, value in backbone.state_dict().items()}
    load_start(model, saved({"state_dict": state}, tmp_path))
    assert equal(model, backbone)


def test_a_backbone_under_other_names_is_matched_by_order(tmp_path, model, backbone):
    state = {f"layer{number}": value for number, value in enumerate(backbone.state_dict().values())}
    load_start(model, saved(state, tmp_path))
    own = list(model.backbone.body.state_dict().values())
    given = list(backbone.state_dict().values())[: len(own)]
    assert all(torch.equal(one, another) for one, another in zip(own, given, strict=True))


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"layer0": torch.zeros(3, 3)}, "match neither this detector nor its backbone"),
        ({"epoch": 3}, "holds no state dict"),
    ],
)
def test_unrelated_weights_are_refused(tmp_path, model, state, message):
    with pytest.raises(FacadeError, match=message):
        load_start(model, saved(state, tmp_path))


def test_another_detector_is_refused(tmp_path, model, params):
    """Its first tensors, which are a backbone's, are not matched by order."""
    other = build(model_config(params.detector.model_copy(update={"convs": 2}), params.detect))
    with pytest.raises(FacadeError, match="holds weights of another detector"):
        load_start(model, saved(other.state_dict(), tmp_path))


def test_tensors_of_one_shape_in_another_order_are_refused(tmp_path, model, backbone):
    state = list(backbone.state_dict().items())
    norm = next(number for number, (name, _) in enumerate(state) if name.endswith("bn1.weight"))
    state[norm], state[norm + 1] = state[norm + 1], state[norm]
    with pytest.raises(FacadeError, match="match neither this detector"):
        load_start(model, saved({f"x{number}.{name}": value for number, (name, value) in enumerate(state)}, tmp_path))


def test_another_network_under_other_names_is_refused(tmp_path, model):
    other = timm.create_model("mobilenetv4_conv_small_035").state_dict()
    state = {f"layer{number}": value for number, value in enumerate(other.values())}
    with pytest.raises(FacadeError, match=r"Set detector\.backbone"):
        load_start(model, saved(state, tmp_path))
