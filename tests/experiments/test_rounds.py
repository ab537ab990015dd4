"""Studies of several rounds: their clone and their pages. tests/test_pipeline.py runs them."""

import shutil

from facade.experiments import domain_study, misses_study
from facade.experiments.clone import Clone
from facade.params import load
from tests.conftest import REPOSITORY

DIFFERENCE = {"rounds": "a minus b", "metric": "AP50", "difference": 0.1, "low": 0.05, "high": 0.15}


def test_clone_changes_only_the_given_parameters(tmp_path):
    clone = Clone.__new__(Clone)
    clone.root = tmp_path
    shutil.copy(REPOSITORY / "params.yaml", tmp_path / "params.yaml")
    clone.set("ingest", domain={"train": ["plain", "fisheye"]}, golden_lock="abc")
    before, after = load(REPOSITORY / "params.yaml"), load(tmp_path / "params.yaml")
    assert after.ingest.domain.train == ("plain", "fisheye")
    assert after.ingest.golden_lock == "abc"
    assert after.ingest.domain.shake == before.ingest.domain.shake
    assert after.model_copy(update={"ingest": before.ingest}) == before


def test_page_on_misses_states_what_was_compared():
    counts = {"pool": 300, "photographs": 174, "misses": 271, "random": 174, "shared": 101}
    content = {"counts": counts, "seeds": 4, "recall": {"round 0": 0.7}, "differences": [DIFFERENCE]}
    text = misses_study.page(content, synthetic=True)
    assert "miss 271 faces in 174 photographs" in text
    assert "101 of which are among those with misses" in text
    assert "| a minus b | AP50 | 0.1 | 0.05 | 0.15 |" in text
    assert "say nothing about real faces" in text
    assert "say nothing about real faces" not in misses_study.page(content, synthetic=False)


def test_page_on_a_camera_has_a_row_for_each_training_and_test_set():
    one = {"AP50": {"generic": 0.5, "fisheye": 0.6}, "recall": {"generic": 0.4, "fisheye": 0.45},
           "differences": [DIFFERENCE]}  # fmt: skip
    content = {"domain": "fisheye", "seeds": 4, "golden": 100, "tests": {"as they are": one, "fisheye": one}}
    text = domain_study.page(content, synthetic=False)
    assert "| generic | fisheye | 0.5 | 0.4 |" in text
    assert "| as they are | a minus b | AP50 | 0.1 | 0.05 | 0.15 |" in text
