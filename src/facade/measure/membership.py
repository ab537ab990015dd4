"""Membership inference: can one tell from a detector which photographs it was trained on?

A difficulty-calibrated score attack (Watson et al., ICLR 2022, arXiv 2111.08440; Carlini et al., IEEE S&P 2022, arXiv
2112.03570). The attacker holds untreated photographs and sees the detections of the runs. A face that a run was trained
on gets a higher score than its difficulty explains. Its difficulty is what runs say that never saw it untreated, and
its height. Members are training photographs. Non-members are calibration photographs, chosen from the same photographs
by a hash of their names, on which no run is trained.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facade.errors import FacadeError
from facade.files import read_json
from facade.measure.compare import NOT_MEASURED, four_digits
from facade.seeds import generator

# Fewest photographs of either kind, below which an interval over photographs means nothing.
MIN_PHOTOGRAPHS = 10
# Share of non-members that may be taken for members. It cannot be observed with fewer than 1 / FPR of them.
FPR = 0.01
BOOTSTRAP_SAMPLES = 1000
# Samples that are computed at once: a limit of memory, not of the result.
BATCH = 50


@dataclass(frozen=True)
class ScoredFaces:
    """Untreated faces, and how confident each run of an arm is in them.

    Attributes:
        photographs: Names of the photographs.
        photograph: (F,) int, index of each face's photograph.
        heights: (F,) float, pixels.
        scores: (S, F) float: of each run, the highest score of a detection of the face, 0 where there is none.
        start_scores: (T, F) float, the same of the initial weights that all runs share; no rows if there are none.
    """

    photographs: tuple[str, ...]
    photograph: np.ndarray
    heights: np.ndarray
    scores: np.ndarray
    start_scores: np.ndarray


@dataclass(frozen=True)
class RocFigure:
    """A figure of the ROC curve and its 95 % interval over photographs."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class MembershipInference:
    """How well members are told from non-members.

    Attributes:
        members: Number of faces in training photographs.
        others: Number of faces in calibration photographs.
        auc: Area under the ROC curve over faces and runs; .5 is chance.
        tpr: Share of members recognized where 1 % of non-members are taken for members; None if there are too few.
        uncalibrated: Area under the ROC curve of the plain scores.
    """

    members: int
    others: int
    auc: RocFigure
    tpr: RocFigure | None
    uncalibrated: RocFigure


