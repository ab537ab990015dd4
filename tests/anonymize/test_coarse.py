"""Attributes that are kept by class: of a person, the class alone decides."""

import numpy as np
import pytest

from facade.anonymize.coarse import coarse_light, coarse_pose, coarse_tone
from facade.heads.light import Light
from facade.heads.pose import Pose
from facade.seeds import generator

POSES = (Pose(-20, 3, 4), Pose(-40, -8, -6), Pose(20, 3, 4))
TONES = ((0.45, 0.30, 0.22), (0.47, 0.31, 0.23), (0.06, 0.04, 0.03))


def light(across, key):
    x, z = np.sin(np.radians(across)), np.cos(np.radians(across))
    return Light((float(x), 0.4, float(z)), (1.2 * key,) * 3, (0.95 * (1 - key),) * 3, (0.65 * (1 - key),) * 3)


LIGHTS = (light(30, 0.6), light(50, 0.75), light(-30, 0.6))


@pytest.mark.parametrize(
    ("coarse", "one", "alike", "other"),
    [(coarse_pose, *POSES), (coarse_tone, *TONES), (coarse_light, *LIGHTS)],
    ids=["pose", "tone", "light"],
)
def test_within_a_class_nothing_of_the_person_is_left(coarse, one, alike, other):
    def kept(value):
        return coarse(value, generator("coarse"))

    assert kept(one) == kept(alike) != kept(other)
    assert kept(one) != coarse(one, generator("another key"))


def test_the_class_is_kept():
    for number in range(50):
        random = generator("class", number)
        assert -45 <= coarse_pose(POSES[0], random).yaw <= -15
        assert coarse_light(LIGHTS[0], random).direction[0] > 0
        assert coarse_light(LIGHTS[2], random).direction[0] < 0
        assert sum(coarse_tone(TONES[0], random)) > sum(coarse_tone(TONES[2], random))


def test_values_are_sane_for_extreme_classes():
    for tone in ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (1.0, 0.0, 0.0)):
        assert np.isfinite(coarse_tone(tone, generator("extreme"))).all()
        assert all(0 <= part <= 1 for part in coarse_tone(tone, generator("extreme")))
    assert np.isfinite(coarse_light(Light((-1.0, 0.0, 0.0)), generator("extreme")).numbers()).all()
