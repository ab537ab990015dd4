"""Is the verdict sound? Studies drawn from a known model, judged as real ones.   (make calibrate)

python -m facade.measure.simulation docs/soundness.md
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facade.files import write_text
from facade.measure.bootstrap import Difference, difference, draw, resample
from facade.measure.verdict import POWER, Verdict, holm, judge, p_value, plan, spent
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
# Numbers of seeds at which a growing study is looked at.
LOOKS = (3, 6, 12)
# A plan that asks for more seeds than this is not followed here, and not counted.
MOST_SEEDS = 60


@dataclass(frozen=True)
class Setting:
    """How large the studies are, and what is true in them.

    Attributes:
        photographs: Golden photographs.
        seeds: Runs of each arm.
        shift: Of the second arm, in logits; 0 is no loss.
        margin: Margin of the verdict.
        spread: How much seeds differ, in logits: their standard deviation.
        skewed: Whether a few seeds are far worse than the others (exponential), rather than normal.
    """

    photographs: int
    seeds: int
    shift: float
    margin: float
    spread: float = SEEDS_SPREAD
    skewed: bool = False

    @property
    def name(self) -> str:
        """What tells its random numbers from those of others."""
        return (
            f"{self.photographs} photographs, {self.seeds} seeds, shift {self.shift:g}, spread {self.spread:g}"
            f"{', skewed' if self.skewed else ''}"
        )


def drawn_runs(
    random: np.random.Generator,
    shifts: Sequence[float],
    photographs: int,
    seeds: int,
    spread: float = SEEDS_SPREAD,
    skewed: bool = False,
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
            luck = spread * (1 - random.exponential() if skewed else random.normal())
            chance = 1 / (1 + np.exp(-(EASE + shift + luck + hard)))
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


def true_loss(shift: float, spread: float = SEEDS_SPREAD, skewed: bool = False) -> float:
    """The loss in AP50 of a shift: of so many photographs and seeds that chance is nearly spent."""
    random = generator("truth", f"{shift:g}", f"{spread:g}", *(["skewed"] if skewed else []))

    def mean(runs: list[Run]) -> float:
        return float(np.mean([run.average_precision(np.ones(len(run.faces)))[0] for run in runs]))

    blocks = (drawn_runs(random, (0.0, shift), *BLOCK, spread, skewed) for _ in range(BLOCKS))
    return float(np.mean([mean(second) - mean(first) for first, second in blocks]))


def compared(random: np.random.Generator, first: list[Run], second: list[Run]) -> Difference:
    """The second arm minus the first, as `compare` has it."""
    draws = draw(len(first[0].faces), len(first), DRAWS, random)
    return difference(resample(second, draws, threads=1), resample(first, draws, threads=1), draws, AP50)


@dataclass(frozen=True)
class _Study:
    """One study of two arms, judged; the first is known to find faces."""

    setting: Setting

    def __call__(self, number: int) -> tuple[Difference, Verdict]:
        wanted = self.setting
        random = generator("simulated study", wanted.name, number)
        arms = drawn_runs(random, (0.0, wanted.shift), wanted.photographs, wanted.seeds, wanted.spread, wanted.skewed)
        seen = compared(random, *arms)
        return seen, judge(seen, wanted.margin, ALPHA)


@dataclass(frozen=True)
class _Family:
    """One study of raw and two anonymized arms: the answers to the three comparisons, by Holm or by Bonferroni."""

    setting: Setting
    other: float  # shift of the second anonymized arm
    bonferroni: bool = False

    def __call__(self, number: int) -> tuple[str, ...]:
        wanted = self.setting
        random = generator("simulated family", wanted.name, f"{self.other:g}", number)
        raw, pseudo, blur = drawn_runs(
            random, (0.0, wanted.shift, self.other), wanted.photographs, wanted.seeds, wanted.spread, wanted.skewed
        )
        seen = [compared(random, *pair) for pair in ((raw, pseudo), (raw, blur), (pseudo, blur))]
        levels = holm([p_value(one, wanted.margin) for one in seen], ALPHA)
        if self.bonferroni:
            levels = [ALPHA / len(seen)] * len(seen)
        return tuple(
            judge(one, wanted.margin, ALPHA, None, False, level).answer for one, level in zip(seen, levels, strict=True)
        )


@dataclass(frozen=True)
class _Looks:
    """One study that grows from look to look: the answers, with alpha spent over the looks, or not."""

    setting: Setting
    looks: tuple[int, ...] = ()

    def __call__(self, number: int) -> tuple[str, ...]:
        wanted = self.setting
        random = generator("simulated looks", wanted.name, number)
        first, second = drawn_runs(
            random, (0.0, wanted.shift), wanted.photographs, max(LOOKS), wanted.spread, wanted.skewed
        )
        answers = []
        for seeds in LOOKS:
            seen = compared(random, first[:seeds], second[:seeds])
            answers.append(judge(seen, wanted.margin, spent(ALPHA, seeds, self.looks), None, False).answer)
        return tuple(answers)


@dataclass(frozen=True)
class _Followed:
    """A pilot study without a loss, and what became of the study that its plan asked for."""

    setting: Setting

    def __call__(self, number: int) -> tuple[int | None, str]:
        wanted = self.setting
        random = generator("simulated pilot", wanted.name, number)
        arms = drawn_runs(random, (0.0, 0.0), wanted.photographs, wanted.seeds, wanted.spread, wanted.skewed)
        _, seeds, _ = plan(compared(random, *arms), wanted.margin, ALPHA)
        if seeds is None or seeds > MOST_SEEDS:
            return seeds, "not followed"
        arms = drawn_runs(random, (0.0, 0.0), wanted.photographs, seeds, wanted.spread, wanted.skewed)
        return seeds, judge(compared(random, *arms), wanted.margin, ALPHA, None, False).answer


def simulate(setting: Setting, count: int, workers: int | None = None) -> list[tuple[Difference, Verdict]]:
    """Many studies of one setting."""
    return list(in_order(_Study(setting), range(count), setting.name, workers))


def familywise(
    setting: Setting, other: float, count: int, workers: int | None = None, bonferroni: bool = False
) -> list[tuple[str, ...]]:
    """Many studies of three arms: the answers to pseudo, blur (against raw) and blur against pseudo."""
    return list(in_order(_Family(setting, other, bonferroni), range(count), f"family, {setting.name}", workers))


def looked_at(
    setting: Setting, looks: tuple[int, ...], count: int, workers: int | None = None
) -> list[tuple[str, ...]]:
    """Many growing studies: the answers at each of `LOOKS`."""
    return list(in_order(_Looks(setting, looks), range(count), f"looks, {setting.name}", workers))


def followed(setting: Setting, count: int, workers: int | None = None) -> list[tuple[int | None, str]]:
    """Many pilot studies: how many seeds each asks for, and the answer of the study that has them."""
    return list(in_order(_Followed(setting), range(count), f"planner, {setting.name}", workers))


def _row(photographs: int, seeds: str, truth: str, said: str, meant: str, shares: Sequence[bool]) -> str:
    share = float(np.mean(shares))
    error = 1.96 * np.sqrt(max(share * (1 - share), 1 / len(shares)) / len(shares))
    return f"| {photographs} | {seeds} | {truth} | {said} | {meant} | {100 * share:.1f} % | ±{100 * error:.1f} % |"


def _one_comparison(count: int) -> list[str]:
    rows = []
    for photographs, seeds, spread, skewed in (
        (120, 3, SEEDS_SPREAD, False), (120, 4, SEEDS_SPREAD, False), (400, 4, SEEDS_SPREAD, False),
        (120, 3, LARGE_SPREAD, False), (120, 12, LARGE_SPREAD, False),
        (120, 3, LARGE_SPREAD, True), (120, 6, LARGE_SPREAD, True), (120, 12, LARGE_SPREAD, True),
    ):  # fmt: skip
        loss = true_loss(SHIFT, spread, skewed)
        results = simulate(Setting(photographs, seeds, SHIFT, -loss, spread, skewed), count)
        truth = "a loss as large as the margin" + ("; seeds prevail" if spread > SEEDS_SPREAD else "")
        truth += ", skewed" if skewed else ""
        for answer in ("non-inferior", "inferior"):
            shares = [verdict.answer == answer for _, verdict in results]
            rows.append(_row(photographs, str(seeds), truth, f"“{answer}”", "at most 5 %", shares))
        covered = [verdict.low <= loss <= verdict.high for _, verdict in results]
        rows.append(_row(photographs, str(seeds), truth, "limits that hold the truth", "at least 90 %", covered))
    return rows


def _several(count: int) -> list[str]:
    """Three comparisons that share alpha, looks at growing numbers of seeds, and plans that are followed."""
    loss = true_loss(SHIFT)
    at_margin = Setting(120, 4, SHIFT, -loss)
    answers = familywise(at_margin, SHIFT, count)
    rows = [
        _row(120, "4", "two arms that lose as much as the margin", "“non-inferior” of either (Holm)", "at most 5 %",
             ["non-inferior" in one[:2] for one in answers])
    ]  # fmt: skip
    no_loss = Setting(400, 4, 0.0, 0.05)
    for bonferroni, by in ((False, "Holm"), (True, "Bonferroni")):
        answers = familywise(no_loss, -3.0, count, bonferroni=bonferroni)
        shares = [one[0] == "non-inferior" for one in answers]
        truth = "one arm loses nothing, the other nearly all; margin 0.05"
        rows.append(_row(400, "4", truth, f"“non-inferior” of the first ({by})", "the more the better", shares))
    large = true_loss(SHIFT, LARGE_SPREAD)
    growing = Setting(120, max(LOOKS), SHIFT, -large, LARGE_SPREAD)
    seeds = ", ".join(map(str, LOOKS))
    for looks, meant, how in ((LOOKS, "at most 5 %", "alpha spent"), ((), "-", "alpha whole at each look")):
        answers = looked_at(growing, looks, count)
        truth = "a loss as large as the margin, looked at three times; seeds prevail"
        rows.append(
            _row(120, seeds, truth, f"“non-inferior” at any look ({how})", meant,
                 ["non-inferior" in one for one in answers])
        )  # fmt: skip
    pilot = Setting(400, 4, 0.0, 0.05, 0.25)
    plans = followed(pilot, count)
    asked = np.array([MOST_SEEDS + 1 if seeds is None else seeds for seeds, _ in plans])
    low, middle, high = (int(np.quantile(asked, share)) for share in (0.1, 0.5, 0.9))
    more = "more than 60" if high > MOST_SEEDS else str(high)
    truth = (
        f"no loss; margin 0.05; the plan of a pilot of 4 seeds is followed ({low}, {middle}, {more} seeds asked for: \
10th, 50th, 90th percentile)"
    )
    done = [answer == "non-inferior" for _, answer in plans if answer != "not followed"]
    rows.append(_row(400, "as planned", truth, "“non-inferior”", f"at least {100 * POWER:.0f} %", done))
    return rows


def main(path: Path, count: int = STUDIES, told: Callable[[str], None] = print) -> None:
    """Simulate, and write the tables."""
    head = (
        "| photographs | seeds | what is true | what is said | meant | got | 95 % of simulations |\n"
        "|--:|--:|---|---|---|--:|--:|\n"
    )
    text = (
        f"""# Is the verdict sound?

`make calibrate` draws studies from a model whose truth is known, and judges each as `evaluate` judges a real one:
paired bootstrap over photographs and seeds ({DRAWS} draws), one-sided limits at {100 * ALPHA:g} %. Photographs differ
in how hard their faces are, for both arms alike; seeds differ, for each arm in its own way, by {SEEDS_SPREAD:g} logits
or, where they prevail, by {LARGE_SPREAD:g}; skewed ones are exponential: a few are far worse than the rest. A face of
average difficulty is found with a chance of {100 / (1 + np.exp(-EASE)):.0f} %, and a photograph has
{FALSE_POSITIVES:g} false positives. The margin is the true loss of a shift of {SHIFT:g} in logits,
{-true_loss(SHIFT):.3f} AP50. {count} studies a row.

## One comparison

{head}"""
        + "\n".join(_one_comparison(count))
        + f"""

## Several comparisons, several looks, and plans that are followed

{head}"""
        + "\n".join(_several(count))
    )
    write_text(path, text + "\n")
    told(text)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
