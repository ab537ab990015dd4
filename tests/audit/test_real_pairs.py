"""People with two photographs: found by a network, linked and joined after treatment."""

import numpy as np
import pytest

from facade.audit.real_pairs import MIN_PAIRS, attack_pairs, find_pairs

PEOPLE = 60


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture
def crowd():
    """Photographs of three people each; every person is in two photographs."""
    random = np.random.default_rng(0)
    people = random.normal(size=(PEOPLE, 40))
    order = np.concatenate([random.permutation(PEOPLE) for _ in range(2)])
    embedded = unit(people[order] + 0.3 * random.normal(size=(2 * PEOPLE, 40)))
    photographs = [f"{number // 3}.jpg" for number in range(2 * PEOPLE)]
    around = unit(random.normal(size=(2 * PEOPLE, 50)))
    true = {tuple(map(int, np.flatnonzero(order == person))) for person in range(PEOPLE)}
    return embedded, around, photographs, true


def test_people_are_found_in_other_photographs(crowd):
    embedded, around, photographs, true = crowd
    assert set(find_pairs(embedded, around, photographs)) == true


def test_two_copies_of_one_shot_are_no_pair(crowd):
    embedded, around, photographs, true = crowd
    one, other = sorted(true)[0]
    around[other] = around[one]
    assert set(find_pairs(embedded, around, photographs)) == true - {(one, other)}


def test_without_two_faces_in_a_photograph_nobody_knows_how_similar_strangers_are(crowd):
    embedded, around, _, _ = crowd
    assert find_pairs(embedded, around, [f"{number}.jpg" for number in range(len(embedded))]) == []


def test_untreated_faces_are_linked_and_joined_and_others_are_not(crowd):
    embedded, around, photographs, _ = crowd
    pairs = find_pairs(embedded, around, photographs)
    open_faces = attack_pairs(pairs, [embedded], embedded, photographs)
    assert open_faces.pairs == PEOPLE
    assert open_faces.gallery == 2 * PEOPLE - 3
    assert open_faces.linked.estimate == open_faces.joined.estimate == 1
    hidden = unit(np.random.default_rng(1).normal(size=embedded.shape))
    hidden_faces = attack_pairs(pairs, [hidden], embedded, photographs)
    assert hidden_faces.linked.estimate < 0.05
    assert hidden_faces.joined.estimate < 0.05
    # One way to describe treated faces that joins them is enough.
    assert attack_pairs(pairs, [hidden, embedded], embedded, photographs).joined.estimate == 1


def test_few_pairs_give_no_verdict(crowd):
    embedded, around, photographs, _ = crowd
    few = attack_pairs(find_pairs(embedded, around, photographs)[: MIN_PAIRS - 1], [embedded], embedded, photographs)
    assert few.pairs == MIN_PAIRS - 1
    assert few.linked is None
    assert few.joined is None
