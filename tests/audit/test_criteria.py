"""What stops training, and what is said of it."""

import re
from collections import Counter

import pytest

from facade.audit.audit_arm import Attacker, Seen
from facade.audit.coverage import Untreated
from facade.audit.criteria import Audited, always, for_people, summary
from facade.audit.leaks import Leak
from facade.audit.linkage import Linkage, Rate
from facade.audit.unlabelled import Capture, Unlabelled

WHO = Attacker(None, False, "face recognition by some.onnx")


def linked(share=0.0, high=0.01, faces=500):
    rate = Rate(share, max(0.0, share - 0.01), high)
    return Linkage(faces, rate, rate, Rate(0.5, 0.45, 0.55), rate)


def audited(synthetic=False, untreated=(), attacks=None, attacker=WHO, unlabelled=(0, True), leaks=()):
    untreated = list(untreated)
    counts = Counter(treated=1000 - len(untreated), untreated=len(untreated))
    attacks = {"recognition": linked(), "parrot": linked(0.9, 0.95)} if attacks is None else attacks
    attacks = {"parrot_untreated": linked(1.0, 1.0), **attacks} if attacks else {}
    return Audited(
        synthetic,
        Seen(counts, untreated, 500, attacks or None),
        attacker,
        None if unlabelled is None else Unlabelled(*unlabelled, [Capture(100, 90, 80)]),
        list(leaks),
    )


LEFT = [Untreated(f"{number:016x}.jpg", 3, (1.0, 2.0, 30.0, 40.0)) for number in range(5)]
WEAK = {"recognition": linked(0.02, 0.03), "reversed": linked(0.2, 0.25)}
LEAK = [Leak("data/blur/images/a.jpg", "EXIF or XMP")]
CASES = {
    "nothing": (audited(), None),
    "one untreated": (
        audited(untreated=LEFT[:1]),
        "1 untreated face: face 3 of 0000000000000000.jpg, at x 1 y 2, 30 x",
    ),
    "many": (audited(untreated=LEFT), "5 untreated faces: .*; and 2 more"),
    "a leak": (audited(leaks=LEAK), "1 leak: data/blur/images/a.jpg holds EXIF"),
    "a weak blur": (
        audited(attacks=WEAK),
        r"20\.0 % of 500 faces are linked .* undone .* 25\.0 %\), where audit.max_reid",
    ),
    "nobody looked": (audited(unlabelled=None), "faces that nobody labelled are not measured: give audit.detector"),
    "faces left raw": (audited(unlabelled=(7, False)), "7 faces that nobody labelled and nobody treated"),
    "nobody tried": (audited(attacks={}, attacker=None), "re-identification is not measured: give face recognition"),
    "who knows nobody": (audited(attacks={"parrot_untreated": linked(0.3, 0.4)}), "knows only 30 % of untreated faces"),
    "too few faces": (audited(attacks={}), "fewer than two faces"),
}


@pytest.mark.parametrize("name", CASES)
def test_what_stops_training_on_photographs_of_people(params, name):
    found, sentence = CASES[name]
    told = summary(found, params.audit)
    assert told["passed"] is (sentence is None)
    if sentence is None:
        assert told["stopped_by"] == "nothing"
    else:
        assert re.search(sentence, told["stopped_by"])


@pytest.mark.parametrize("name", CASES)
def test_photographs_of_nobody_are_stopped_by_untreated_faces_and_leaks_alone(params, name):
    found, sentence = CASES[name]
    nobody = Audited(True, found.seen, found.attacker, found.unlabelled, found.leaks)
    told = summary(nobody, params.audit)
    assert told["passed"] is (not always(nobody, params.audit))
    assert (told["real_people_would_be_stopped_by"] == "nothing") is (sentence is None)


def test_who_knows_nobody_has_measured_nothing(params):
    told = summary(audited(attacks={"recognition": linked(), "parrot_untreated": linked(0.1, 0.2)}), params.audit)
    assert told["reidentification"] == "not measured"
    assert "in a mirror" in told["reidentification_lacks"]


def test_limits_are_those_of_the_parameters(params):
    def changed(**changes):
        return params.audit.model_copy(update=changes)

    assert always(audited(untreated=LEFT), changed(max_untreated=5)) == []
    assert for_people(audited(attacks=WEAK), changed(max_reid=25)) == []
    assert for_people(audited(attacks=WEAK), changed(max_reid=24)) != []
    assert for_people(audited(), changed(max_parrot=90)) != []
    assert for_people(audited(unlabelled=(7, False)), changed(max_unlabelled=7)) == []
    assert for_people(audited(unlabelled=None, attacks={}, attacker=None), changed(require=())) == []


def test_the_upper_end_of_the_interval_counts(params):
    """Too few faces prove nothing: not linking one of thirty is compatible with linking a tenth."""
    few = audited(attacks={"recognition": linked(0.0, 0.12, faces=30)})
    assert "at the upper end: more faces would tell" in for_people(few, params.audit)[0]
    assert "more faces would tell" not in for_people(audited(attacks=WEAK), params.audit)[0]
    assert "0.0 % of 30 faces" in for_people(few, params.audit)[0]


def test_what_was_not_measured_reads_so(params):
    told = summary(audited(attacks={}, attacker=None, unlabelled=None), params.audit)
    assert told["reidentification"] == told["unlabelled"] == "not measured"
    assert "attacker" not in told
    assert summary(audited(), params.audit)["attacker"] == "face recognition by some.onnx"
