"""Is the verdict sound? Studies drawn from a known model, judged as real ones.   (make calibrate)

python -m facade.measure.simulation docs/soundness.md
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from facade.files import write_text
from facade.measure.bootstrap import Difference, difference, draw, resample
from facade.measure.verdict import POWER, Verdict, judge, plan
from facade.measure.weighted import Run
from facade.parallel import in_order
from facade.seeds import generator

AP50 = slice(0, 1)
# How much photographs, faces in them, and seeds differ, in logits of the chance that a face is found.
PHOTOGRAPHS_SPREAD, FACES_SPREAD, SEEDS_SPREAD = 1.2, 0.8, 0.15
# Logit of the chance to find an average face, and false positives a photograph.
EASE, FALSE_POSITIVES = 0.8, 2.0
# A loss of this shift in logits is the margin of the simulated studies.
SHIFT = -0.5
ALPHA, DRAWS, STUDIES = 0.05, 200, 400
# Seeds that differ so much prevail over photographs.
LARGE_SPREAD = 0.45
# The truth is the mean over blocks of so many photographs and seeds, each drawn anew.
BLOCK, BLOCKS = (1000, 5), 300
# Pilot studies from which the planner is told the variances.
PILOTS = 30


@dataclass(frozen=True)
class Setting:
    """How large the studies are, and what is true in them.

    Attributes:
        photographs: Golden photographs.
        seeds: Runs of each arm.
        shift: Of the second arm, in logits; 0 is no loss.
        margin: Margin of the verdict.
        spread: How much seeds differ, in logits.
    """

    photographs: int
    seeds: int
    shift: float
    margin: float
    spread: float = SEEDS_SPREAD


def drawn_runs(
    random: np.random.Generator, shifts: Sequence[float], photographs: int, seeds: int, spread: float = SEEDS_SPREAD
) -> list[list[Run]]:
    """Runs of arms whose chance to find a face differs by a shift in logits.

    Photographs are hard or easy for every arm alike; seeds are lucky or not, for each arm in its own way.
    """
    faces = random.integers(1, 7, photographs)
    photo = np.repeat(np.arange(photographs), faces)
    hard = np.repeat(random.normal(0, PHOTOGRAPHS_SPREAD, photographs), faces)
    hard = hard + random.normal(0, FACES_SPREAD, len(photo))
    arms = []
    for shift in shifts:
        runs = []
        for _ in range(seeds):
            chance = 1 / (1 + np.exp(-(EASE + shift + random.normal(0, spread) + hard)))
            found = random.random(len(photo)) < chance
            wrong = random.poisson(FALSE_POSITIVES, photographs)
            scores = np.concatenate([random.normal(1.5, 1, found.sum()), random.normal(0, 1, wrong.sum())])
            places = np.concatenate([photo[found], np.repeat(np.arange(photographs), wrong)])
            right = np.concatenate([np.ones(found.sum()), np.zeros(wrong.sum())])
            order = np.argsort(-scores, kind="stable")
            nobody = np.zeros(len(order), np.uint16)
            runs.append(
                Run(places[order].astype(np.int32), right[order].astype(np.uint16), nobody, faces.astype(np.int64), 1)
            )
        arms.append(runs)
    return arms


def true_loss(shift: float, spread: float = SEEDS_SPREAD) -> float:
    """The loss in AP50 of a shift: of so many photographs and seeds that chance is nearly spent."""
    random = generator("truth", f"{shift:g}", f"{spread:g}")

    def mean(runs: list[Run]) -> float:
        return float(np.mean([run.average_precision(np.ones(len(run.faces)))[0] for run in runs]))

    blocks = (drawn_runs(random, (0.0, shift), *BLOCK, spread) for _ in range(BLOCKS))
    return float(np.mean([mean(second) - mean(first) for first, second in blocks]))


def judged(
    random: np.random.Generator, first: list[Run], second: list[Run], margin: float
) -> tuple[Difference, Verdict]:
    """The second arm against the first, as `compare` does it for a first arm that is known to find faces."""
    draws = draw(len(first[0].faces), len(first), DRAWS, random)
    seen = difference(resample(second, draws, threads=1), resample(first, draws, threads=1), draws, AP50)
    return seen, judge(seen, margin, ALPHA, 1)


@dataclass(frozen=True)
class _Study:
    setting: Setting
    name: str

    def __call__(self, number: int) -> tuple[Difference, Verdict]:
        random = generator("simulated study", self.name, number)
        wanted = self.setting
        first, second = drawn_runs(random, (0.0, wanted.shift), wanted.photographs, wanted.seeds, wanted.spread)
        return judged(random, first, second, wanted.margin)


def simulate(setting: Setting, count: int, workers: int | None = None) -> list[tuple[Difference, Verdict]]:
    """Many studies of one setting."""
    name = (
        f"{setting.photographs} photographs, {setting.seeds} seeds, shift {setting.shift:g}, spread {setting.spread:g}"
    )
    return list(in_order(_Study(setting, name), range(count), name, workers))


def planned(setting: Setting, workers: int | None = None) -> Setting:
    """The same with as many photographs as the planner asks for, from variances of pilot studies.

    Raises:
        ValueError: No number is enough with so few seeds.
    """
    pilots = [seen for seen, _ in simulate(setting, PILOTS, workers)]
    photo, seed, run = (
        float(np.mean([getattr(seen, f"{name}_variance") for seen in pilots])) for name in ("photograph", "seed", "run")
    )
    typical = Difference(0.0, 0.0, photo, seed, setting.photographs, setting.seeds, run)
    photographs, _, _ = plan(typical, setting.margin, ALPHA)
    if photographs is None:
        raise ValueError(f"no number of photographs decides {setting}")
    return replace(setting, photographs=photographs)


def _row(setting: Setting, truth: str, said: str, meant: str, shares: list[bool]) -> str:
    share = float(np.mean(shares))
    error = 1.96 * np.sqrt(max(share * (1 - share), 1 / len(shares)) / len(shares))
    return (
        f"| {setting.photographs} | {setting.seeds} | {truth} | {said} | {meant} | {100 * share:.1f} % "
        f"| ±{100 * error:.1f} % |"
    )


def _rows(loss: float, count: int) -> list[str]:
    rows = []

    def answers(results: list[tuple[Difference, Verdict]], answer: str) -> list[bool]:
        return [verdict.answer == answer for _, verdict in results]

    for photographs, seeds, spread in (
        (120, 2, SEEDS_SPREAD), (120, 4, SEEDS_SPREAD), (400, 4, SEEDS_SPREAD), (120, 2, LARGE_SPREAD),
        (120, 4, LARGE_SPREAD),
    ):  # fmt: skip
        if spread != SEEDS_SPREAD:
            loss = true_loss(SHIFT, spread)
        at_margin = Setting(photographs, seeds, SHIFT, -loss, spread)
        results = simulate(at_margin, count)
        truth = "a loss as large as the margin" + ("; seeds prevail" if spread > SEEDS_SPREAD else "")
        rows.append(_row(at_margin, truth, "“non-inferior”", "at most 5 %", answers(results, "non-inferior")))
        rows.append(_row(at_margin, truth, "“inferior”", "at most 5 %", answers(results, "inferior")))
        covered = [verdict.low <= loss <= verdict.high for _, verdict in results]
        rows.append(_row(at_margin, truth, "limits that hold the truth", "at least 90 %", covered))
    for photographs, seeds, margin in ((120, 4, 0.08), (120, 6, 0.05)):
        setting = planned(Setting(photographs, seeds, 0.0, margin))
        results = simulate(setting, count)
        truth = f"no loss; margin {margin:g}, as many photographs as planned"
        rows.append(_row(setting, truth, "“non-inferior”", f"{100 * POWER:.0f} %", answers(results, "non-inferior")))
    return rows


def main(path: Path, count: int = STUDIES, told: Callable[[str], None] = print) -> None:
    """Simulate, and write the table."""
    loss = true_loss(SHIFT)
    text = f"""# Is the verdict sound?

`make calibrate` draws studies from a model whose truth is known, and judges each as `evaluate` judges a real one:
paired bootstrap over photographs and seeds ({DRAWS} draws), one-sided limits at {100 * ALPHA:g} % for one comparison.
Photographs differ in how hard their faces are, for both arms alike; seeds differ, for each arm in its own way (in the
rows in which they prevail, {LARGE_SPREAD / SEEDS_SPREAD:g} times as much). A face
of average difficulty is found with a chance of {100 / (1 + np.exp(-EASE)):.0f} %, and a photograph has
{FALSE_POSITIVES:g} false positives. The margin is the true loss of a shift of {SHIFT:g} in logits, {-loss:.3f} AP50.
{count} studies a row.

| photographs | seeds | what is true | what is said | meant | got | 95 % of simulations |
|--:|--:|---|---|---|--:|--:|
""" + "\n".join(_rows(loss, count))
    write_text(path, text + "\n")
    told(text)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
