"""Membership inference: its figures against independent formulas, and chance where nothing is learned."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from facade.errors import FacadeError
from facade.measure.membership import (
    MIN_PHOTOGRAPHS,
    ScoredFaces,
    infer_membership,
    measure_membership,
    membership_metrics,
    read_scored_faces,
)

PHOTOGRAPHS, FACES = 120, 3
MEMBER = np.arange(PHOTOGRAPHS) % 4 != 0


def sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values))


def scored(
    seed: int, gain: float, difficulty_sd: float = 1.5, runs: int = 2, names: int = PHOTOGRAPHS
) -> tuple[ScoredFaces, np.ndarray]:
    """Faces whose scores depend on their difficulty, on their photograph, and by `gain` on membership.

    Returns:
        The faces with their scores, and those of reference runs that know their difficulty alone.
    """
    random = np.random.default_rng(seed)
    photograph = np.repeat(np.arange(names), FACES)
    difficulty = random.normal(0, difficulty_sd, len(photograph))
    shared = random.normal(0, 0.4, names)[photograph]
    member = np.resize(MEMBER, names)[photograph]
    scores = difficulty + shared + gain * member + random.normal(0, 0.5, (runs, len(photograph)))
    references = difficulty + random.normal(0, 0.3, (2, len(photograph)))
    heights = random.uniform(8, 60, len(photograph))
    files = tuple(f"{number}.jpg" for number in range(names))
    return ScoredFaces(files, photograph, heights, sigmoid(scores), sigmoid(references)), sigmoid(references)


@pytest.mark.parametrize("rounding", [6, 1])
def test_plain_auc_is_mann_whitneys_statistic_also_with_ties(rounding):
    faces, _ = scored(0, 0.5)
    faces = replace(faces, scores=faces.scores.round(rounding))
    found = infer_membership(faces, MEMBER, [], "raw")
    assert found is not None
    member = np.tile(MEMBER[faces.photograph], len(faces.scores))
    kept = np.clip(faces.scores.ravel(), 1e-3, 1 - 1e-3)
    statistic = stats.mannwhitneyu(kept[member], kept[~member]).statistic
    assert found.uncalibrated.estimate == pytest.approx(statistic / (member.sum() * (~member).sum()))


def test_calibrated_figures_are_those_of_residuals_by_brute_force():
    faces, references = scored(1, 1.0, runs=1)
    found = infer_membership(faces, MEMBER, [references], "raw")
    assert found is not None
    assert found.tpr is None, "90 faces of non-members cannot show one in a hundred"
    faces, references = scored(1, 1.0, runs=3)
    found = infer_membership(faces, MEMBER, [references], "raw")
    assert found is not None
    assert found.tpr is not None

    def logit(values):
        return np.log(values / (1 - values))

    member = np.tile(MEMBER[faces.photograph], 3)
    clipped, known = (logit(np.clip(values, 1e-3, 1 - 1e-3)) for values in (faces.scores, references))
    left = []
    for run in clipped:
        design = np.array([np.ones(len(run)), known.mean(0), np.log(faces.heights)]).T
        solution = np.linalg.solve(design.T @ design, design.T @ run)  # normal equations
        residual = run - design @ solution
        left.append(residual / residual.std())
    pooled = np.concatenate(left)
    pairs = pooled[member][:, None] - pooled[~member][None]
    assert found.auc.estimate == pytest.approx((pairs > 0).mean())
    threshold = np.sort(pooled[~member])[::-1][int(0.01 * (~member).sum())]  # all above it: at most 1 % of non-members
    assert found.tpr.estimate == pytest.approx((pooled[member] > threshold).mean())


def test_calibration_finds_what_difficulty_hides():
    faces, references = scored(2, 0.8)
    found = infer_membership(faces, MEMBER, [references], "raw")
    assert found is not None
    assert found.auc.low > 0.7 > found.uncalibrated.estimate
    assert found.auc.low < found.auc.estimate < found.auc.high
    assert (found.members, found.others) == (270, 90)


def test_where_nothing_was_learned_the_interval_holds_chance():
    """60 experiments without any effect of membership; their faces correlate within photographs, as real ones do."""
    intervals = []
    for seed in range(60):
        faces, references = scored(seed, 0.0)
        found = infer_membership(faces, MEMBER, [references], "raw")
        assert found is not None
        intervals.append(found.auc)
    covered = sum(one.low <= 0.5 <= one.high for one in intervals)
    assert covered >= 52, "95 % of 60 is 57; fewer than 52 happens once in a hundred"
    assert np.mean([one.estimate for one in intervals]) == pytest.approx(0.5, abs=0.02)


def test_the_same_faces_give_the_same_figures_and_each_arm_its_own_samples():
    faces, references = scored(3, 0.3)
    once = infer_membership(faces, MEMBER, [references], "raw")
    assert once == infer_membership(faces, MEMBER, [references], "raw")
    other = infer_membership(faces, MEMBER, [references], "blur")
    assert once is not None
    assert other is not None
    assert once.auc.estimate == other.auc.estimate
    assert once.auc != other.auc


@pytest.mark.parametrize("side", [True, False])
def test_too_few_photographs_of_either_kind_are_not_measured(side):
    faces, references = scored(4, 1.0, names=30)
    for count, measured in ((MIN_PHOTOGRAPHS - 1, False), (MIN_PHOTOGRAPHS, True)):
        member = np.full(30, not side)
        member[:count] = side
        assert (infer_membership(faces, member, [references], "raw") is not None) == measured


def test_an_arm_without_runs_is_not_measured():
    faces, references = scored(5, 1.0, runs=0)
    assert infer_membership(faces, MEMBER, [references], "raw") is None


def test_the_initial_weights_and_other_arms_tell_the_difficulty_but_an_arm_not_its_own():
    """With its own scores as their difficulty, nothing would be left to tell members by."""
    faces, references = scored(6, 1.0)
    other, _ = scored(6, 0.0)
    held_out = {file for file, is_member in zip(faces.photographs, MEMBER, strict=True) if not is_member}
    arms = {"raw": faces, "blur": faces, "pseudo": other}
    found = measure_membership(arms, dict.fromkeys(arms, held_out), ["blur", "pseudo"])
    assert found["blur"] == infer_membership(faces, MEMBER, [references, other.scores], "blur")
    assert found["raw"] == infer_membership(faces, MEMBER, [references, faces.scores, other.scores], "raw")
    without = {name: replace(one, start_scores=np.zeros((0, len(one.heights)))) for name, one in arms.items()}
    found = measure_membership(without, {"blur": held_out}, ["blur", "pseudo"])
    assert found["blur"] == infer_membership(faces, MEMBER, [other.scores], "blur")


def test_arms_that_ran_on_different_faces_are_refused():
    first, _ = scored(7, 0.0)
    second, _ = scored(7, 0.0, names=100)
    with pytest.raises(FacadeError, match=r"detections/blur/membership.json has other faces"):
        measure_membership({"raw": first, "blur": second}, {"raw": set()}, ["blur"])


def test_metrics_say_what_was_not_measured():
    faces, references = scored(8, 0.5, runs=1)
    one = infer_membership(faces, MEMBER, [references], "raw")
    content = membership_metrics({"raw": one, "blur": None})
    assert content["blur"] == "not measured"
    assert content["raw"]["tpr"] == "not measured"
    assert content["raw"]["auc_low"] <= content["raw"]["auc"] <= content["raw"]["auc_high"]
    assert set(content["raw"]) == {
        "members", "others", "auc", "auc_low", "auc_high", "tpr", "uncalibrated_auc", "uncalibrated_auc_low",
        "uncalibrated_auc_high",
    }  # fmt: skip


@pytest.mark.parametrize("change", [{"scores": {"seed-0": [1, 2]}}, {"heights": None}, {"start_scores": [3]}])
def test_a_damaged_file_is_refused_with_a_sentence(tmp_path, change):
    path = tmp_path / "membership.json"
    content = {
        "photographs": ["a"],
        "face_photograph": [0],
        "heights": [9],
        "scores": {"seed-0": [1]},
        "start_scores": {},
    }
    path.write_text(json.dumps(content))
    assert read_scored_faces(path).start_scores.shape == (0, 1)
    path.write_text(json.dumps(content | change))
    with pytest.raises(FacadeError, match="holds no scores of faces"):
        read_scored_faces(path)
