"""The gate criteria of an audit, as failure messages; and the figures of an audit for files and metrics."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from facade.audit.audit_arm import ArmAudit, Attacker
from facade.audit.leaks import Leak
from facade.audit.linkage import Rate
from facade.audit.threats import ATTACKS, NOT_MEASURED
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
# Minimum rank-1 rate of untreated faces with a mirrored gallery. A network below it cannot recognize people at all, so
# low rates on treated faces mean nothing.
MIN_RANK1_UNTREATED = 0.5
WEAK_RECOGNITION = (
    "re-identification is not measured: the network recognizes only {share:.0f} % of untreated faces with a mirrored "
    "gallery; set audit.recognition to other weights"
)
FEW_FACES = " at the upper end; more faces would narrow the interval"
TOO_FEW = "re-identification is not measured: the photographs hold fewer than two faces of audit.min_face_height pixels"
# The figures of an attack that are metrics.
RANK1 = ("rank1", "rank1_low", "rank1_high")


@dataclass(frozen=True)
class AuditResult:
    """The complete result of an audit.

    Attributes:
        synthetic: Whether the photographs show no real people.
        arm: Coverage and re-identification.
        attacker: The attacker's network, or None.
        unlabelled: Unlabelled faces; None if no detector was run.
        leaks: Metadata and other leaks.
    """

    synthetic: bool
    arm: ArmAudit
    attacker: Attacker | None
    unlabelled: Unlabelled | None
    leaks: Sequence[Leak]


def why_not_measured(result: AuditResult) -> str | None:
    """Why re-identification counts as not measured; None if it is measured."""
    if result.attacker is None:
        return NO_RECOGNITION
    if result.arm.linked is None:
        return TOO_FEW
    rank1 = result.arm.linked["parrot_untreated"].rank1
    return None if rank1.low >= MIN_RANK1_UNTREATED else WEAK_RECOGNITION.format(share=100 * rank1.estimate)


def basic_failures(result: AuditResult, params: Audit) -> list[str]:
    """Failures that close the gate for any photographs, synthetic or real: untreated faces and leaks."""
    failures = []
    untreated = result.arm.untreated
    if len(untreated) > params.max_untreated:
        failures.append(f"{_count(len(untreated), 'untreated face')}: {_list(untreated)}")
    if result.leaks:
        failures.append(f"{_count(len(result.leaks), 'leak')}: {_list(result.leaks)}")
    return failures


def real_people_failures(result: AuditResult, params: Audit) -> list[str]:
    """Additional failures that close the gate for photographs of real people."""
    failures = []
    if result.unlabelled is None:
        failures += [NO_DETECTOR] if "unlabelled" in params.require else []
    elif not result.unlabelled.treated and result.unlabelled.found > params.max_unlabelled:
        failures.append(
            f"{_count(result.unlabelled.found, 'unlabelled face')} left untreated, more than "
            f"audit.max_unlabelled ({params.max_unlabelled}) allows; data/unlabelled.json lists them, and "
            "audit.treat_unlabelled treats them"
        )
    if (reason := why_not_measured(result)) is not None:
        return [*failures, reason] if "reidentification" in params.require else failures
    for name, linked in (result.arm.linked or {}).items():
        if (parameter := ATTACKS[name].limit) is None:
            continue
        rate, limit = linked.rank1, getattr(params, parameter)
        if 100 * rate.high > limit:
            failures.append(
                f"{100 * rate.estimate:.1f} % of {linked.faces} faces are linked to their source "
                f"({ATTACKS[name].description}; {100 * rate.low:.1f} to {100 * rate.high:.1f} %), but "
                f"audit.{parameter} allows {limit:g} %" + (FEW_FACES if 100 * rate.estimate <= limit else "")
            )
    return failures


def audit_report(result: AuditResult, params: Audit) -> dict[str, Any]:
    """All figures and failures of an audit, for privacy/<arm>.json."""
    basic = basic_failures(result, params)
    with_people = [*basic, *real_people_failures(result, params)]
    failures = basic if result.synthetic else with_people
    arm = result.arm
    content: dict[str, Any] = {
        "passed": not failures,
        "stopped_by": failures,
        **({"would_stop_with_real_people": with_people} if result.synthetic else {}),
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
    reason = why_not_measured(result)
    if reason is not None or arm.linked is None or result.attacker is None:
        return {**content, "reidentification": NOT_MEASURED, "reidentification_not_measured_because": reason}
    content["attacker"] = result.attacker.name
    linked = next(iter(arm.linked.values()))
    content["reidentification"] = {
        "faces": linked.faces,
        "chance_rank1": round(linked.chance, 5),
        "chance_rank10": round(min(1.0, 10 * linked.chance), 5),
        **{
            name: {
                key: figure
                for metric in ("rank1", "rank10", "auc", "tar")
                for key, figure in _rate(metric, getattr(one, metric)).items()
            }
            for name, one in arm.linked.items()
        },
    }
    return content


def audit_metrics(report: dict[str, Any]) -> dict[str, Any]:
    """The main figures of `audit_report`, for metrics/privacy/<arm>.json. Failures are counted, not spelled out."""
    linked, unlabelled = report["reidentification"], report["unlabelled"]
    with_people = report.get("would_stop_with_real_people", report["stopped_by"])
    content: dict[str, Any] = {
        "passed": report["passed"],
        "stopped_by": len(report["stopped_by"]),
        "gate_on_real_people": "failed" if with_people else "passed",
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
        **{name: {key: linked[name][key] for key in RANK1} for name in ATTACKS if name in linked},
    }
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
