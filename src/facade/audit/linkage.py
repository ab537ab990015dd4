"""Success rates of linking treated faces to their sources, with confidence intervals and chance levels."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from scipy import stats

from facade.seeds import generator

# False-accept rate at which the true-accept rate is reported.
FALSE_ACCEPT_RATE = 1e-3
# Histogram bins of cosine similarities between -1 and 1: ties and thresholds are accurate to 1/8192.
BINS = 16384
CONFIDENCE = 0.95
# Bootstrap samples for the interval of the area under the curve.
BOOTSTRAP_SAMPLES = 1000
# Probes per block of the similarity matrix, to bound memory.
CHUNK = 512
# Limits of the face heights for which rates are given separately, pixels.
HEIGHTS = (0.0, 40.0, 64.0, 128.0, math.inf)


@dataclass(frozen=True)
class Rate:
    """A rate with its confidence interval, all from 0 to 1."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class Linkage:
    """Results of a linkage attack.

    Attributes:
        faces: Number of probes.
        gallery: Number of faces in the gallery of a probe; where galleries differ in size, their mean size, rounded.
        rank1: Rank-1 rate: share of probes whose source is the most similar face in the gallery. Chance is 1 / gallery.
        rank10: Rank-10 rate: the source is among the ten most similar faces. Chance is 10 / gallery.
        auc: Area under the ROC curve of verification: probability that a genuine pair is more similar than an impostor
            pair. Chance is 0.5.
        tar: True-accept rate at a false-accept rate of 0.001.
        by_height: Rank-1 rate and number of probes by height of the face, as in "40 to 64 px".
        network: The recognition network, if there was a choice of several.
    """

    faces: int
    gallery: int
    rank1: Rate
    rank10: Rate
    auc: Rate
    tar: Rate
    by_height: Mapping[str, tuple[Rate, int]] = field(default_factory=dict)
    network: str = ""

    @property
    def chance(self) -> float:
        """Rank-1 rate of random guessing."""
        return 1 / self.gallery


def linkage(
    probes: np.ndarray,
    gallery: np.ndarray,
    photographs: Sequence[str],
    groups: np.ndarray | None = None,
    heights: Sequence[float] | None = None,
) -> Linkage:
    """Compare every probe with every face of a gallery.

    Ties count against privacy: a probe that is equally similar to its source and to others counts as linked.

    Args:
        probes: (N, D) float32, unit length.
        gallery: (N, D) float32, unit length; row i is the source of probe i.
        photographs: The photograph of each face. Faces of one photograph share light and sharpness, so intervals are
            clustered by photograph.
        groups: Group of each face, (N,) int: a probe is compared with the gallery of its own group. None: one group.
        heights: Height of each face, pixels, for the rates by height.

    Raises:
        ValueError: A group has fewer than two faces.
    """
    count = len(probes)
    groups = np.zeros(count, int) if groups is None else groups
    if count < 2 or np.unique(groups, return_counts=True)[1].min() < 2:
        raise ValueError("linkage needs at least two faces")
    ranks = np.empty(count, int)
    own = np.empty(count)
    impostors = np.zeros(BINS, np.int64)
    for group in np.unique(groups):
        members = np.flatnonzero(groups == group)
        against = gallery[members].astype(np.float64)
        for start in range(0, len(members), CHUNK):
            block = np.arange(start, min(start + CHUNK, len(members)))
            rows = members[block]
            similarity = probes[rows].astype(np.float64) @ against.T
            own[rows] = similarity[block - start, block]
            ranks[rows] = (similarity > own[rows, None]).sum(1)
            others = np.delete(similarity.ravel(), (block - start) * len(members) + block)
            impostors += np.bincount(_bin(others), minlength=BINS)
    below = np.concatenate([[0], np.cumsum(impostors)])
    bins = _bin(own)
    # Per probe, the share of impostor pairs that are less similar than the genuine pair; ties count half.
    areas = (below[bins] + 0.5 * impostors[bins]) / impostors.sum()
    impostors_above = impostors.sum() - below[bins + 1]
    accepted = impostors_above <= FALSE_ACCEPT_RATE * impostors.sum()
    by_height = {}
    for low, high in pairwise(HEIGHTS if heights is not None else ()):
        where = np.flatnonzero((np.asarray(heights) >= low) & (np.asarray(heights) < high))
        if len(where):
            label = f"{low:g} px and more" if math.isinf(high) else f"{low:g} to {high:g} px"
            by_height[label] = (proportion(ranks[where] < 1, [photographs[int(one)] for one in where]), len(where))
    return Linkage(
        faces=count,
        gallery=round(count / len(np.unique(groups))),
        rank1=proportion(ranks < 1, photographs),
        rank10=proportion(ranks < 10, photographs),
        auc=_mean(areas, photographs),
        tar=proportion(accepted, photographs),
        by_height=by_height,
    )


def proportion(hits: np.ndarray, clusters: Sequence[str]) -> Rate:
    """A proportion and its 95 % interval, for clustered samples.

    Clopper-Pearson interval at the effective sample size (Korn and Graubard, Survey Methodology 24, 1998). If the
    proportion is 0 or 1, the correlation within clusters cannot be estimated, and each cluster counts as one sample.

    Args:
        hits: (N,) bool.
        clusters: (N,) cluster of each sample.
    """
    count, share = len(hits), float(np.mean(hits))
    _, numbers = np.unique(np.asarray(clusters), return_inverse=True)
    groups = int(numbers.max()) + 1
    if share in (0.0, 1.0) or groups < 2:
        effective = float(groups)
    else:
        sums = np.bincount(numbers, np.asarray(hits, float) - share)
        variance = groups / (groups - 1) * float((sums**2).sum()) / count**2
        simple = share * (1 - share) / count
        effective = count * min(1.0, simple / max(variance, 1e-12))
        quantile = stats.t.ppf(0.5 + CONFIDENCE / 2, [count - 1, groups - 1])
        effective *= min(1.0, float(quantile[0] / quantile[1]) ** 2)
    hit, tail = share * effective, (1 - CONFIDENCE) / 2
    low = 0.0 if share == 0 else float(stats.beta.ppf(tail, hit, effective - hit + 1))
    high = 1.0 if share == 1 else float(stats.beta.ppf(1 - tail, hit + 1, effective - hit))
    return Rate(share, low, high)


def _mean(values: np.ndarray, clusters: Sequence[str]) -> Rate:
    """A mean and its 95 % cluster bootstrap interval."""
    _, numbers = np.unique(np.asarray(clusters), return_inverse=True)
    if numbers.max() == 0:  # the variance between photographs is unknown
        return Rate(float(values.mean()), 0.0, 1.0)
    sums, sizes = np.bincount(numbers, values), np.bincount(numbers)
    samples = generator("linkage", len(values)).integers(0, len(sums), (BOOTSTRAP_SAMPLES, len(sums)))
    means = sums[samples].sum(1) / sizes[samples].sum(1)
    tail = 50 * (1 - CONFIDENCE)
    return Rate(float(values.mean()), float(np.percentile(means, tail)), float(np.percentile(means, 100 - tail)))


def _bin(cosines: np.ndarray) -> np.ndarray:
    return np.clip(((np.asarray(cosines) + 1) / 2 * BINS).astype(int), 0, BINS - 1)
