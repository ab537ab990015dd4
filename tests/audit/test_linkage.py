"""Linkage rates against their definitions, and the coverage of their confidence intervals."""

import numpy as np
import pytest
from scipy import stats

from facade.audit.linkage import linkage, proportion


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("strength", [0.0, 0.4, 1.0, 5.0])
def test_rates_equal_their_definitions(strength):
    random = np.random.default_rng(3)
    gallery = unit(random.normal(size=(90, 16)))
    probes = unit(strength * gallery + random.normal(size=(90, 16)) / 4)
    found = linkage(probes, gallery, [str(number // 3) for number in range(90)])
    cosines = probes.astype(float) @ gallery.T.astype(float)
    own, strangers = np.diag(cosines), cosines[~np.eye(90, dtype=bool)]
    better = np.array([(row > row[number]).sum() for number, row in enumerate(cosines)])
    assert found.rank1.estimate == np.mean(better == 0)
    assert found.rank10.estimate == np.mean(better < 10)
    # The Mann-Whitney statistic is the area under the ROC curve; bins are good to 1/8192.
    area = stats.mannwhitneyu(own, strangers).statistic / (len(own) * len(strangers))
    assert found.auc.estimate == pytest.approx(area, abs=1e-3)
    threshold = np.sort(strangers)[::-1][8]  # 8 of 8010 pairs are about one in a thousand
    assert found.tar.estimate == pytest.approx(np.mean(own > threshold), abs=1.5 / 90)
    assert found.chance == 1 / 90


def test_a_gallery_larger_than_a_block():
    random = np.random.default_rng(0)
    gallery = unit(random.normal(size=(1300, 8)))
    found = linkage(gallery, gallery, [str(number) for number in range(1300)])
    assert found.rank1.estimate == found.tar.estimate == 1
    assert found.auc.estimate == pytest.approx(1, abs=1e-3)


def test_equal_embeddings_count_as_linked():
    """A network that gives equal embeddings to all faces does not prove privacy."""
    same = unit(np.ones((20, 4)))
    assert linkage(same, same, list("abcdefghijklmnopqrst")).rank1.estimate == 1


def test_random_embeddings_are_linked_at_chance_level():
    hits = []
    for seed in range(40):
        random = np.random.default_rng(seed)
        found = linkage(
            unit(random.normal(size=(100, 8))), unit(random.normal(size=(100, 8))), list(map(str, range(100)))
        )
        hits.append(found.rank1.estimate)
        assert found.rank1.low <= 0.01, "the interval does not lie above chance"
    assert np.mean(hits) == pytest.approx(0.01, abs=0.006)


@pytest.mark.parametrize(("hits", "count"), [(0, 40), (1, 40), (17, 40), (40, 40)])
def test_without_clusters_the_interval_is_clopper_pearson(hits, count):
    ours = proportion(np.arange(count) < hits, list(map(str, range(count))))
    theirs = stats.binomtest(hits, count).proportion_ci(0.95, method="exact")
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.004)


def test_the_clustered_interval_has_its_nominal_coverage():
    """With correlated faces per photograph, the interval covers the true rate at least nine times of ten."""
    held = naive = 0
    for seed in range(300):
        random = np.random.default_rng(seed)
        rates = random.beta(0.3, 1.2, 40)  # mean .2, very unequal photographs
        hits = random.random((40, 10)) < rates[:, None]
        clusters = [str(number) for number in range(40) for _ in range(10)]
        ours = proportion(hits.ravel(), clusters)
        held += ours.low <= 0.2 <= ours.high
        alone = proportion(hits.ravel(), list(map(str, range(400))))
        naive += alone.low <= 0.2 <= alone.high
    assert held / 300 > 0.92
    assert naive / 300 < 0.75, "clusters matter in this case"


def test_linkage_needs_two_faces():
    with pytest.raises(ValueError, match="two faces"):
        linkage(np.ones((1, 4), np.float32), np.ones((1, 4), np.float32), ["a"])


def test_few_clusters_widen_the_interval_by_their_degrees_of_freedom():
    """Korn and Graubard's interval, computed here from its formula: 5 photographs with 6 faces each."""
    hits = np.array([1, 1, 1, 1, 0, 0] + [1, 0, 0, 0, 0, 0] * 2 + [0] * 12, bool)
    clusters = [str(number // 6) for number in range(30)]
    share, sums = hits.mean(), hits.reshape(5, 6).sum(1)
    variance = 5 / 4 * ((sums - 6 * share) ** 2).sum() / 30**2
    effective = share * (1 - share) / variance
    effective *= (stats.t.ppf(0.975, 29) / stats.t.ppf(0.975, 4)) ** 2
    found = proportion(hits, clusters)
    assert effective < 10
    assert found.low == pytest.approx(stats.beta.ppf(0.025, share * effective, effective * (1 - share) + 1))
    assert found.high == pytest.approx(stats.beta.ppf(0.975, share * effective + 1, effective * (1 - share)))