def read_scored_faces(path: Path) -> ScoredFaces:
    """Read what the stage `detect` wrote: `detections/<arm>/membership.json`.

    Raises:
        FacadeError: The file is missing, or not of that form.
    """
    content = read_json(path)
    try:
        count = len(content["heights"])
        scores, start = (
            np.array(list(content[key].values()), float).reshape(len(content[key]), count)
            for key in ("scores", "start_scores")
        )
        faces = ScoredFaces(
            tuple(content["photographs"]),
            np.array(content["face_photograph"], int),
            np.array(content["heights"], float),
            scores,
            start,
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise FacadeError(f"{path} holds no scores of faces. Run `dvc repro`.") from None
    return faces


def measure_membership(
    faces: Mapping[str, ScoredFaces], held_out: Mapping[str, Collection[str]], references: Sequence[str]
) -> dict[str, MembershipInference | None]:
    """Attack each arm.

    Args:
        faces: By arm; the same faces everywhere.
        held_out: By arm to attack, the names of its calibration photographs. Its runs were trained on its versions of
            all others.
        references: Arms whose runs tell, besides the initial weights, how difficult a face is: those that were never
            trained on an untreated face. An arm is no reference for itself.

    Returns:
        By arm; None where there are too few photographs of either kind, or no run.

    Raises:
        FacadeError: The arms were run on different faces.
    """
    first, *_ = faces.values()
    for name, own in faces.items():
        if own.photographs != first.photographs or not np.array_equal(own.photograph, first.photograph):
            raise FacadeError(
                f"detections/{name}/membership.json has other faces than that of another arm. Run `dvc repro`."
            )
    found: dict[str, MembershipInference | None] = {}
    for name, files in held_out.items():
        others = [faces[name].start_scores, *(faces[one].scores for one in references if one != name)]
        member = np.array([file not in files for file in first.photographs], bool)
        found[name] = infer_membership(faces[name], member, others, name)
    return found


def infer_membership(
    faces: ScoredFaces, trained_on: np.ndarray, references: Sequence[np.ndarray], owner: str
) -> MembershipInference | None:
    """Attack the runs of one arm.

    All runs count together, with one threshold, as in Carlini et al.: a pair of a run and a face is a sample.

    Args:
        faces: Of the arm.
        trained_on: (P,) bool, which photographs are members.
        references: (S, F) scores of each group of reference runs; groups without runs do not count.
        owner: What the bootstrap samples belong to: the arm.

    Returns:
        None with fewer than `MIN_PHOTOGRAPHS` photographs with faces of either kind, or without a run.
    """
    member = trained_on[faces.photograph]
    sides = [np.unique(faces.photograph[member == side]) for side in (True, False)]
    if min(map(len, sides)) < MIN_PHOTOGRAPHS or not len(faces.scores):
        return None
    plain = _logit(faces.scores)
    difficulty = [_logit(group).mean(0) for group in references if len(group)] + [np.log(np.maximum(faces.heights, 1))]
    calibrated = _unexplained(plain, np.array(difficulty))
    weights = _photograph_weights(sides, len(faces.photographs), generator("membership", owner))
    auc, tpr = _attack(calibrated, member, faces.photograph, weights)
    enough = int((~member).sum()) * len(plain) * FPR >= 1
    return MembershipInference(
        int(member.sum()), int((~member).sum()), auc, tpr if enough else None,
        _attack(plain, member, faces.photograph, weights)[0],
    )  # fmt: skip


def membership_metrics(found: Mapping[str, MembershipInference | None]) -> dict[str, Any]:
    """Content of results/membership.json."""
    return {name: NOT_MEASURED if one is None else _figures(one) for name, one in found.items()}


def _figures(one: MembershipInference) -> dict[str, Any]:
    figures: dict[str, Any] = {"members": one.members, "others": one.others}
    for name, figure in (("auc", one.auc), ("tpr", one.tpr), ("uncalibrated_auc", one.uncalibrated)):
        if figure is None:
            figures[name] = NOT_MEASURED
        else:
            ends = {"": figure.estimate, "_low": figure.low, "_high": figure.high}
            figures |= {f"{name}{end}": four_digits(value) for end, value in ends.items()}
    return figures


def _logit(scores: np.ndarray) -> np.ndarray:
    """Scores on the scale on which differences at high and at low confidence compare (Carlini et al., section V)."""
    kept = np.clip(scores, 1e-3, 1 - 1e-3)
    return np.asarray(np.log(kept / (1 - kept)))


def _unexplained(scores: np.ndarray, difficulty: np.ndarray) -> np.ndarray:
    """(S, F) what is left of each run's scores after a least-squares fit of (D, F) measures of difficulty.

    The fit sees all faces and does not know which are members. So it treats both alike: where nothing was learned, what
    is left cannot tell them apart.
    """
    design = np.column_stack([np.ones(difficulty.shape[1]), difficulty.T])
    fitted = design @ np.linalg.lstsq(design, scores.T, rcond=None)[0]
    left = scores - fitted.T
    return np.asarray(left / np.maximum(left.std(1, keepdims=True), 1e-12))


def _photograph_weights(sides: Sequence[np.ndarray], photographs: int, random: np.random.Generator) -> np.ndarray:
    """(B + 1, P) int: 1 for each photograph, then how often each occurs in a sample. Each side is resampled alone."""
    samples = [
        sum(np.bincount(random.choice(side, len(side)), minlength=photographs) for side in sides)
        for _ in range(BOOTSTRAP_SAMPLES)
    ]
    return np.stack([np.ones(photographs, np.int64), *samples])


def _attack(
    scores: np.ndarray, member: np.ndarray, photograph: np.ndarray, weights: np.ndarray
) -> tuple[RocFigure, RocFigure]:
    """AUC, and the true positive rate at the largest false positive rate of at most `FPR`, with their intervals."""
    runs = len(scores)
    values, group = np.unique(scores.ravel(), return_inverse=True)  # ties stay together
    order = np.argsort(-group.ravel(), kind="stable")
    starts = np.searchsorted(-group.ravel()[order], -np.arange(len(values))[::-1])
    is_member, owner = np.tile(member, runs)[order], np.tile(photograph, runs)[order]
    figures = []
    for start in range(0, len(weights), BATCH):
        own = weights[start : start + BATCH, owner].astype(float)
        positives = np.add.reduceat(own * is_member, starts, axis=1)  # by score, the highest first
        negatives = np.add.reduceat(own * ~is_member, starts, axis=1)
        true, false = (part.cumsum(1) / part.sum(1, keepdims=True) for part in (positives, negatives))
        before = np.column_stack([np.zeros(len(true)), true[:, :-1]])
        area = ((true + before) / 2 * np.diff(false, axis=1, prepend=0)).sum(1)
        figures.append(np.column_stack([area, np.where(false <= FPR, true, 0).max(1)]))
    estimate, *samples = np.concatenate(figures)
    low, high = np.percentile(samples, [2.5, 97.5], axis=0)
    auc, tpr = (RocFigure(*map(float, figure)) for figure in zip(estimate, low, high, strict=True))
    return auc, tpr
