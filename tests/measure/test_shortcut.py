"""Firing on patches."""

import pytest

from facade.measure.shortcut import fired, shortcut_summary

PATCHES = {
    "images": [{"id": number} for number in range(1, 11)],
    "annotations": [
        {
            "id": 2 * number + place,
            "image_id": number,
            "bbox": [10 + 50 * place, 10, 20, 20],
            "kind": kind,
            "iscrowd": 0,
        }
        for number in range(1, 11)
        for place, kind in enumerate(("blurred", "untouched"))
    ],
}


def on(number, box, score=0.9):
    return {"image_id": number, "bbox": box, "score": score}


def test_shares_are_counted_by_kind_over_the_runs():
    one = [on(number, [11, 11, 19, 19]) for number in range(1, 9)]
    other = [on(number, [10, 10, 20, 20]) for number in range(1, 5)] + [on(1, [60, 10, 20, 20])]
    blurred, untouched = fired(PATCHES, [one, other], [0.5, 0.5], 0.5)
    assert (blurred.kind, blurred.patches, blurred.share) == ("blurred", 10, pytest.approx(0.6))
    assert (untouched.kind, untouched.share) == ("untouched", pytest.approx(0.05))
    assert blurred.low < 0.6 < blurred.high


def test_unsure_detections_and_those_beside_the_patch_do_not_fire():
    run = [on(1, [10, 10, 20, 20], 0.4), on(2, [25, 25, 20, 20])]
    assert [one.share for one in fired(PATCHES, [run], [0.5], 0.5)] == [0, 0]


def test_without_a_threshold_nothing_is_measured():
    told = {"blur": fired(PATCHES, [[on(1, [10, 10, 20, 20])], []], [0.5, None], 0.5)}
    assert shortcut_summary(told) == {"blur": {"blurred": "not measured", "untouched": "not measured"}}
