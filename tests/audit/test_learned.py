"""Learned linkage: it learns what is there to learn, and nothing from random labels."""

import numpy as np
import pytest

from facade.audit.face_features import Features
from facade.audit.learned import FOLDS, MIN_FACES, folds, learned_linkage

COUNT, FRAMES = 200, 3
FILES = [f"{number // 2}.jpg" for number in range(COUNT)]


def features(pixels, figures):
    empty = np.zeros(0, np.float32)
    return [
        Features(one.astype(np.float32), two.astype(np.float32), empty)
        for one, two in zip(pixels, figures, strict=True)
    ]


def world(shared: float, seed: int = 0):
    """Treated and source faces with hidden traits in common; of `shared`, 0 means that they have nothing in common."""
    random = np.random.default_rng(seed)
    traits = random.normal(size=(COUNT, 12))
    to_treated, to_source = random.normal(size=(12, 90)), random.normal(size=(12, 120))

    def treated():
        seen = shared * traits + np.sqrt(1 - shared**2) * random.normal(size=traits.shape)
        return features(seen @ to_treated + random.normal(size=(COUNT, 90)), random.normal(size=(COUNT, 17)))

    def source():
        return features(traits @ to_source + 3 * random.normal(size=(COUNT, 120)), random.normal(size=(COUNT, 17)))

    frames = [source() for _ in range(FRAMES)]
    return treated(), source(), treated(), list(zip(*frames, strict=True))


def test_a_hidden_relation_is_learned():
    linked = learned_linkage(*world(shared=1), FILES, folds(FILES, {}))
    assert linked.faces == COUNT
    assert linked.gallery == COUNT / FOLDS
    assert linked.rank1.low > 0.5
    assert linked.auc.low > 0.95


@pytest.mark.parametrize("seed", range(3))
def test_with_nothing_to_learn_linkage_is_at_chance(seed):
    linked = learned_linkage(*world(shared=0, seed=seed), FILES, folds(FILES, {}))
    assert linked.rank1.low <= linked.chance <= linked.rank1.high
    assert linked.auc.estimate == pytest.approx(0.5, abs=0.08)


def test_random_labels_are_linked_at_chance():
    """The same faces as above, but every source belongs to another face: a leak between folds would show here."""
    probes, gallery, learn_probes, frames = world(shared=1)
    order = np.random.default_rng(1).permutation(COUNT)
    shuffled = [[some[one] for one in order] for some in (gallery, frames)]
    linked = learned_linkage(probes, shuffled[0], learn_probes, shuffled[1], FILES, folds(FILES, {}))
    assert linked.rank1.low <= linked.chance
    assert linked.auc.estimate == pytest.approx(0.5, abs=0.08)


def test_photographs_and_events_stay_in_one_fold_and_folds_are_of_similar_size():
    fold = folds(FILES, {})
    assert all(len({number for number, name in zip(fold, FILES, strict=True) if name == file}) == 1 for file in FILES)
    assert np.bincount(fold).tolist() == [COUNT / 2, COUNT / 2]
    events = {name: f"event {int(name[:-4]) // 20}" for name in FILES}
    fold = folds(FILES, events)
    assert all(
        len({one for one, name in zip(fold, FILES, strict=True) if events[name] == event}) == 1
        for event in events.values()
    )
    assert abs(np.bincount(fold)[0] - COUNT / 2) <= 20
    assert set(folds(FILES, dict.fromkeys(FILES, "one event"))) == {0, 1}, "one event cannot be split: photographs are"


def test_with_too_few_faces_nothing_is_measured():
    few = 2 * MIN_FACES - 2
    short = [part[:few] for part in world(shared=1)]
    assert learned_linkage(*short, FILES[:few], folds(FILES[:few], {})) is None


def test_faces_are_not_learned_from_in_the_fold_that_is_attacked(monkeypatch):
    """The learner of each fold gets the faces of the other one."""
    from facade.audit import learned

    seen = []
    original = learned._learn
    monkeypatch.setattr(learned, "_learn", lambda probes, gallery: seen.append(probes) or original(probes, gallery))
    probes, gallery, own, frames = world(shared=1)
    fold = folds(FILES, {})
    learned_linkage(probes, gallery, own, frames, FILES, fold)
    for number, some in enumerate(seen):
        assert [id(one) for one in some] == [id(own[at]) for at in np.flatnonzero(fold != number)]
