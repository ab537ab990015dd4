"""Gate criteria: which findings close the gate, their messages, and the reported figures."""

import re
from collections import Counter

import pytest

from facade.audit.audit_arm import ArmAudit, Attacker
from facade.audit.coverage import Untreated
from facade.audit.criteria import (
    AuditResult,
    audit_metrics,
    audit_report,
    basic_failures,
    exceeded_limits,
    missing_measurements,
)
from facade.audit.leaks import Leak
from facade.audit.linkage import Linkage, Rate
from facade.audit.unlabelled import Capture, Unlabelled

NETWORK = Attacker((), False, "face recognition by some.onnx")


def linked(share=0.0, high=0.01, faces=500):
    rate = Rate(share, max(0.0, share - 0.01), high)
    return Linkage(faces, faces, rate, rate, Rate(0.5, 0.45, 0.55), rate)


def result(synthetic=False, untreated=(), attacks=None, attacker=NETWORK, unlabelled=(0, True), leaks=()):
    untreated = list(untreated)
    counts = Counter(treated=1000 - len(untreated), untreated=len(untreated))
    attacks = (
        {"recognition": linked(), "learned": linked(), "parrot": linked(0.2, 0.22)} if attacks is None else attacks
    )
    attacks = {"frame_untreated": linked(1.0, 1.0), "learned_untreated": linked(1.0, 1.0), **attacks} if attacks else {}
    return AuditResult(
        synthetic,
        ArmAudit(counts, untreated, 500, attacks or None),
        attacker,
        None if unlabelled is None else Unlabelled(*unlabelled, [Capture(100, 90, 80)]),
        list(leaks),
    )


LEFT = [Untreated(f"{number:016x}.jpg", 3, (1.0, 2.0, 30.0, 40.0)) for number in range(5)]
WEAK = {"recognition": linked(0.02, 0.03), "reversed": linked(0.2, 0.25)}
LEAK = [Leak("data/blur/images/a.jpg", "EXIF or XMP")]
CASES = {
    "nothing": (result(), None),
    "one untreated": (
        result(untreated=LEFT[:1]),
        "1 untreated face: face 3 of 0000000000000000.jpg, at x 1 y 2, 30 x",
    ),
    "many": (result(untreated=LEFT), "5 untreated faces: .*; and 2 more"),
    "a leak": (result(leaks=LEAK), "1 leak: data/blur/images/a.jpg holds EXIF"),
    "a weak blur": (
        result(attacks=WEAK),
        r"20\.0 % of 500 faces are linked .* undone .* 25\.0 %\), but audit.max_reid",
    ),
    "no detector": (result(unlabelled=None), "unlabelled faces are not measured: set audit.detector"),
    "unlabelled faces": (result(unlabelled=(7, False)), "7 unlabelled faces left untreated"),
    "no recognition": (
        result(attacks={"learned": linked()}, attacker=None),
        "re-identification is not measured: set audit.recognition",
    ),
    "weak recognition": (
        result(attacks={"frame_untreated": linked(0.3, 0.4), "recognition": linked(0.9, 0.95)}),
        "recognizes only 30 % of untreated faces in another frame",
    ),
    "too few faces": (result(attacks={}), "fewer than two faces"),
    "a learner": (
        result(attacks={"learned": linked(0.06, 0.09), "recognition": linked()}),
        r"6\.0 % of 500 faces are linked .*learned linkage, another frame, .*audit.max_learned allows 5 %",
    ),
    "a learner at the upper end": (
        result(attacks={"learned": linked(0.04, 0.06)}),
        "max_learned allows 5 % at the upper end",
    ),
    "a weak learner": (
        result(attacks={"learned_untreated": linked(0.2, 0.3), "learned": linked(0.2, 0.3)}),
        "learned linkage is not measured: what was learned links only 20 %",
    ),
    "a treated gallery": (result(attacks={"parrot": linked(0.68, 0.7)}), "audit.max_parrot allows 25 %"),
}

UNMEASURED = ("no detector", "no recognition", "weak recognition", "too few faces", "a weak learner")


@pytest.mark.parametrize("name", CASES)
def test_every_failure_closes_the_gate_for_real_people(params, name):
    found, message = CASES[name]
    report = audit_report(found, params.audit)
    assert report["passed"] is (message is None)
    if message is None:
        assert report["stopped_by"] == []
    else:
        (failure,) = report["stopped_by"]
        assert re.search(message, failure)


