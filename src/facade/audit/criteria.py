"""The gate criteria of an audit, as failure messages; and the figures of an audit for files and metrics."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from facade.audit.attacks import MIN_RANK1_UNTREATED
from facade.audit.audit_arm import ArmAudit, Attacker
from facade.audit.leaks import Leak
from facade.audit.learned import FOLDS, MIN_FACES
from facade.audit.linkage import Linkage, Rate
from facade.audit.real_pairs import MIN_PAIRS, RealPairs
from facade.audit.threats import ATTACKS, LEARNED, LEARNED_UNTREATED, NOT_MEASURED
from facade.audit.unlabelled import Unlabelled, estimate_hidden
from facade.params import Audit

# Number of items that a message lists; the others are only counted.
MAX_LISTED = 3
NO_DETECTOR = (
    "unlabelled faces are not measured: set audit.detector (publisher downloads facexlib's), or remove unlabelled from "
    "audit.require"
)
NO_RECOGNITION = (
    "re-identification is not measured: set audit.recognition to face recognition weights, or remove reidentification "
    "from audit.require"
)
STAND_IN = (
    "re-identification by a face recognition network is not measured: the stand-in is for rendered faces only; set "
    "audit.recognition to face recognition weights, or remove reidentification from audit.require"
)
WEAK_RECOGNITION = (
    "re-identification is not measured: the network recognizes only {share:.0f} % of untreated faces in another frame; "
    "set audit.recognition to other weights"
)
TOO_FEW_TO_LEARN = (
    "learned linkage is not measured: the photographs hold too few faces of audit.min_face_height pixels to learn from "
    f"(at least {FOLDS * MIN_FACES}, in several photographs)"
)
WEAK_LEARNER = (
    "learned linkage is not measured: what was learned links only {share:.0f} % of untreated faces to another "
    "frame; add photographs"
)
NO_NETWORK = "learned linkage alone"
FEW_FACES = " at the upper end; more faces would narrow the interval"
TOO_FEW = "re-identification is not measured: the photographs hold fewer than two faces of audit.min_face_height pixels"
# The figures of an attack that are metrics.
RANK1 = ("rank1", "rank1_low", "rank1_high")
LEARNED_METRICS = (*RANK1, "auc", "auc_low", "auc_high", "gallery", "chance")


@dataclass(frozen=True)
class AuditResult:
    """The complete result of an audit.

    Attributes:
        synthetic: Whether the photographs show no real people.
        arm: Coverage and re-identification.
        attacker: The attacker's networks, or None.
        unlabelled: Unlabelled faces; None if no detector was run.
        leaks: Metadata and other leaks.
    """

    synthetic: bool
    arm: ArmAudit
    attacker: Attacker | None
    unlabelled: Unlabelled | None
    leaks: Sequence[Leak]


def why_not_measured(result: AuditResult) -> list[str]:
    """Why parts of re-identification count as not measured: attacks by networks, learned linkage."""
    linked = result.arm.linked
    if linked is None:
        return [TOO_FEW]
    reasons = []
    if result.attacker is None:
        reasons.append(NO_RECOGNITION)
    elif not _knows(linked["frame_untreated"]):
        reasons.append(WEAK_RECOGNITION.format(share=100 * linked["frame_untreated"].rank1.estimate))
    if LEARNED_UNTREATED not in linked:
        reasons.append(TOO_FEW_TO_LEARN)
    elif not _knows(linked[LEARNED_UNTREATED]):
        reasons.append(WEAK_LEARNER.format(share=100 * linked[LEARNED_UNTREATED].rank1.estimate))
    return reasons


def measured_attacks(result: AuditResult) -> dict[str, Linkage]:
    """The results of attacks whose upper bound, untreated faces in another frame, shows that they can succeed."""
    linked = result.arm.linked or {}
    bounds = {name: LEARNED_UNTREATED if ATTACKS[name].patch else "frame_untreated" for name in linked}
    # The plain correlation of surroundings has nothing to prove, and neither has the learner of whole heads.
    return {
        name: one
        for name, one in linked.items()
        if ATTACKS[name].patch in ("head", "around") or (bounds[name] in linked and _knows(linked[bounds[name]]))
    }


def _knows(untreated: Linkage) -> bool:
    return untreated.rank1.low >= MIN_RANK1_UNTREATED


def basic_failures(result: AuditResult, params: Audit) -> list[str]:
    """Failures that close the gate for any photographs, synthetic or real: untreated faces and leaks."""
    failures = []
    untreated = result.arm.untreated
    if len(untreated) > params.max_untreated:
        failures.append(f"{_count(len(untreated), 'untreated face')}: {_list(untreated)}")
    if result.leaks:
        failures.append(f"{_count(len(result.leaks), 'leak')}: {_list(result.leaks)}")
    return failures


def missing_measurements(result: AuditResult, params: Audit) -> list[str]:
    """What `audit.require` names and was not measured. It closes the gate for photographs of real people."""
    missing = []
    if result.unlabelled is None and "unlabelled" in params.require:
        missing.append(NO_DETECTOR)
    if "reidentification" in params.require:
        missing += why_not_measured(result)
        if result.attacker is not None and result.attacker.drawn:
            missing.append(STAND_IN)
    return missing


def exceeded_limits(result: AuditResult, params: Audit) -> list[str]:
    """Measured figures above their limits. They close the gate for photographs of real people.

    The rates of the stand-in have no limit: it recognizes rendered people by their hair and surroundings, too, and is
    never applied to real ones.
    """
    failures = []
    unlabelled = result.unlabelled
    if unlabelled is not None and not unlabelled.treated and unlabelled.found > params.max_unlabelled:
        failures.append(
            f"{_count(unlabelled.found, 'unlabelled face')} left untreated, more than "
            f"audit.max_unlabelled ({params.max_unlabelled}) allows; data/unlabelled.json lists them, and "
            "audit.treat_unlabelled treats them"
        )
    stand_in = result.attacker is not None and result.attacker.drawn
    for name, linked in measured_attacks(result).items():
        attack = ATTACKS[name]
        if (parameter := attack.limit) is None or (stand_in and not attack.patch):
            continue
        rate, limit = linked.rank1, getattr(params, parameter)
        if 100 * rate.high > limit:
            failures.append(
                f"{100 * rate.estimate:.1f} % of {linked.faces} faces are linked to their source "
                f"({attack.description}; {100 * rate.low:.1f} to {100 * rate.high:.1f} %), but "
                f"audit.{parameter} allows {limit:g} %" + (FEW_FACES if 100 * rate.estimate <= limit else "")
            )
    return failures


def audit_report(result: AuditResult, params: Audit) -> dict[str, Any]:
    """All figures and failures of an audit, for privacy/<arm>.json."""
    basic = basic_failures(result, params)
    exceeded, missing = [*basic, *exceeded_limits(result, params)], missing_measurements(result, params)
    failures = basic if result.synthetic else [*exceeded, *missing]
    arm = result.arm
    content: dict[str, Any] = {
        "passed": not failures,
        "stopped_by": failures,
        **({"would_stop_with_real_people": exceeded, "missing_for_real_people": missing} if result.synthetic else {}),
        "coverage": {
            "faces": arm.findings.total(),
            "treated": arm.findings["treated"],
            "untreated": len(arm.untreated),
            "nothing_to_see": arm.findings["nothing to see"],
        },
        "unlabelled": NOT_MEASURED if result.unlabelled is None else _unlabelled(result.unlabelled),
        "leaks": len(result.leaks),
        "faces_large_enough": arm.large,
    }
    reasons, linked = why_not_measured(result), measured_attacks(result)
    if reasons:
        content["reidentification_not_measured_because"] = "; ".join(reasons)
    if not any(ATTACKS[name].limit for name in linked):
        return {**content, "reidentification": NOT_MEASURED}
    content["attacker"] = NO_NETWORK if result.attacker is None else result.attacker.name
    content["attacker_is_stand_in"] = result.attacker is not None and result.attacker.drawn
    faces = next(iter(linked.values())).faces
    content["reidentification"] = {
        "faces": faces,
        "chance_rank1": round(1 / faces, 5),
        "chance_rank10": round(min(1.0, 10 / faces), 5),
        **{name: _linked(name, one) for name, one in linked.items()},
    }
    if arm.pairs is not None:
        content["real_pairs"] = _pairs(arm.pairs)
    return content


def audit_metrics(report: dict[str, Any]) -> dict[str, Any]:
    """The main figures of `audit_report`, for metrics/privacy/<arm>.json: of attacks, those that have a limit.

    Failures are counted, not spelled out.
    """
    linked, unlabelled = report["reidentification"], report["unlabelled"]
    with_people = report.get("would_stop_with_real_people", report["stopped_by"])
    missing = report.get("missing_for_real_people", [])
    content: dict[str, Any] = {
        "passed": report["passed"],
        "stopped_by": len(report["stopped_by"]),
        "gate_on_real_people": "failed" if with_people else "incomplete" if missing else "passed",
        "coverage": report["coverage"],
        "unlabelled": unlabelled
        if unlabelled == NOT_MEASURED
        else {key: unlabelled[key] for key in ("found", "treated")},
        "leaks": report["leaks"],
    }
    if linked == NOT_MEASURED:
        return {**content, "reidentification": NOT_MEASURED}
    content["attacker"] = report["attacker"]
    content["reidentification"] = {
        "faces": linked["faces"],
        "chance_rank1": linked["chance_rank1"],
        **{
            name: {key: linked[name][key] for key in (LEARNED_METRICS if name == LEARNED else RANK1)}
            for name, attack in ATTACKS.items()
            if name in linked and attack.limit
        },
    }
    return content


def _linked(name: str, one: Linkage) -> dict[str, Any]:
    """All figures of an attack."""
    figures: dict[str, Any] = {
        key: figure
        for metric in ("rank1", "rank10", "auc", "tar")
        for key, figure in _rate(metric, getattr(one, metric)).items()
    }
    if ATTACKS[name].patch:
        figures |= {"gallery": one.gallery, "chance": round(one.chance, 5)}
    if one.network:
        figures["network"] = one.network
    by_height = {height: {"faces": faces, **_rate("rank1", rate)} for height, (rate, faces) in one.by_height.items()}
    return figures | ({"by_height": by_height} if by_height else {})


def _pairs(pairs: RealPairs) -> dict[str, Any]:
    """Figures of the attack on people with two photographs."""
    content: dict[str, Any] = {"pairs": pairs.pairs, "gallery": pairs.gallery}
    for name, rate in (("linked", pairs.linked), ("joined", pairs.joined)):
        content[name] = f"{NOT_MEASURED}: fewer than {MIN_PAIRS} pairs" if rate is None else _rate("rank1", rate)
    return content


def _unlabelled(unlabelled: Unlabelled) -> dict[str, Any]:
    hidden = estimate_hidden(unlabelled.captures)
    total = [sum(getattr(one, name) for one in unlabelled.captures) for name in ("labelled", "detected", "both")]
    return {
        "found": unlabelled.found,
        "treated": unlabelled.treated,
        "from_16px": {"labelled": total[0], "detected": total[1], "both": total[2]},
        "hidden_from_both": NOT_MEASURED
        if hidden is None
        else {"estimate": round(hidden.estimate, 1), "low": round(hidden.low, 1), "high": round(hidden.high, 1)},
    }


def _rate(name: str, rate: Rate) -> dict[str, float]:
    return {name: round(rate.estimate, 4), f"{name}_low": round(rate.low, 4), f"{name}_high": round(rate.high, 4)}


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' if number != 1 else ''}"


def _list(items: Sequence[Any]) -> str:
    text = "; ".join(map(str, items[:MAX_LISTED]))
    return text + (f"; and {len(items) - MAX_LISTED:,} more" if len(items) > MAX_LISTED else "")
