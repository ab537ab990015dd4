"""Two photographs of one person: can the person be linked, and can the two be joined, after treatment?

Face data sets rarely name people. Pairs are found instead: faces of different photographs that are each other's most
similar, and more similar than nearly all faces of one photograph, which belong to different people.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from facade.audit.linkage import Rate, proportion

# Percentile of the similarities within photographs, nearly all of different people, above which two faces are taken for
# one person. Of the pairs of WIDER FACE above it (.67 for MobileFaceNet), half are of one event; of those above .5, a
# third, hardly more than by chance: most of them are two people.
PERCENTILE = 99.0
# Correlation of the surroundings from which two photographs are one shot, and no pair.
MAX_AROUND = 0.9
# With fewer pairs there is no verdict.
MIN_PAIRS = 30
# Faces that one photograph must have in common to know how similar different people are.
MIN_STRANGERS = 100


@dataclass(frozen=True)
class RealPairs:
    """Attacks on people with two photographs.

    Attributes:
        pairs: Number of pairs that were found.
        gallery: Number of faces that a probe is compared with, on average; 0 without pairs.
        linked: Share of treated faces whose most similar source, of all in other photographs, is the other photograph
            of the person. None with fewer than `MIN_PAIRS` pairs.
        joined: The same among treated faces: whether two treated photographs can be joined.
    """

    pairs: int
    gallery: int
    linked: Rate | None
    joined: Rate | None


def find_pairs(source: np.ndarray, around: np.ndarray, photographs: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs of faces that probably show one person in different photographs.

    Args:
        source: Embeddings of untreated faces by a recognition network, (N, D), unit length.
        around: Unit vectors of what is around each face, (N, E).
        photographs: The photograph of each face.
    """
    similarity = source @ source.T
    same = np.asarray(photographs)[:, None] == np.asarray(photographs)[None]
    strangers = similarity[same & ~np.eye(len(source), dtype=bool)]
    if len(strangers) < MIN_STRANGERS or same.all():
        return []
    similarity = np.where(same | (around @ around.T > MAX_AROUND), -1.0, similarity)
    nearest = similarity.argmax(1)
    least = float(np.percentile(strangers, PERCENTILE))
    return [
        (one, int(other))
        for one, other in enumerate(nearest)
        if one < other and nearest[other] == one and similarity[one, other] > least
    ]


def attack_pairs(
    pairs: Sequence[tuple[int, int]],
    treated: Sequence[np.ndarray],
    source: np.ndarray,
    photographs: Sequence[str],
) -> RealPairs:
    """Link and join the faces of pairs.

    Args:
        pairs: From `find_pairs`.
        treated: Unit vectors of the treated faces, (N, D), by each way to describe them; the first is comparable with
            `source`. The strongest of them counts for `joined`.
        source: Embeddings of the untreated faces, (N, D).
        photographs: The photograph of each face.
    """
    if not pairs:
        return RealPairs(0, 0, None, None)
    both = [pair for one, other in pairs for pair in ((one, other), (other, one))]
    files = np.asarray(photographs)
    gallery = round(float(np.mean([(files != files[one]).sum() for one, _ in both])))
    if len(pairs) < MIN_PAIRS:
        return RealPairs(len(pairs), gallery, None, None)
    # Pairs are the clusters: both directions of one succeed or fail together.
    clusters = [f"{number // 2}" for number in range(len(both))]

    def rate(probes: np.ndarray, against: np.ndarray) -> Rate:
        hits = []
        for one, other in both:
            similarity = np.where(files == files[one], -np.inf, against @ probes[one])
            hits.append(bool((similarity > similarity[other]).sum() == 0))
        return proportion(np.array(hits), clusters)

    joined = max((rate(one, one) for one in treated), key=lambda one: one.estimate)
    return RealPairs(len(pairs), gallery, rate(treated[0], source), joined)