@pytest.mark.parametrize("name", CASES)
def test_only_untreated_faces_and_leaks_close_the_gate_for_synthetic_photographs(params, name):
    found, message = CASES[name]
    synthetic = AuditResult(True, found.arm, found.attacker, found.unlabelled, found.leaks)
    report = audit_report(synthetic, params.audit)
    assert report["passed"] is (not basic_failures(synthetic, params.audit))
    messages = [*report["would_stop_with_real_people"], *report["missing_for_real_people"]]
    assert messages == audit_report(found, params.audit)["stopped_by"]
    metrics = audit_metrics(report)
    assert metrics["stopped_by"] == len(report["stopped_by"])
    expected = "passed" if message is None else "incomplete" if name in UNMEASURED else "failed"
    assert metrics["gate_on_real_people"] == expected


def test_the_stand_in_of_the_demo_has_no_limits_and_does_not_replace_a_network(params):
    """It reads hair and surroundings, so its rates say nothing about real people. The learner's count."""
    stand_in = Attacker((), True, "a small network")
    found = result(True, attacks={"recognition": linked(0.3, 0.4), "learned": linked()}, attacker=stand_in)
    report = audit_report(found, params.audit)
    assert report["would_stop_with_real_people"] == []
    (missing,) = report["missing_for_real_people"]
    assert "the stand-in is for rendered faces only" in missing
    assert audit_metrics(report)["gate_on_real_people"] == "incomplete"
    learned = result(True, attacks={"learned": linked(0.2, 0.3)}, attacker=stand_in)
    assert len(exceeded_limits(learned, params.audit)) == 1
    assert missing_measurements(found, params.audit.model_copy(update={"require": ("unlabelled",)})) == []


def test_metrics_hold_rank1_only(params):
    report = audit_report(result(attacks=WEAK), params.audit)
    metrics = audit_metrics(report)
    assert metrics["gate_on_real_people"] == "failed"
    for name, attack in WEAK.items():
        assert report["reidentification"][name]["rank10"] == attack.rank10.estimate
        assert metrics["reidentification"][name] == {
            "rank1": attack.rank1.estimate, "rank1_low": attack.rank1.low, "rank1_high": attack.rank1.high
        }  # fmt: skip
    assert metrics["reidentification"]["faces"] == 500
    assert report["reidentification"]["chance_rank1"] == 1 / 500
    assert report["reidentification"]["chance_rank10"] == 10 / 500
    assert metrics["unlabelled"] == {"found": 0, "treated": True}


def test_weak_recognizer_is_reported_as_not_measured(params):
    weak = {"recognition": linked(), "frame_untreated": linked(0.1, 0.2)}
    report = audit_report(result(attacks={**weak, "learned_untreated": linked(0.1, 0.2)}), params.audit)
    assert report["reidentification"] == audit_metrics(report)["reidentification"] == "not measured"
    assert "another frame" in report["reidentification_not_measured_because"]
    # A learner needs no network: its figures stay.
    report = audit_report(result(attacks={**weak, "learned": linked(0.03, 0.04)}), params.audit)
    assert audit_metrics(report)["reidentification"]["learned"]["rank1"] == 0.03
    assert "recognition" not in report["reidentification"]
    assert "recognizes only 10 %" in report["reidentification_not_measured_because"]


def test_limits_are_read_from_the_parameters(params):
    def changed(**changes):
        return params.audit.model_copy(update=changes)

    assert basic_failures(result(untreated=LEFT), changed(max_untreated=5)) == []
    assert exceeded_limits(result(attacks=WEAK), changed(max_reid=25)) == []
    assert exceeded_limits(result(attacks=WEAK), changed(max_reid=24)) != []
    assert exceeded_limits(result(), changed(max_parrot=20)) != []
    assert exceeded_limits(result(attacks={"learned": linked(0.04, 0.06)}), changed(max_learned=6)) == []
    assert exceeded_limits(result(unlabelled=(7, False)), changed(max_unlabelled=7)) == []
    nothing = result(unlabelled=None, attacks={}, attacker=None)
    assert missing_measurements(nothing, changed(require=())) == exceeded_limits(nothing, changed(require=())) == []


def test_the_upper_end_of_the_interval_is_compared_with_the_limit(params):
    """Few faces prove little: zero of thirty linked faces is compatible with a rate of ten percent."""
    few = result(attacks={"recognition": linked(0.0, 0.12, faces=30)})
    assert "at the upper end; more faces would narrow the interval" in exceeded_limits(few, params.audit)[0]
    assert "more faces" not in exceeded_limits(result(attacks=WEAK), params.audit)[0]
    assert "0.0 % of 30 faces" in exceeded_limits(few, params.audit)[0]


def test_missing_measurements_are_reported_as_not_measured(params):
    report = audit_report(result(attacks={}, attacker=None, unlabelled=None), params.audit)
    assert report["reidentification"] == report["unlabelled"] == "not measured"
    assert "attacker" not in report
    assert audit_report(result(), params.audit)["attacker"] == "face recognition by some.onnx"
