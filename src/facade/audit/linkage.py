"""How well somebody links treated faces to their sources: rates with intervals, beside chance."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from facade.seeds import generator

# False accepts at which the true-accept rate is told.
FALSE_ACCEPTS = 1e-3
# Cosines are sorted into so many bins between -1 and 1: ties and thresholds are good to 1/8192.
BINS = 16384
CONFIDENCE = 0.95
# Draws of photographs for the interval of the area under the curve.
DRAWS = 1000
# Probes compared with the whole gallery at a time: bounds the memory.
CHUNK = 512


@dataclass(frozen=True)
class Rate:
    """A share with its interval, all from 0 to 1."""

    seen: float
    low: float
    high: float


@dataclass(frozen=True)
class Linkage:
    """How often an attack links a treated face to its source.

    Attributes:
        faces: Probes, and as many faces in the gallery.
        rank1: Share of probes whose source is the most similar face of the gallery; chance is 1 / faces.
        rank10: Among the ten most similar; chance is 10 / faces.
        auc: Area under the ROC curve: how often a probe is more like its own source than some probe is like another's.
            Chance is .5.
        tar: Share of probes that are more like their source than all but one in a thousand are like another's.
    """

    faces: int
    rank1: Rate
    rank10: Rate
    auc: Rate
    tar: Rate

    @property
    def chance(self) -> float:
        """Rank-1 rate of guessing."""
        return 1 / self.faces


def linkage(probes: np.ndarray, gallery: np.ndarray, photographs: Sequence[str]) -> Linkage:
    """Compare every probe with every face of a gallery.

    Ties count against privacy: a probe as like its own source as others counts as linked.

    Args:
        probes: (N, D) float32, of length 1.
        gallery: (N, D) float32, of length 1; row i is the source of probe i.
        photographs: Which photograph each face is in. Faces of one photograph are alike in light and sharpness, so that
            intervals are over photographs.

    Raises:
        ValueError: There are fewer than two faces.
    """
    count = len(probes)
    if count < 2:
        raise ValueError("linking needs two faces at least")
    ranks = np.empty(count, int)
    own = np.empty(count)
    others = np.zeros(BINS, np.int64)
    for start in range(0, count, CHUNK):
        rows = np.arange(start, min(start + CHUNK, count))
        similar = probes[rows].astype(np.float64) @ gallery.astype(np.float64).T
        place = rows - start
        own[rows] = similar[place, rows]
        ranks[rows] = (similar > own[rows, None]).sum(1)
        others += np.bincount(_bin(np.delete(similar.ravel(), place * count + rows)), minlength=BINS)
    below = np.concatenate([[0], np.cumsum(others)])
    mine = _bin(own)
    # Of all pairs of strangers, the share less similar than each probe is to its source; equal ones count half.
    areas = (below[mine] + 0.5 * others[mine]) / others.sum()
    strangers_above = others.sum() - below[mine + 1]
    accepted = strangers_above <= FALSE_ACCEPTS * others.sum()
    return Linkage(
        faces=count,
        rank1=proportion(ranks < 1, photographs),
        rank10=proportion(ranks < 10, photographs),
        auc=_mean(areas, photographs),
        tar=proportion(accepted, photographs),
    )


def proportion(hits: np.ndarray, clusters: Sequence[str]) -> Rate:
    """A share and its 95 % interval, for things that come in clusters.

    Clopper and Pearson's exact interval at the effective sample size (Korn and Graubard, Survey Methodology 24, 1998).
    Where nothing or everything is a hit, clusters tell nothing of their likeness, and each counts as one thing.

    Args:
        hits: (N,) bool.
        clusters: (N,) which cluster each is in.
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
    """A mean and its 95 % interval by drawing clusters with replacement."""
    _, numbers = np.unique(np.asarray(clusters), return_inverse=True)
    if numbers.max() == 0:  # one photograph tells nothing of others
        return Rate(float(values.mean()), 0.0, 1.0)
    sums, sizes = np.bincount(numbers, values), np.bincount(numbers)
    drawn = generator("linkage", len(values)).integers(0, len(sums), (DRAWS, len(sums)))
    means = sums[drawn].sum(1) / sizes[drawn].sum(1)
    tail = 50 * (1 - CONFIDENCE)
    return Rate(float(values.mean()), float(np.percentile(means, tail)), float(np.percentile(means, 100 - tail)))


def _bin(cosines: np.ndarray) -> np.ndarray:
    return np.clip(((np.asarray(cosines) + 1) / 2 * BINS).astype(int), 0, BINS - 1)
