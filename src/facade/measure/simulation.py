"""Error rates of the verdict, on simulated studies with a known truth.   (make calibrate)

facade experiment soundness docs/soundness.md
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facade.files import write_text
from facade.measure.bootstrap import Difference, draw_bootstrap, paired_difference, resample
from facade.measure.verdict import POWER, Decision, decide, holm, p_value, plan_sample_size, spent_alpha
from facade.measure.weighted import MatchedRun
from facade.parallel import ordered_map
from facade.seeds import generator

AP50 = slice(0, 1)
# Standard deviation over photographs, faces within them, and seeds, in logits of the probability of detection.
PHOTOGRAPHS_SPREAD, FACES_SPREAD, SEEDS_SPREAD = 1.2, 0.8, 0.15
# Logit of the probability that an average face is detected, and false positives per image.
MEAN_LOGIT, FALSE_POSITIVES = 0.8, 2.0
# The loss that this shift in logits causes is the margin of the simulated studies.
SHIFT = -0.5
ALPHA, BOOTSTRAP_SAMPLES, STUDIES = 0.05, 200, 400
# Standard deviation at which the variance between seeds dominates that between photographs.
LARGE_SPREAD = 0.45
# The true loss is the mean over independent blocks of this many photographs and seeds.
BLOCK, BLOCKS = (1000, 5), 300
# Numbers of seeds at the interim looks of a growing study.
LOOKS = (3, 6, 12)
# A plan that needs more seeds than this is not simulated, and not counted.
MAX_SIMULATED_SEEDS = 60


@dataclass(frozen=True)
class SimulationSetting:
    """Size of the simulated studies, and their truth.

    Attributes:
        photographs: Number of golden photographs.
        seeds: Number of runs per arm.
        shift: Effect on the second arm, in logits; 0 is no loss.
        margin: Margin of the verdict.
        spread: Standard deviation between seeds, in logits.
        skewed: Whether seeds are exponentially distributed, a few far worse than the others, instead of normally.
    """

    photographs: int
    seeds: int
    shift: float
    margin: float
    spread: float = SEEDS_SPREAD
    skewed: bool = False

    @property
    def name(self) -> str:
        """A unique name, which seeds its random numbers."""
        return (
            f"{self.photographs} photographs, {self.seeds} seeds, shift {self.shift:g}, spread {self.spread:g}"
            f"{', skewed' if self.skewed else ''}"
        )


def simulated_runs(
    random: np.random.Generator,
    shifts: Sequence[float],
    photographs: int,
    seeds: int,
    spread: float = SEEDS_SPREAD,
    skewed: bool = False,
) -> list[list[MatchedRun]]:
    """Runs of arms whose probability to detect a face differs by a shift in logits.

    The difficulty of a photograph is shared by all arms; the effect of a seed is drawn for each arm independently.
    """
    faces = random.integers(1, 7, photographs)
    photo = np.repeat(np.arange(photographs), faces)
    difficulty = np.repeat(random.normal(0, PHOTOGRAPHS_SPREAD, photographs), faces)
    difficulty = difficulty + random.normal(0, FACES_SPREAD, len(photo))
    arms = []
    for shift in shifts:
        runs = []
        for _ in range(seeds):
            seed_effect = spread * (1 - random.exponential() if skewed else random.normal())
            probability = 1 / (1 + np.exp(-(MEAN_LOGIT + shift + seed_effect + difficulty)))
            detected = random.random(len(photo)) < probability
            fp = random.poisson(FALSE_POSITIVES, photographs)
            scores = np.concatenate([random.normal(1.5, 1, detected.sum()), random.normal(0, 1, fp.sum())])
            index = np.concatenate([photo[detected], np.repeat(np.arange(photographs), fp)])
            true_positive = np.concatenate([np.ones(detected.sum()), np.zeros(fp.sum())])
            order = np.argsort(-scores, kind="stable")
            ignored = np.zeros(len(order), np.uint16)
            runs.append(
                MatchedRun(
                    index[order].astype(np.int32),
                    true_positive[order].astype(np.uint16),
                    ignored,
                    faces.astype(np.int64),
                    1,
                )
            )
        arms.append(runs)
    return arms


def true_loss(shift: float, spread: float = SEEDS_SPREAD, skewed: bool = False) -> float:
    """The loss in AP50 that a shift causes, over so many photographs and seeds that its random error is negligible."""
    random = generator("truth", f"{shift:g}", f"{spread:g}", *(["skewed"] if skewed else []))

    def mean(runs: list[MatchedRun]) -> float:
        return float(np.mean([run.average_precision(np.ones(len(run.faces)))[0] for run in runs]))

    blocks = (simulated_runs(random, (0.0, shift), *BLOCK, spread, skewed) for _ in range(BLOCKS))
    return float(np.mean([mean(second) - mean(first) for first, second in blocks]))


def simulated_difference(random: np.random.Generator, first: list[MatchedRun], second: list[MatchedRun]) -> Difference:
    """The second arm minus the first, estimated as in `compare`."""
    bootstrap = draw_bootstrap(len(first[0].faces), len(first), BOOTSTRAP_SAMPLES, random)
    minuend, subtrahend = (resample(runs, bootstrap, threads=1) for runs in (second, first))
    return paired_difference(minuend, subtrahend, bootstrap, AP50)


@dataclass(frozen=True)
class _TwoArmStudy:
    """One study of two arms, with its verdict; the first is known to detect faces."""

    setting: SimulationSetting

    def __call__(self, number: int) -> tuple[Difference, Decision]:
        setting = self.setting
        random = generator("simulated study", setting.name, number)
        arms = simulated_runs(
            random, (0.0, setting.shift), setting.photographs, setting.seeds, setting.spread, setting.skewed
        )
        difference = simulated_difference(random, *arms)
        return difference, decide(difference, setting.margin, ALPHA)


@dataclass(frozen=True)
class _Family:
    """One study of raw and two anonymized arms: the verdicts on its three comparisons, by Holm or by Bonferroni."""

    setting: SimulationSetting
    other_shift: float  # of the second anonymized arm
    bonferroni: bool = False

    def __call__(self, number: int) -> tuple[str, ...]:
        setting = self.setting
        random = generator("simulated family", setting.name, f"{self.other_shift:g}", number)
        raw, pseudo, blur = simulated_runs(
            random,
            (0.0, setting.shift, self.other_shift),
            setting.photographs,
            setting.seeds,
            setting.spread,
            setting.skewed,
        )
        pairs = ((raw, pseudo), (raw, blur), (pseudo, blur))
        differences = [simulated_difference(random, *pair) for pair in pairs]
        levels = holm([p_value(one, setting.margin) for one in differences], ALPHA)
        if self.bonferroni:
            levels = [ALPHA / len(differences)] * len(differences)
        return tuple(
            decide(one, setting.margin, ALPHA, None, False, level).verdict
            for one, level in zip(differences, levels, strict=True)
        )


@dataclass(frozen=True)
class _Looks:
    """One study that grows from look to look: its verdicts, with or without alpha spending."""

    setting: SimulationSetting
    looks: tuple[int, ...] = ()

    def __call__(self, number: int) -> tuple[str, ...]:
        setting = self.setting
        random = generator("simulated looks", setting.name, number)
        first, second = simulated_runs(
            random, (0.0, setting.shift), setting.photographs, max(LOOKS), setting.spread, setting.skewed
        )
        verdicts = []
        for seeds in LOOKS:
            difference = simulated_difference(random, first[:seeds], second[:seeds])
            alpha = spent_alpha(ALPHA, seeds, self.looks)
            verdicts.append(decide(difference, setting.margin, alpha, None, False).verdict)
        return tuple(verdicts)


@dataclass(frozen=True)
class _PlannedStudy:
    """A pilot study without a loss, and the verdict of the study of the size that it plans."""

    setting: SimulationSetting

    def __call__(self, number: int) -> tuple[int | None, str]:
        setting = self.setting
        random = generator("simulated pilot", setting.name, number)
        arms = simulated_runs(random, (0.0, 0.0), setting.photographs, setting.seeds, setting.spread, setting.skewed)
        _, seeds, _ = plan_sample_size(simulated_difference(random, *arms), setting.margin, ALPHA)
        if seeds is None or seeds > MAX_SIMULATED_SEEDS:
            return seeds, "not simulated"
        arms = simulated_runs(random, (0.0, 0.0), setting.photographs, seeds, setting.spread, setting.skewed)
        return seeds, decide(simulated_difference(random, *arms), setting.margin, ALPHA, None, False).verdict


def simulate(setting: SimulationSetting, count: int, workers: int | None = None) -> list[tuple[Difference, Decision]]:
    """Many two-arm studies of one setting."""
    return list(ordered_map(_TwoArmStudy(setting), range(count), setting.name, workers))


def simulate_families(
    setting: SimulationSetting, other_shift: float, count: int, workers: int | None = None, bonferroni: bool = False
) -> list[tuple[str, ...]]:
    """Many studies of three arms: the verdicts on pseudo and blur against raw, and on blur against pseudo."""
    return list(
        ordered_map(_Family(setting, other_shift, bonferroni), range(count), f"family, {setting.name}", workers)
    )


def simulate_looks(
    setting: SimulationSetting, looks: tuple[int, ...], count: int, workers: int | None = None
) -> list[tuple[str, ...]]:
    """Many growing studies: the verdicts at each of `LOOKS`."""
    return list(ordered_map(_Looks(setting, looks), range(count), f"looks, {setting.name}", workers))


def simulate_plans(setting: SimulationSetting, count: int, workers: int | None = None) -> list[tuple[int | None, str]]:
    """Many pilot studies: the seeds that each plans, and the verdict of the planned study."""
    return list(ordered_map(_PlannedStudy(setting), range(count), f"planner, {setting.name}", workers))


def _row(photographs: int, seeds: str, truth: str, event: str, nominal: str, occurred: Sequence[bool]) -> str:
    share = float(np.mean(occurred))
    error = 1.96 * np.sqrt(max(share * (1 - share), 1 / len(occurred)) / len(occurred))
    return f"| {photographs} | {seeds} | {truth} | {event} | {nominal} | {100 * share:.1f} % | ±{100 * error:.1f} % |"


def _one_comparison(count: int) -> list[str]:
    rows = []
    for photographs, seeds, spread, skewed in (
        (120, 3, SEEDS_SPREAD, False), (120, 4, SEEDS_SPREAD, False), (400, 4, SEEDS_SPREAD, False),
        (120, 3, LARGE_SPREAD, False), (120, 12, LARGE_SPREAD, False),
        (120, 3, LARGE_SPREAD, True), (120, 6, LARGE_SPREAD, True), (120, 12, LARGE_SPREAD, True),
    ):  # fmt: skip
        loss = true_loss(SHIFT, spread, skewed)
        results = simulate(SimulationSetting(photographs, seeds, SHIFT, -loss, spread, skewed), count)
        truth = "a loss equal to the margin" + ("; seeds dominate" if spread > SEEDS_SPREAD else "")
        truth += ", skewed" if skewed else ""
        for verdict in ("non-inferior", "inferior"):
            occurred = [decision.verdict == verdict for _, decision in results]
            rows.append(_row(photographs, str(seeds), truth, f"“{verdict}”", "at most 5 %", occurred))
        covered = [decision.low <= loss <= decision.high for _, decision in results]
        rows.append(_row(photographs, str(seeds), truth, "limits cover the truth", "at least 90 %", covered))
    return rows


def _several(count: int) -> list[str]:
    """Three comparisons that share alpha, interim looks at growing numbers of seeds, and planned sample sizes."""
    loss = true_loss(SHIFT)
    at_margin = SimulationSetting(120, 4, SHIFT, -loss)
    verdicts = simulate_families(at_margin, SHIFT, count)
    rows = [
        _row(120, "4", "two arms with a loss equal to the margin", "“non-inferior” for either (Holm)", "at most 5 %",
             ["non-inferior" in one[:2] for one in verdicts])
    ]  # fmt: skip
    no_loss = SimulationSetting(400, 4, 0.0, 0.05)
    for bonferroni, method in ((False, "Holm"), (True, "Bonferroni")):
        verdicts = simulate_families(no_loss, -3.0, count, bonferroni=bonferroni)
        occurred = [one[0] == "non-inferior" for one in verdicts]
        truth = "no loss in one arm, a nearly total loss in the other; margin 0.05"
        rows.append(_row(400, "4", truth, f"“non-inferior” for the first ({method})", "higher is better", occurred))
    large = true_loss(SHIFT, LARGE_SPREAD)
    growing = SimulationSetting(120, max(LOOKS), SHIFT, -large, LARGE_SPREAD)
    seeds = ", ".join(map(str, LOOKS))
    for looks, nominal, how in ((LOOKS, "at most 5 %", "alpha spending"), ((), "-", "full alpha at each look")):
        verdicts = simulate_looks(growing, looks, count)
        truth = "a loss equal to the margin, three looks; seeds dominate"
        rows.append(
            _row(120, seeds, truth, f"“non-inferior” at any look ({how})", nominal,
                 ["non-inferior" in one for one in verdicts])
        )  # fmt: skip
    pilot = SimulationSetting(400, 4, 0.0, 0.05, 0.25)
    plans = simulate_plans(pilot, count)
    planned = np.array([MAX_SIMULATED_SEEDS + 1 if seeds is None else seeds for seeds, _ in plans])
    low, middle, high = (int(np.quantile(planned, share)) for share in (0.1, 0.5, 0.9))
    more = "more than 60" if high > MAX_SIMULATED_SEEDS else str(high)
    truth = (
        f"no loss; margin 0.05; the study of the size planned by a pilot of 4 seeds ({low}, {middle}, {more} seeds: \
10th, 50th, 90th percentile)"
    )
    done = [verdict == "non-inferior" for _, verdict in plans if verdict != "not simulated"]
    rows.append(_row(400, "as planned", truth, "“non-inferior”", f"at least {100 * POWER:.0f} %", done))
    return rows


def write_soundness(path: Path, count: int = STUDIES, log_line: Callable[[str], None] = print) -> None:
    """Run the simulations, and write the tables."""
    head = (
        "| photographs | seeds | truth | event | nominal | observed | 95 % interval |\n|--:|--:|---|---|---|--:|--:|\n"
    )
    text = (
        f"""# Is the verdict sound?

`make calibrate` simulates studies from a model whose truth is known, and decides each as `evaluate` decides a real one:
paired bootstrap over photographs and seeds ({BOOTSTRAP_SAMPLES} samples), one-sided limits at {100 * ALPHA:g} %.
The difficulty of a photograph is shared by both arms. The effect of a seed is independent in each arm, with a standard
deviation of {SEEDS_SPREAD:g} logits or, where seeds dominate, {LARGE_SPREAD:g}; skewed seeds are exponential: a few are
far worse than the rest. A face of average difficulty is detected with a probability of
{100 / (1 + np.exp(-MEAN_LOGIT)):.0f} %, and a photograph has {FALSE_POSITIVES:g} false positives on average. The margin
is the true loss of a shift of {SHIFT:g} in logits, {-true_loss(SHIFT):.3f} AP50. {count} studies per row.

## One comparison

{head}"""
        + "\n".join(_one_comparison(count))
        + f"""

## Several comparisons, interim looks, and planned sample sizes

{head}"""
        + "\n".join(_several(count))
    )
    write_text(path, text + "\n")
    log_line(text)
