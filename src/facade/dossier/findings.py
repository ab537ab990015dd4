"""What a finished experiment found: per arm its gate, attacks and accuracy; the verdict; and what nobody measured.

All of it is read from the evidence: the result files that the stages wrote, as a dossier copies them. Nothing is
computed anew, and nothing is rounded.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from facade.audit.threats import ATTACKS, NOT_MEASURED
from facade.errors import FacadeError
from facade.gate import gate_path
from facade.params import CONTROLS, Audit, Params

# Rates of an attack; each has the ends of its interval under the same name with _low and _high.
RATES = ("rank1", "rank10", "auc", "tar")
# Where the limits of a method stand that no file of results knows: a section of a page of this repository.
SCOPE_PAGE, SCOPE_SECTION = Path("docs/privacy.md"), "What is not measured"
GOLDEN, INGEST, MEMBERSHIP = "results/golden.json", "metrics/ingest.json", "results/membership.json"
# Excerpts of results/golden.json and of privacy/: what they lack is listed once.
EXCERPTS = ("metrics/golden.json", "metrics/privacy/")


# The content of each result file, by path.
Evidence = Mapping[str, Any]


def required(evidence: Evidence, path: str) -> Any:
    """The content of a result file that every finished experiment has.

    Raises:
        FacadeError: dvc.lock does not record it.
    """
    if path not in evidence:
        raise FacadeError(f"dvc.lock records no {path}: the experiment is not finished. Run `dvc repro`.")
    return evidence[path]


def describe_arms(evidence: Evidence, params: Params) -> dict[str, Any]:
    """Each arm: how its photographs were treated, what its audit found, and how well its detectors do.

    Args:
        evidence: The result files.
        params: All of params.yaml.

    Raises:
        FacadeError: A result file is missing.
    """
    golden, membership = required(evidence, GOLDEN), evidence.get(MEMBERSHIP, {})
    arms = {}
    for name in params.arm_names:
        arm: dict[str, Any] = {"treatment": params.treatment_of(name), "faces_treated": name in params.anonymized_arms}
        if name in params.anonymized_arms:
            arm |= _describe_audit(name, evidence, params.audit)
        arm["membership"] = membership.get(name, NOT_MEASURED)
        arm["accuracy"] = golden.get(name, NOT_MEASURED)
        arms[name] = arm
    return arms


def _describe_audit(name: str, evidence: Evidence, limits: Audit) -> dict[str, Any]:
    audit = required(evidence, f"privacy/{name}.json")
    copied = ("coverage", "unlabelled", "leaks", "faces_large_enough")
    return {
        "gate": required(evidence, gate_path(name).as_posix()),
        "audit_passed": audit["passed"],
        "stopped_by": audit["stopped_by"],
        "would_stop_with_real_people": audit.get("would_stop_with_real_people"),
        "missing_for_real_people": audit.get("missing_for_real_people"),
        **{key: audit[key] for key in copied},
        "attacker": audit.get("attacker", NOT_MEASURED),
        "attacks": describe_attacks(audit["reidentification"], limits, audit.get("attacker_is_stand_in", False)),
    }


def describe_attacks(measured: Any, limits: Audit, stand_in: bool) -> list[dict[str, Any]]:
    """Every attack that the audit knows: its rates with their intervals and its limit, or that it has no figure.

    The rates of the stand-in for synthetic photographs have no limit (`facade.audit.criteria.exceeded_limits`).
    """
    figures = measured if isinstance(measured, dict) else {}
    attacks = []
    for name, attack in ATTACKS.items():
        one = figures.get(name)
        entry: dict[str, Any] = {"name": name, "description": attack.description, "measured": one is not None}
        if one is not None:
            entry["rates"] = {
                rate: {"estimate": one[rate], "low": one[f"{rate}_low"], "high": one[f"{rate}_high"]} for rate in RATES
            }
            entry["chance_rank1"] = one.get("chance", figures["chance_rank1"])
        if attack.limit is not None and (attack.patch or not stand_in):
            percent = getattr(limits, attack.limit)
            within = None if one is None else bool(100 * one["rank1_high"] <= percent)
            entry["limit"] = {"parameter": f"audit.{attack.limit}", "percent": percent, "within": within}
        attacks.append(entry)
    return attacks


def describe_verdict(evidence: Evidence) -> dict[str, Any]:
    """The comparisons of the arms' accuracy: difference, limits, margin, verdict.

    Raises:
        FacadeError: results/golden.json is missing.
    """
    content = required(evidence, GOLDEN)["verdict"]
    metric = content["metric"]
    return {
        "metric": metric,
        "margin": content["margin"],
        "alpha": content["alpha"],
        "assay_sensitivity": content.get("assay_sensitivity", NOT_MEASURED),
        "comparisons": [
            {
                "name": name,
                "verdict": entry["verdict"],
                "difference": {
                    "estimate": entry[metric],
                    "low": entry[f"{metric}_low"],
                    "high": entry[f"{metric}_high"],
                },
            }
            for name, entry in content.items()
            if isinstance(entry, dict)
        ],
    }


def describe_unmeasured(evidence: Evidence, arms: Mapping[str, Any], params: Params) -> list[dict[str, str]]:
    """What has no figure, and why, as far as the results say.

    Args:
        evidence: The result files.
        arms: From `describe_arms`.
        params: All of params.yaml.
    """
    found = [
        {"where": path, "what": ".".join(keys), "why": text.removeprefix(NOT_MEASURED).lstrip(": ")}
        for path, content in evidence.items()
        for keys, text in _texts(content)
        if text.startswith(NOT_MEASURED) and not path.startswith(EXCERPTS) and (path, len(keys)) != (MEMBERSHIP, 1)
    ]
    for name, arm in arms.items():
        audit = evidence.get(f"privacy/{name}.json", {})
        why = audit.get("reidentification_not_measured_because", "")
        for attack in arm.get("attacks", []):
            if not attack["measured"]:
                where = f"privacy/{name}.json"
                found.append({"where": where, "what": f"attack {attack['name']} ({attack['description']})", "why": why})
        if arm["membership"] == NOT_MEASURED:
            found.append({"where": MEMBERSHIP, "what": f"membership inference on the arm {name}", "why": ""})
    run = {params.treatment_of(name) for name in params.arm_names}
    found += [
        {"where": "params.yaml", "what": f"control arm {treatment}", "why": "arms.extra has none"}
        for treatment in sorted(CONTROLS - run)
    ]
    if not params.arms.raw:
        found.append(
            {"where": "params.yaml", "what": "the cost against untreated photographs", "why": "arms.raw is false"}
        )
    return found


def _texts(value: Any, keys: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """All strings in the content of a JSON file, with their keys."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _texts(inner, (*keys, str(key)))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _texts(inner, (*keys, str(number)))
    elif isinstance(value, str):
        yield keys, value


def describe_scope() -> list[str]:
    """What the method cannot see at all: the list in docs/privacy.md of this version.

    Raises:
        FacadeError: The page or its section is missing.
    """
    try:
        text = SCOPE_PAGE.read_text(encoding="utf-8")
    except OSError:
        text = ""
    section = re.search(rf"^## {re.escape(SCOPE_SECTION)}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    items = re.findall(r"^- (.*?)(?=^- |\Z)", section[1], re.DOTALL | re.MULTILINE) if section else []
    if not items:
        raise FacadeError(
            f"{SCOPE_PAGE} has no section `{SCOPE_SECTION}`, which a dossier quotes. Restore it with git."
        )
    return [" ".join(re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", item).replace("`", "").split()) for item in items]
