"""What an audit found, as figures, and as sentences that stop training."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from facade.audit.audit_arm import Attacker, Seen
from facade.audit.leaks import Leak
from facade.audit.linkage import Rate
from facade.audit.threats import ATTACKS, NOT_MEASURED
from facade.audit.unlabelled import Unlabelled, hidden
from facade.params import Audit

# Faults that are told one by one; the others are counted.
TOLD = 3
HOW_TO_LOOK = (
    "faces that nobody labelled are not measured: give audit.detector (publisher fetches facexlib's), or take "
    "unlabelled off audit.require"
)
HOW_TO_LINK = (
    "re-identification is not measured: give face recognition weights as audit.recognition, or take reidentification "
    "off audit.require"
)
# A network that does not know untreated faces in a mirror knows nobody: that it does not know treated ones is no news.
KNOWS = 0.5
KNOWS_NOBODY = (
    "re-identification is not measured: the network knows only {share:.0f} % of untreated faces in a mirror; give "
    "other weights as audit.recognition"
)
FEW_FACES = " at the upper end: more faces would tell"
TOO_FEW = "re-identification is not measured: the photographs hold fewer than two faces of audit.least pixels"


@dataclass(frozen=True)
class Audited:
    """All that an audit found.

    Attributes:
        synthetic: Whether nobody in the photographs is real.
        seen: Coverage and re-identification.
        attacker: Who tried to know people again, or None.
        unlabelled: None where nobody looked.
        leaks: Metadata and the like.
    """

    synthetic: bool
    seen: Seen
    attacker: Attacker | None
    unlabelled: Unlabelled | None
    leaks: Sequence[Leak]


def not_linked(audited: Audited) -> str | None:
    """Why re-identification counts as not measured, as a sentence, or None where it was measured."""
    if audited.attacker is None:
        return HOW_TO_LINK
    if audited.seen.linked is None:
        return TOO_FEW
    mirrored = audited.seen.linked["parrot_untreated"].rank1
    return None if mirrored.low >= KNOWS else KNOWS_NOBODY.format(share=100 * mirrored.seen)


def always(audited: Audited, params: Audit) -> list[str]:
    """What stops training whoever is in the photographs: untreated faces, and files that tell more than pixels."""
    found = []
    untreated = audited.seen.untreated
    if len(untreated) > params.max_untreated:
        found.append(f"{_many(len(untreated), 'untreated face')}: {_first(untreated)}")
    if audited.leaks:
        found.append(f"{_many(len(audited.leaks), 'leak')}: {_first(audited.leaks)}")
    return found


def for_people(audited: Audited, params: Audit) -> list[str]:
    """What stops training on photographs of real people."""
    found = []
    if audited.unlabelled is None:
        found += [HOW_TO_LOOK] if "unlabelled" in params.require else []
    elif not audited.unlabelled.treated and audited.unlabelled.found > params.max_unlabelled:
        found.append(
            f"{_many(audited.unlabelled.found, 'face')} that nobody labelled and nobody treated, more than "
            f"audit.max_unlabelled ({params.max_unlabelled}) allows; data/unlabelled.json lists them, and "
            "audit.treat_unlabelled treats them"
        )
    if (missing := not_linked(audited)) is not None:
        return [*found, missing] if "reidentification" in params.require else found
    for name, linked in (audited.seen.linked or {}).items():
        if (parameter := ATTACKS[name].limit) is None:
            continue
        rate, limit = linked.rank1, getattr(params, parameter)
        if 100 * rate.high > limit:
            found.append(
                f"{100 * rate.seen:.1f} % of {linked.faces} faces are linked to their source ({ATTACKS[name].told}; "
                f"{100 * rate.low:.1f} to {100 * rate.high:.1f} %), where audit.{parameter} allows {limit:g} %"
                + (FEW_FACES if 100 * rate.seen <= limit else "")
            )
    return found


def summary(audited: Audited, params: Audit) -> dict[str, Any]:
    """The figures, for metrics/privacy/<arm>.json."""
    stops = always(audited, params)
    with_people = [*stops, *for_people(audited, params)]
    counting = stops if audited.synthetic else with_people
    seen = audited.seen
    content: dict[str, Any] = {
        "passed": not counting,
        "stopped_by": _told(counting),
        **({"real_people_would_be_stopped_by": _told(with_people)} if audited.synthetic else {}),
        "coverage": {
            "faces": seen.findings.total(),
            "treated": seen.findings["treated"],
            "untreated": len(seen.untreated),
            "nothing_to_see": seen.findings["nothing to see"],
        },
        "unlabelled": NOT_MEASURED if audited.unlabelled is None else _unlabelled(audited.unlabelled),
        "leaks": len(audited.leaks),
        "faces_large_enough_to_know": seen.large,
    }
    missing = not_linked(audited)
    if missing is not None or seen.linked is None or audited.attacker is None:
        return {**content, "reidentification": NOT_MEASURED, "reidentification_lacks": missing}
    content["attacker"] = audited.attacker.name
    linked = next(iter(seen.linked.values()))
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
            for name, one in seen.linked.items()
        },
    }
    return content


def _unlabelled(unlabelled: Unlabelled) -> dict[str, Any]:
    estimate = hidden(unlabelled.captures)
    total = [sum(getattr(one, name) for one in unlabelled.captures) for name in ("labelled", "detected", "both")]
    return {
        "found": unlabelled.found,
        "treated": unlabelled.treated,
        "from_16px": {"labelled": total[0], "detected": total[1], "both": total[2]},
        "hidden_from_both": NOT_MEASURED
        if estimate is None
        else {name: round(value, 1) for name, value in asdict(estimate).items()},
    }


def _rate(name: str, rate: Rate) -> dict[str, float]:
    return {name: round(rate.seen, 4), f"{name}_low": round(rate.low, 4), f"{name}_high": round(rate.high, 4)}


def _told(faults: Sequence[str]) -> str:
    return "; ".join(faults) or "nothing"


def _many(count: int, thing: str) -> str:
    return f"{count:,} {thing}{'s' if count != 1 else ''}"


def _first(things: Sequence[Any]) -> str:
    told = "; ".join(map(str, things[:TOLD]))
    return told + (f"; and {len(things) - TOLD:,} more" if len(things) > TOLD else "")
