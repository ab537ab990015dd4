"""Rates of linking, against definitions written out, and intervals against their promise."""

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
    assert found.rank1.seen == np.mean(better == 0)
    assert found.rank10.seen == np.mean(better < 10)
    # The Mann-Whitney statistic is the area under the ROC curve; bins are good to 1/8192.
    area = stats.mannwhitneyu(own, strangers).statistic / (len(own) * len(strangers))
    assert found.auc.seen == pytest.approx(area, abs=1e-3)
    threshold = np.sort(strangers)[::-1][8]  # 8 of 8010 pairs are one in a thousand
    assert found.tar.seen == pytest.approx(np.mean(own > threshold), abs=1.5 / 90)
    assert found.chance == 1 / 90


def test_a_gallery_larger_than_what_is_compared_at_a_time():
    random = np.random.default_rng(0)
    gallery = unit(random.normal(size=(1300, 8)))
    found = linkage(gallery, gallery, [str(number) for number in range(1300)])
    assert found.rank1.seen == found.tar.seen == 1
    assert found.auc.seen == pytest.approx(1, abs=1e-3)


def test_equal_embeddings_count_as_linked():
    """A network that sees nothing gives everybody the same numbers: that is no proof of privacy."""
    same = unit(np.ones((20, 4)))
    assert linkage(same, same, list("abcdefghijklmnopqrst")).rank1.seen == 1


def test_strangers_are_linked_by_chance():
    hits = []
    for seed in range(40):
        random = np.random.default_rng(seed)
        found = linkage(
            unit(random.normal(size=(100, 8))), unit(random.normal(size=(100, 8))), list(map(str, range(100)))
        )
        hits.append(found.rank1.seen)
        assert found.rank1.low <= 0.01, "the interval holds chance, or begins below"
    assert np.mean(hits) == pytest.approx(0.01, abs=0.006)


@pytest.mark.parametrize(("hits", "count"), [(0, 40), (1, 40), (17, 40), (40, 40)])
def test_without_clusters_the_interval_is_clopper_and_pearsons(hits, count):
    ours = proportion(np.arange(count) < hits, list(map(str, range(count))))
    theirs = stats.binomtest(hits, count).proportion_ci(0.95, method="exact")
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.004)


def test_clusters_widen_the_interval_until_it_holds_the_truth():
    """Faces of one photograph stand or fall together; nine of ten times at least the truth lies inside."""
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
    assert naive / 300 < 0.75, "the case is one in which clusters matter"


def test_one_face_is_nobody_to_link():
    with pytest.raises(ValueError, match="two faces"):
        linkage(np.ones((1, 4), np.float32), np.ones((1, 4), np.float32), ["a"])
