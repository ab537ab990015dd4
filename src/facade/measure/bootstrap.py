"""How far a difference between arms would move with other photographs and other seeds: a paired bootstrap."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from facade.measure.weighted import Run


@dataclass(frozen=True)
class Draws:
    """What the bootstrap drew; the same for every arm, so that differences are paired.

    Attributes:
        photographs: (B, P) int64: how often each photograph counts.
        seeds: (B, S) int: which seeds count, with repetitions.
        units: How many things were drawn from: photographs, or whole events.
    """

    photographs: np.ndarray
    seeds: np.ndarray
    units: int


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
    return Draws(times[:, groups].astype(np.int64), random.integers(seeds, size=(count, seeds)), many)


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
        units: How many photographs, or whole events, were drawn from.
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

    @property
    def freedom(self) -> float:
        """Degrees of freedom of the error."""
        return self.larger(self.units, self.seeds)[1]

    def larger(self, units: int, seeds: int) -> tuple[float, float]:
        """The error, and its degrees of freedom, of a study of another size.

        By the three mean squares of photographs crossed with seeds; degrees of freedom by Satterthwaite (1946).

        Args:
            units: Photographs, or events.
            seeds: Runs of each arm.
        """
        share = self.units / units
        both = self.run_variance * share / seeds
        by_unit = self.photograph_variance * share + both
        by_seed = self.seed_variance / seeds + both
        total = by_unit + by_seed - both
        many, runs = max(units - 1, 1), max(seeds - 1, 1)
        parts = by_unit**2 / many + by_seed**2 / runs + both**2 / (many * runs)
        return float(np.sqrt(total)), float(total**2 / parts) if parts > 0 else float(many)


def difference(first: Resampled, second: Resampled, draws: Draws, overlaps: slice) -> Difference:
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

    Returns:
        Variances that are not a number where there is one photograph, or nothing to measure.
    """
    by_seed = (first.seen - second.seen)[:, overlaps].mean(1)
    drawn = (first.drawn - second.drawn)[:, :, overlaps].mean(2)
    kept = np.isfinite(drawn).all(1)
    drawn, chosen = drawn[kept], draws.seeds[kept]
    seeds, seen = len(by_seed), float(by_seed.mean())
    if len(drawn) < 2 or draws.units < 2:
        return Difference(seen, float("nan"), float("nan"), float("nan"), draws.units, seeds)
    # As far as so many draws of n things spread, so far would samples of n: times n / (n - 1).
    wider = draws.units / (draws.units - 1)
    middle = drawn.mean(1)
    by_unit = float(middle.var(ddof=1)) * wider
    if seeds < 2:
        return Difference(seen, float(np.sqrt(by_unit)), by_unit, 0.0, draws.units, seeds)
    run_variance = float((drawn - drawn.mean(0)).var(axis=1, ddof=1).mean()) * wider
    picked = np.take_along_axis(drawn, chosen, axis=1).mean(1) - middle
    together = np.sqrt(wider) * (middle - middle.mean()) + np.sqrt(seeds / (seeds - 1)) * picked
    error = np.sqrt(max(float(together.var(ddof=1)) - 2 * run_variance / seeds, by_unit))
    return Difference(
        seen,
        float(error),
        max(by_unit - run_variance / seeds, 0.0),
        max(float(by_seed.var(ddof=1)) - run_variance, 0.0),
        draws.units,
        seeds,
        run_variance,
    )
