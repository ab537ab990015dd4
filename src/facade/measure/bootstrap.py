"""How far a difference between arms would move with other photographs and other seeds: a paired bootstrap."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from scipy import stats

from facade.measure.weighted import Run


@dataclass(frozen=True)
class Draws:
    """What the bootstrap drew; the same for every arm, so that differences are paired.

    Attributes:
        photographs: (B, P) int64: how often each photograph counts.
        seeds: (B, S) int: which seeds count, with repetitions.
        units: How many things were drawn from: photographs, or whole events.
        of: (P,) int64, the unit of each photograph.
    """

    photographs: np.ndarray
    seeds: np.ndarray
    units: int
    of: np.ndarray

    def carrying(self, photographs: np.ndarray) -> int:
        """How many units hold some of these photographs, which are given by their numbers."""
        return len(np.unique(self.of[photographs]))


def draw(
    photographs: int, seeds: int, count: int, random: np.random.Generator, events: Sequence[str] | None = None
) -> Draws:
    """Draw photographs and seeds with replacement, as many as there are.

    Args:
        photographs: How many there are.
        seeds: How many runs an arm has.
        count: How many draws.
        random: Where chance comes from.
        events: The event of each photograph. Photographs of one event resemble each other; where events are given they
            are drawn whole.
    """
    groups = np.arange(photographs) if events is None else np.unique(np.array(events), return_inverse=True)[1]
    many = int(groups.max()) + 1
    chosen = random.integers(many, size=(count, many))
    times = np.stack([np.bincount(row, minlength=many) for row in chosen])
    return Draws(times[:, groups].astype(np.int64), random.integers(seeds, size=(count, seeds)), many, groups)


@dataclass(frozen=True)
class Resampled:
    """Average precision of one arm's runs, on the golden set as it is and in every draw.

    Attributes:
        seen: (S, T) float, by run and overlap.
        drawn: (B, S, T) float.
    """

    seen: np.ndarray
    drawn: np.ndarray


def resample(runs: Sequence[Run], draws: Draws, threads: int = 2) -> Resampled:
    """Average precision of an arm's runs in every draw of photographs.

    Args:
        runs: One a seed, in the order of the seeds.
        draws: What was drawn.
        threads: That share the work; the result does not depend on it.
    """
    once = np.ones(draws.photographs.shape[1], np.int64)

    def one(weights: np.ndarray) -> np.ndarray:
        return np.stack([run.average_precision(weights) for run in runs])

    with ThreadPoolExecutor(threads) as pool:
        drawn = np.stack(list(pool.map(one, draws.photographs)))
    return Resampled(one(once), drawn)


@dataclass(frozen=True)
class Difference:
    """A difference between two arms, and how sure it is.

    Attributes:
        seen: The difference, first minus second, mean over seeds.
        error: Its standard error over photographs and seeds together.
        photograph_variance: Part of the error's square that photographs make for all runs alike; more photographs
            shrink it.
        seed_variance: Variance between seeds; divided by their number, what they add to the error's square.
        units: How many photographs, or whole events, with a face to judge were drawn from.
        seeds: How many runs each arm has.
        run_variance: What single photographs do in single runs; divided by the number of seeds, the rest of the
            error's square. Both more photographs and more seeds shrink it.
    """

    seen: float
    error: float
    photograph_variance: float
    seed_variance: float
    units: int
    seeds: int
    run_variance: float = 0.0

    def reach(self, probability: float, units: int | None = None, seeds: int | None = None) -> float:
        """How far from the difference its one-sided limit lies, in this study or in one of another size.

        The squared error is the sum of two estimated variances, what photographs and what seeds make. The quantile of
        Student's t is the mean of theirs, weighed by the two (Cochran and Cox, "Experimental Designs", 1957, section
        4.14). It errs on the safe side; the degrees of freedom of Satterthwaite are too many where few seeds prevail.

        Args:
            probability: That the limit is not passed, for example .95.
            units: Photographs, or events; those there are by default.
            seeds: Runs of each arm; those there are by default.
        """
        other = (units, seeds) != (None, None)
        units, seeds = units or self.units, seeds or self.seeds
        share = self.units / units
        both = self.run_variance * share / seeds
        by_unit, by_seed = self.photograph_variance * share + both, self.seed_variance / seeds + both
        error = np.sqrt(by_unit + by_seed - both) if other else self.error
        quantiles = stats.t.ppf(probability, [max(units - 1, 1), max(seeds - 1, 1)])
        weights = np.array([by_unit, by_seed]) if by_unit + by_seed > 0 else np.ones(2)
        return float(error * (quantiles * weights).sum() / weights.sum())


def difference(
    first: Resampled, second: Resampled, draws: Draws, overlaps: slice, units: int | None = None
) -> Difference:
    """The difference of two arms in the mean of some of the resampled values.

    Seeds are paired: run k of both arms began with the same weights and saw the same crops. Drawing n things with
    replacement, seeds or photographs, spreads n / (n - 1) times too little; both parts are widened to make up for it.
    Drawing both counts three times what single photographs do in single runs (Owen, "The pigeonhole bootstrap", 2007);
    two of them are taken away.

    Args:
        first: One arm.
        second: The other.
        draws: What both were drawn with.
        overlaps: Which values to average over.
        units: How many of the things drawn hold a face to judge; all by default. The others tell next to nothing.

    Returns:
        Variances that are not a number where there is one photograph, or nothing to measure.
    """
    by_seed = (first.seen - second.seen)[:, overlaps].mean(1)
    drawn = (first.drawn - second.drawn)[:, :, overlaps].mean(2)
    kept = np.isfinite(drawn).all(1)
    drawn, chosen = drawn[kept], draws.seeds[kept]
    seeds, seen = len(by_seed), float(by_seed.mean())
    units = draws.units if units is None else units
    if len(drawn) < 2 or units < 2:
        return Difference(seen, float("nan"), float("nan"), float("nan"), units, seeds)
    # As far as so many draws of n things spread, so far would samples of n: times n / (n - 1).
    wider = units / (units - 1)
    middle = drawn.mean(1)
    by_unit = float(middle.var(ddof=1)) * wider
    if seeds < 2:
        return Difference(seen, float(np.sqrt(by_unit)), by_unit, 0.0, units, seeds)
    run_variance = float((drawn - drawn.mean(0)).var(axis=1, ddof=1).mean()) * wider
    picked = np.take_along_axis(drawn, chosen, axis=1).mean(1) - middle
    together = np.sqrt(wider) * (middle - middle.mean()) + np.sqrt(seeds / (seeds - 1)) * picked
    error = np.sqrt(max(float(together.var(ddof=1)) - 2 * run_variance / seeds, by_unit))
    return Difference(
        seen,
        float(error),
        max(by_unit - run_variance / seeds, 0.0),
        max(float(by_seed.var(ddof=1)) - run_variance, 0.0),
        units,
        seeds,
        run_variance,
    )
