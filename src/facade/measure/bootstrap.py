"""Uncertainty of a difference between arms over photographs and seeds: a paired bootstrap."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from scipy import stats

from facade.measure.weighted import MatchedRun


@dataclass(frozen=True)
class BootstrapSamples:
    """Bootstrap samples of photographs and seeds, shared by all arms so that differences are paired.

    Attributes:
        photograph_counts: (B, P) int64, how often each photograph occurs in each sample.
        seed_indices: (B, S) int, the seeds of each sample, with repetitions.
        units: Number of resampling units: photographs, or whole events.
        unit: (P,) int64, the resampling unit of each photograph.
    """

    photograph_counts: np.ndarray
    seed_indices: np.ndarray
    units: int
    unit: np.ndarray

    def units_with(self, photographs: np.ndarray) -> int:
        """Number of units that contain at least one of these photographs, given by index."""
        return len(np.unique(self.unit[photographs]))


def draw_bootstrap(
    photographs: int, seeds: int, count: int, random: np.random.Generator, events: Sequence[str] | None = None
) -> BootstrapSamples:
    """Resample photographs and seeds with replacement, each sample as large as the original.

    Args:
        photographs: Number of photographs.
        seeds: Number of runs per arm.
        count: Number of bootstrap samples.
        random: Random number generator.
        events: The event of each photograph. Photographs of one event are correlated; with events given, whole events
            are resampled (cluster bootstrap).
    """
    groups = np.arange(photographs) if events is None else np.unique(np.array(events), return_inverse=True)[1]
    units = int(groups.max()) + 1
    chosen = random.integers(units, size=(count, units))
    unit_counts = np.stack([np.bincount(row, minlength=units) for row in chosen])
    return BootstrapSamples(
        unit_counts[:, groups].astype(np.int64), random.integers(seeds, size=(count, seeds)), units, groups
    )


@dataclass(frozen=True)
class Resampled:
    """A metric of one arm's runs, on the golden set and on every bootstrap sample of it.

    Attributes:
        estimate: (S, T) float, by run and IoU threshold, on the golden set itself.
        samples: (B, S, T) float, the same on every bootstrap sample.
    """

    estimate: np.ndarray
    samples: np.ndarray


def resample(runs: Sequence[MatchedRun], bootstrap: BootstrapSamples, threads: int = 2) -> Resampled:
    """Average precision of an arm's runs on every bootstrap sample.

    Args:
        runs: One per seed, in the order of the seeds.
        bootstrap: The bootstrap samples.
        threads: Number of threads; the result does not depend on it.
    """
    once = np.ones(bootstrap.photograph_counts.shape[1], np.int64)

    def score_runs(weights: np.ndarray) -> np.ndarray:
        return np.stack([run.average_precision(weights) for run in runs])

    with ThreadPoolExecutor(threads) as pool:
        samples = np.stack(list(pool.map(score_runs, bootstrap.photograph_counts)))
    return Resampled(score_runs(once), samples)


@dataclass(frozen=True)
class Difference:
    """A difference between two arms and its uncertainty.

    Attributes:
        estimate: The difference, first minus second, mean over seeds.
        standard_error: Its standard error over photographs and seeds together.
        photograph_variance: Variance component of photographs, shared by all runs; part of the squared standard error.
            More photographs shrink it.
        seed_variance: Variance component of seeds; divided by the number of seeds, it is their part of the squared
            standard error.
        units: Number of resampling units (photographs, or whole events) that contain a face to score.
        seeds: Number of runs per arm.
        run_variance: Variance component of the photograph-seed interaction; divided by the number of seeds, it is the
            rest of the squared standard error. Both more photographs and more seeds shrink it.
    """

    estimate: float
    standard_error: float
    photograph_variance: float
    seed_variance: float
    units: int
    seeds: int
    run_variance: float = 0.0

    def half_width(self, probability: float, units: int | None = None, seeds: int | None = None) -> float:
        """Distance from the estimate to its one-sided confidence limit, in this study or in one of another size.

        The squared standard error is the sum of two estimated variances, over photographs and over seeds. The quantile
        of Student's t is the mean of the two quantiles, weighted by the variances (Cochran and Cox, "Experimental
        Designs", 1957, section 4.14). It is conservative; Satterthwaite's degrees of freedom are too many where the
        variance between few seeds dominates.

        Args:
            probability: Confidence level of the limit, for example .95.
            units: Photographs, or events; the number in this study by default.
            seeds: Runs per arm; the number in this study by default.
        """
        resized = (units, seeds) != (None, None)
        units, seeds = units or self.units, seeds or self.seeds
        ratio = self.units / units
        interaction = self.run_variance * ratio / seeds
        by_unit = self.photograph_variance * ratio + interaction
        by_seed = self.seed_variance / seeds + interaction
        standard_error = np.sqrt(by_unit + by_seed - interaction) if resized else self.standard_error
        quantiles = stats.t.ppf(probability, [max(units - 1, 1), max(seeds - 1, 1)])
        weights = np.array([by_unit, by_seed]) if by_unit + by_seed > 0 else np.ones(2)
        return float(standard_error * (quantiles * weights).sum() / weights.sum())


def paired_difference(
    first: Resampled, second: Resampled, bootstrap: BootstrapSamples, columns: slice, units: int | None = None
) -> Difference:
    """The paired difference of two arms in the mean of some of the resampled values.

    Seeds are paired: run k of both arms starts from the same weights and sees the same crops. The variance over
    bootstrap samples of n units, seeds or photographs, is too small by the factor (n - 1) / n; both components are
    scaled up to correct for it. Resampling both counts the photograph-seed interaction three times (Owen, "The
    pigeonhole bootstrap", 2007); two of them are subtracted.

    Args:
        first: One arm.
        second: The other.
        bootstrap: The samples on which both were resampled.
        columns: Which of the resampled values are averaged, as IoU thresholds.
        units: Number of resampling units that contain a face to score; all by default. The others carry next to no
            information.

    Returns:
        Variances are NaN where there is only one photograph, or nothing to measure.
    """
    by_seed = (first.estimate - second.estimate)[:, columns].mean(1)
    samples = (first.samples - second.samples)[:, :, columns].mean(2)
    valid = np.isfinite(samples).all(1)
    samples, seed_indices = samples[valid], bootstrap.seed_indices[valid]
    seeds, estimate = len(by_seed), float(by_seed.mean())
    units = bootstrap.units if units is None else units
    if len(samples) < 2 or units < 2:
        return Difference(estimate, float("nan"), float("nan"), float("nan"), units, seeds)
    # Bessel's correction: the bootstrap variance of n units is too small by (n - 1) / n.
    correction = units / (units - 1)
    seed_mean = samples.mean(1)
    by_unit = float(seed_mean.var(ddof=1)) * correction
    if seeds < 2:
        return Difference(estimate, float(np.sqrt(by_unit)), by_unit, 0.0, units, seeds)
    run_variance = float((samples - samples.mean(0)).var(axis=1, ddof=1).mean()) * correction
    resampled_seeds = np.take_along_axis(samples, seed_indices, axis=1).mean(1) - seed_mean
    combined = np.sqrt(correction) * (seed_mean - seed_mean.mean()) + np.sqrt(seeds / (seeds - 1)) * resampled_seeds
    standard_error = np.sqrt(max(float(combined.var(ddof=1)) - 2 * run_variance / seeds, by_unit))
    return Difference(
        estimate,
        float(standard_error),
        max(by_unit - run_variance / seeds, 0.0),
        max(float(by_seed.var(ddof=1)) - run_variance, 0.0),
        units,
        seeds,
        run_variance,
    )
