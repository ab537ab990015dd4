"""Alarms for a reviewer: a verdict that got worse, a changed golden set, a loosened limit."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from facade.audit.threats import ATTACKS
from facade.measure.compare import NOT_MEASURED
from facade.report.formatting import format_number
from facade.report.revision import Revision

# From best to worst. Other values (one seed, a reference arm below the margin) are not ranked.
RANKED_VERDICTS = ("non-inferior", "inconclusive", "inferior")
# Parameters that loosen a check when they increase, decrease, change at all, or are switched on or off, and the effect.
INCREASED = {
    "audit.max_untreated": "more labelled faces may stay untreated",
    "audit.max_unlabelled": "more unlabelled faces may stay untreated",
    "audit.max_reid": "more faces may be linked to their source",
    "audit.max_learned": "more faces may be linked by an adversary who learns",
    "audit.max_parrot": "more faces may be linked by an attacker who knows the method",
    "audit.min_score": "fewer unlabelled faces are detected",
    "audit.min_face_height": "fewer faces are attacked",
    "evaluate.margin": "a larger loss counts as non-inferior",
    "evaluate.alpha": "a higher error rate of the verdict is accepted",
    "ingest.max_unreadable": "more unreadable photographs are skipped without an error",
    "ingest.min_face": "fewer faces are scored",
}
DECREASED = {
    "audit.max_faces": "fewer faces are attacked",
    "audit.identities": "the attacker is trained on fewer identities",
    "ingest.duplicate_distance": "near-duplicates of golden photographs may be trained on",
}
CHANGED = {
    "evaluate.metric": "the verdict is on another metric",
    "evaluate.iou": "other detections count as true positives",
    "evaluate.looks": "the plan of interim looks differs",
    "evaluate.resample": "the intervals have other resampling units",
}
# One network replaced by another. Removing a network is in SWITCHED_OFF; adding one tightens the check.
REPLACED = {
    "audit.recognition": "another network attacks, so linkage rates are not comparable",
    "audit.detector": "another network detects unlabelled faces",
}
SWITCHED_ON = {"report.show_raw": "pictures may show untreated faces"}
SWITCHED_OFF = {
    "audit.detector": "unlabelled faces are not detected",
    "audit.recognition": "no face recognition network attacks",
    "audit.treat_unlabelled": "unlabelled faces are not treated",
}


def alarms(then: Revision, now: Revision) -> list[str]:
    """Sentences on changes that a reviewer must approve, the most serious first."""
    return [
        *_verdicts(then.golden.get("verdict", {}), now.golden.get("verdict", {})),
        *_golden_set(then, now),
        *_loosened(then.params, now.params),
        *_privacy(then.privacy, now.privacy),
    ]


def comparisons(verdict: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The comparisons in the "verdict" section of metrics/golden.json, by a readable name: "pseudo vs raw"."""
    return {name.replace("_", " "): entry for name, entry in verdict.items() if "_vs_" in name}


def _verdicts(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    before, after = comparisons(then), comparisons(now)
    for name, entry in before.items():
        old, new = entry.get("verdict"), after.get(name, {}).get("verdict", "missing")
        if old in RANKED_VERDICTS and (
            new not in RANKED_VERDICTS or RANKED_VERDICTS.index(new) > RANKED_VERDICTS.index(old)
        ):
            yield f"**The verdict on {name} got worse**: it was {old}, now it is {new}."


def _golden_set(then: Revision, now: Revision) -> Iterator[str]:
    sources = (
        ("ingest.golden_lock", then.params.get("ingest", {}), now.params.get("ingest", {})),
        ("metrics/ingest.json", then.ingest, now.ingest),
    )
    for source, before, after in sources:
        old, new = before.get("golden_lock"), after.get("golden_lock")
        if old is not None and old != new:
            yield (
                f"**The golden set changed** (`{source}`: {old}, now {new}): scores are not comparable with earlier "
                "ones, and neither are the columns below."
            )
            return


def _loosened(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    rules: list[tuple[Mapping[str, str], str, Callable[[Any, Any], bool]]] = [
        (CHANGED, "changed", lambda old, new: new != old),
        (REPLACED, "changed", lambda old, new: bool(old) and bool(new) and new != old),
        (INCREASED, "loosened", lambda old, new: _is_number(old) and _is_number(new) and new > old),
        (DECREASED, "loosened", lambda old, new: _is_number(old) and _is_number(new) and new < old),
        (SWITCHED_OFF, "loosened", lambda old, new: bool(old) and not new),
        (SWITCHED_ON, "loosened", lambda old, new: bool(new) and not old),
    ]
    for effects, change, applies in rules:
        for name, effect in effects.items():
            section, key = name.split(".")
            before, after = then.get(section, {}), now.get(section, {})
            if key in before and applies(before[key], after.get(key)):
                yield f"**`{name}` was {change}** ({before[key]}, now {after.get(key)}): {effect}."
    for name in _removed(then, now):
        yield f"**`audit.require` was loosened**: training no longer requires a measurement of {name}."


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
            yield f"**The gate of {arm} is closed**: {'; '.join(after.get('stopped_by') or [])}."
        counted: tuple[tuple[str, Any, Any], ...] = (
            ("untreated labelled faces", _untreated(before), _untreated(after)),
            ("untreated unlabelled faces", untreated_unlabelled(before), untreated_unlabelled(after)),
            ("files with metadata leaks", before.get("leaks"), after.get("leaks")),
        )
        for what, old, new in counted:
            if _is_number(old) and _is_number(new) and new > old:
                yield f"**{arm}: more {what}** ({old}, now {new})."
        if "attacker" in before and before["attacker"] != after.get("attacker"):
            attackers = f"{before['attacker']}; now {after.get('attacker')}"
            yield f"**{arm}: another attacker** ({attackers}): rates are not comparable."
        else:
            yield from _attacks(arm, before.get("reidentification"), after.get("reidentification"))
        if isinstance(before.get("unlabelled"), dict) and after.get("unlabelled") == NOT_MEASURED:
            yield f"**{arm}: unlabelled faces are no longer detected.**"


def _attacks(arm: str, before: Any, after: Any) -> Iterator[str]:
    if not isinstance(before, dict):
        return
    if not isinstance(after, dict):
        yield f"**{arm}: re-identification is no longer measured.**"
        return
    for name, attack in ATTACKS.items():
        old, new = before.get(name), after.get(name)
        # Random variation is no alarm: the intervals must not overlap.
        if attack.limit and old and new and new["rank1_low"] > old["rank1_high"]:
            rates = f"{format_number(old['rank1'])}, now {format_number(new['rank1'])}"
            yield (
                f"**{arm}: more faces are linked to their source** ({attack.description}: {rates}; the intervals do "
                "not overlap)."
            )


def _untreated(privacy: Mapping[str, Any]) -> Any:
    coverage = privacy.get("coverage")
    return coverage.get("untreated") if isinstance(coverage, dict) else None


def untreated_unlabelled(privacy: Mapping[str, Any]) -> int | str:
    """Number of unlabelled faces that were not treated."""
    unlabelled = privacy.get("unlabelled")
    if not isinstance(unlabelled, dict):
        return NOT_MEASURED
    return 0 if unlabelled["treated"] else int(unlabelled["found"])


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
