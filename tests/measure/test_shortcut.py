"""False positives on patches."""

import pytest

from facade.measure.shortcut import patch_false_positives, shortcut_summary

PATCHES = {
    "images": [{"id": number} for number in range(1, 11)],
    "annotations": [
        {
            "id": 2 * number + column,
            "image_id": number,
            "bbox": [10 + 50 * column, 10, 20, 20],
            "kind": kind,
            "iscrowd": 0,
        }
        for number in range(1, 11)
        for column, kind in enumerate(("blurred", "untouched"))
    ],
}


def on(number, box, score=0.9):
    return {"image_id": number, "bbox": box, "score": score}


def test_shares_are_averaged_over_runs_by_kind():
    one = [on(number, [11, 11, 19, 19]) for number in range(1, 9)]
    other = [on(number, [10, 10, 20, 20]) for number in range(1, 5)] + [on(1, [60, 10, 20, 20])]
    blurred, untouched = patch_false_positives(PATCHES, [one, other], [0.5, 0.5], 0.5)
    assert (blurred.kind, blurred.patches, blurred.share) == ("blurred", 10, pytest.approx(0.6))
    assert (untouched.kind, untouched.share) == ("untouched", pytest.approx(0.05))
    assert blurred.low < 0.6 < blurred.high


def test_low_scores_and_low_iou_do_not_count():
    run = [on(1, [10, 10, 20, 20], 0.4), on(2, [25, 25, 20, 20])]
    assert [one.share for one in patch_false_positives(PATCHES, [run], [0.5], 0.5)] == [0, 0]


def test_without_a_threshold_nothing_is_measured():
    shortcut = {"blur": patch_false_positives(PATCHES, [[on(1, [10, 10, 20, 20])], []], [0.5, None], 0.5)}
    assert shortcut_summary(shortcut) == {"blur": {"blurred": "not measured", "untouched": "not measured"}}
