"""What a reviewer must see first: a verdict that got worse, another golden set, a limit that was loosened."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from facade.audit.threats import ATTACKS
from facade.measure.compare import NOT_MEASURED
from facade.report.formatting import told
from facade.report.revision import Revision

# From best to worst; what else stands there (one seed, raw that learned nothing) is no verdict.
ANSWERS = ("non-inferior", "inconclusive", "inferior")
# Parameters that loosen something when they rise, fall, change at all, or are switched, and what that means.
RISING = {
    "audit.max_untreated": "more faces may stay as they were",
    "audit.max_unlabelled": "more faces that nobody labelled may stay as they were",
    "audit.max_reid": "more faces may be linked to their source",
    "audit.max_parrot": "more faces may be linked by somebody who knows the method",
    "audit.sure": "fewer faces that nobody labelled are found",
    "audit.least": "fewer faces are attacked",
    "evaluate.margin": "a greater loss counts as none",
    "evaluate.alpha": "a wrong verdict is accepted more often",
    "ingest.max_bad": "more photographs may be left out in silence",
    "ingest.min_face": "fewer faces are judged",
}
FALLING = {
    "audit.most": "fewer faces are attacked",
    "audit.people": "the attacker learns from fewer people",
    "ingest.duplicate_distance": "photographs that look like golden ones may be trained on",
}
CHANGING = {
    "evaluate.metric": "the verdict is about another metric",
    "evaluate.iou": "other detections count as right",
    "evaluate.looks": "the plan of when to look at the verdict is another",
    "evaluate.resample": "the intervals are about other things",
}
# One network for another; none for one is a switch, and one where there was none tightens.
EXCHANGED = {
    "audit.recognition": "another network attacks, so that rates do not compare",
    "audit.detector": "another network looks for faces that nobody labelled",
}
SWITCHED_ON = {"report.show_raw": "pictures may show untreated faces"}
SWITCHED_OFF = {
    "audit.detector": "nobody looks for faces that nobody labelled",
    "audit.recognition": "no face recognition network attacks",
    "audit.treat_unlabelled": "faces that nobody labelled are left as they are",
}


def alarms(then: Revision, now: Revision) -> list[str]:
    """Sentences on what a reviewer must decide on, the gravest first."""
    return [
        *_verdicts(then.golden.get("verdict", {}), now.golden.get("verdict", {})),
        *_golden_set(then, now),
        *_loosened(then.params, now.params),
        *_privacy(then.privacy, now.privacy),
    ]


def answers(verdict: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The comparisons of a verdict, by name in words: "pseudo against raw"."""
    return {name.replace("_", " "): entry for name, entry in verdict.items() if "_against_" in name}


def _verdicts(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    before, after = answers(then), answers(now)
    for name, entry in before.items():
        was, answer = entry.get("answer"), after.get(name, {}).get("answer", "gone")
        if answer != was and (was in ANSWERS and (answer not in ANSWERS or ANSWERS.index(answer) > ANSWERS.index(was))):
            yield f"**The verdict on {name} got worse**: it was {was}, and is {answer}."


def _golden_set(then: Revision, now: Revision) -> Iterator[str]:
    places = (
        ("ingest.golden_lock", then.params.get("ingest", {}), now.params.get("ingest", {})),
        ("metrics/ingest.json", then.ingest, now.ingest),
    )
    for where, before, after in places:
        was, new = before.get("golden_lock"), after.get("golden_lock")
        if was is not None and was != new:
            yield (
                f"**The golden set changed** (`{where}`: {was}, now {new}): scores do not compare with earlier ones, "
                "and nor do the columns below."
            )
            return


def _loosened(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    rules: list[tuple[Mapping[str, str], str, Callable[[Any, Any], bool]]] = [
        (CHANGING, "changed", lambda was, new: new != was),
        (EXCHANGED, "changed", lambda was, new: bool(was) and bool(new) and new != was),
        (RISING, "loosened", lambda was, new: _is_number(was) and _is_number(new) and new > was),
        (FALLING, "loosened", lambda was, new: _is_number(was) and _is_number(new) and new < was),
        (SWITCHED_OFF, "loosened", lambda was, new: bool(was) and not new),
        (SWITCHED_ON, "loosened", lambda was, new: bool(new) and not was),
    ]
    for names, done, is_told in rules:
        for name, meaning in names.items():
            section, key = name.split(".")
            before, after = then.get(section, {}), now.get(section, {})
            if key in before and is_told(before[key], after.get(key)):
                yield f"**`{name}` was {done}** ({before[key]}, now {after.get(key)}): {meaning}."
    for name in _removed(then, now):
        yield f"**`audit.require` was loosened**: training no longer needs to know of {name}."


def _removed(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    before, after = (one.get("audit", {}).get("require") or [] for one in (then, now))
    return [name for name in before if name not in after]


def _privacy(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for arm, before in then.items():
        after = now.get(arm, {})
        if before and not after:
            yield f"**Privacy of {arm} is no longer measured.**"
            continue
        if before.get("passed") is not False and after.get("passed") is False:
            yield f"**The gate of {arm} is shut**: {after.get('stopped_by')}."
        counted: tuple[tuple[str, Any, Any], ...] = (
            ("labelled faces left as they were", _untreated(before), _untreated(after)),
            ("faces that nobody labelled left as they were", unlabelled_left(before), unlabelled_left(after)),
            ("files that tell more than the picture", before.get("leaks"), after.get("leaks")),
        )
        for what, was, new in counted:
            if _is_number(was) and _is_number(new) and new > was:
                yield f"**{arm}: more {what}** ({was}, now {new})."
        if "attacker" in before and before["attacker"] != after.get("attacker"):
            who = f"{before['attacker']}; now {after.get('attacker')}"
            yield f"**{arm}: another attacker** ({who}): rates do not compare."
        else:
            yield from _attacks(arm, before.get("reidentification"), after.get("reidentification"))
        if isinstance(before.get("unlabelled"), dict) and after.get("unlabelled") == NOT_MEASURED:
            yield f"**{arm}: faces that nobody labelled are no longer looked for.**"


def _attacks(arm: str, before: Any, after: Any) -> Iterator[str]:
    if not isinstance(before, dict):
        return
    if not isinstance(after, dict):
        yield f"**{arm}: who can be known again is no longer measured.**"
        return
    for name, attack in ATTACKS.items():
        was, new = before.get(name), after.get(name)
        # More by chance alone is no news: the intervals lie apart.
        if attack.limit and was and new and new["rank1_low"] > was["rank1_high"]:
            rates = f"{told(was['rank1'])}, now {told(new['rank1'])}"
            yield f"**{arm}: more faces are linked to their source** ({attack.told}: {rates}; the intervals lie apart)."


def _untreated(privacy: Mapping[str, Any]) -> Any:
    coverage = privacy.get("coverage")
    return coverage.get("untreated") if isinstance(coverage, dict) else None


def unlabelled_left(privacy: Mapping[str, Any]) -> int | str:
    """Faces that nobody labelled and nobody treated."""
    unlabelled = privacy.get("unlabelled")
    if not isinstance(unlabelled, dict):
        return NOT_MEASURED
    return 0 if unlabelled["treated"] else int(unlabelled["found"])


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
