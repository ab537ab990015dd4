"""The stand-in attacker."""

import json
import re

import numpy as np
import pytest

from facade.audit.attacker import ABOUT, WEIGHTS, DrawnRecogniser, about, train_attacker
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
    assert re.fullmatch(named, about(tmp_path / "one"))
    assert folder_leaks(tmp_path / "one", {str(tmp_path)}) == []
    network = DrawnRecogniser(tmp_path / "one" / WEIGHTS)
    embedding = network.embed(noise(112, 112))
    assert embedding.shape == (128,)
    assert np.linalg.norm(embedding) == pytest.approx(1, abs=1e-5)
    np.testing.assert_array_equal(embedding, network.embed(noise(112, 112)))


def test_other_weights_get_a_sentence(tmp_path):
    import torch

    torch.save({"x": torch.zeros(3)}, tmp_path / WEIGHTS)
    with pytest.raises(FacadeError, match="dvc repro attacker"):
        DrawnRecogniser(tmp_path / WEIGHTS)


@pytest.mark.slow
def test_it_knows_drawn_people_that_it_has_never_seen(tmp_path, params):
    train_attacker(params.audit.people, tmp_path / "attacker")
    told = json.loads((tmp_path / "attacker" / ABOUT).read_text())
    assert told["strangers_auc"] > 0.85
    assert told["strangers_rank1"] > 10 / told["strangers"], "ten times chance"
