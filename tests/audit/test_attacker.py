"""The stand-in attacker."""

import json
import re

import numpy as np
import pytest

from facade.audit.attacker import ABOUT, WEIGHTS, DrawnRecognizer, describe_attacker, train_attacker
from facade.audit.leaks import folder_leaks
from facade.errors import FacadeError
from tests.conftest import noise, tree


@pytest.mark.slow
def test_two_trainings_are_equal_to_the_byte(tmp_path):
    for name in ("one", "two"):
        train_attacker(6, tmp_path / name)
    assert tree(tmp_path / "one") == tree(tmp_path / "two")
    assert json.loads((tmp_path / "one" / ABOUT).read_text())["people"] == 6
    named = r"a small network trained on drawn faces \(ROC AUC [01]\.\d\d on 3 others\)"
    assert re.fullmatch(named, describe_attacker(tmp_path / "one"))
    assert folder_leaks(tmp_path / "one", {str(tmp_path)}) == []
    network = DrawnRecognizer(tmp_path / "one" / WEIGHTS)
    embedding = network.embed(noise(112, 112))
    assert embedding.shape == (128,)
    assert np.linalg.norm(embedding) == pytest.approx(1, abs=1e-5)
    np.testing.assert_array_equal(embedding, network.embed(noise(112, 112)))


def test_weights_of_another_network_are_an_error(tmp_path):
    import torch

    torch.save({"x": torch.zeros(3)}, tmp_path / WEIGHTS)
    with pytest.raises(FacadeError, match="dvc repro attacker"):
        DrawnRecognizer(tmp_path / WEIGHTS)


@pytest.mark.slow
def test_it_recognizes_drawn_identities_outside_its_training_set(tmp_path, params):
    train_attacker(params.audit.identities, tmp_path / "attacker")
    content = json.loads((tmp_path / "attacker" / ABOUT).read_text())
    assert content["strangers_auc"] > 0.85
    assert content["strangers_rank1"] > 10 / content["strangers"], "ten times chance"
