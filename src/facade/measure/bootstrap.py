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
        photograph_variance: Part of the error's square that more photographs shrink.
        seed_variance: Variance between seeds; more seeds shrink what it adds to the error.
        photographs: How many photographs, or whole events, were drawn from.
        seeds: How many runs each arm has.
    """

    seen: float
    error: float
    photograph_variance: float
    seed_variance: float
    photographs: int
    seeds: int

    @property
    def freedom(self) -> float:
        """Degrees of freedom of the error (Satterthwaite, 1946)."""
        if self.seeds < 2:
            return max(self.photographs - 1, 1)
        between = self.seed_variance / self.seeds
        parts = between**2 / (self.seeds - 1) + self.photograph_variance**2 / max(self.photographs - 1, 1)
        return float((between + self.photograph_variance) ** 2 / parts) if parts > 0 else float(self.photographs)


def difference(first: Resampled, second: Resampled, draws: Draws, overlaps: slice) -> Difference:
    """The difference of two arms in mean average precision over some overlaps.

    Seeds are paired: run k of both arms began with the same weights and saw the same crops. With S seeds, drawing seeds
    with replacement spreads S / (S - 1) times too little; the part between seeds is widened to make up for it.

    Args:
        first: One arm.
        second: The other.
        draws: What both were drawn with.
        overlaps: Which overlaps to average over.
    """
    by_seed = (first.seen - second.seen)[:, overlaps].mean(1)
    drawn = (first.drawn - second.drawn)[:, :, overlaps].mean(2)
    kept = np.isfinite(drawn).all(1)
    drawn, chosen = drawn[kept], draws.seeds[kept]
    seeds = len(by_seed)
    middle = drawn.mean(1)
    picked = np.take_along_axis(drawn, chosen, axis=1).mean(1)
    widen = np.sqrt(seeds / (seeds - 1)) if seeds > 1 else 0.0
    together = middle + widen * (picked - middle)
    seed_variance = float(by_seed.var(ddof=1)) if seeds > 1 else 0.0
    return Difference(
        float(by_seed.mean()), float(together.std(ddof=1)), float(middle.var(ddof=1)), seed_variance, draws.units, seeds
    )
