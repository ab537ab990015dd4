"""Results of a treatment study: metrics for JSON, and a page in Markdown."""

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from facade.audit.threats import ATTACKS
from facade.errors import FacadeError
from facade.files import read_json
from facade.measure.arms import ArmMetrics, measure_arm, measure_reference
from facade.measure.compare import NOT_MEASURED, RECALL, RECALL_FPPI, Comparison, compare_pairs, four_digits
from facade.measure.golden_evaluation import GoldenEvaluation, read_evaluation
from facade.measure.verdict import decide, holm, p_value
from facade.measure.wider_protocol import difficulty_levels
from facade.params import Evaluate
from facade.report.plane import PlanePoint

# Metrics of a row in the JSON file, in addition to the levels of WIDER FACE.
REPORTED = (
    "AP50",
    "AP",
    "AP75",
    "AP_small",
    "AP_medium",
    "AP_large",
    "recall",
    "precision",
    "recall_fppi_1",
    "AP50_calibration",
)


def measure_rows(
    rows: Mapping[str, Path], truth: dict[str, Any], references: Mapping[str, list[dict[str, Any]]], params: Evaluate
) -> dict[str, Any]:
    """Score every row, and compare it with the first, over the seeds that both have.

    The comparisons with the first row share alpha (Holm). Verdicts at further margins use the same level.

    Args:
        rows: By name, a folder with `detections`, `labels.json` (of the row's calibration photographs) and, of an
            audited row, `privacy.json`; the first is the reference.
        truth: Content of the golden set's COCO file.
        references: COCO results of third-party detectors, by name.
        params: Margins and alpha.
    """
    if params.looks:
        raise FacadeError("a study of several rows does not support interim looks. Set evaluate.looks to [].")
    first, *others = rows
    scored = difficulty_levels(truth, params.wider_ground_truth)
    compared: dict[str, list[Comparison]] = {}
    evaluations = {name: _read({name: folder}, truth, params) for name, folder in rows.items()}
    for name in others:
        both = _read({first: rows[first], name: rows[name]}, truth, params)
        compared[name] = compare_pairs(both, [(name, first)], params)
    primary = {name: next(one for one in own if one.metric == params.metric) for name, own in compared.items()}
    shared = holm([p_value(one.difference, params.margin) for one in primary.values()], params.alpha)
    arms = {}
    for name in rows:
        arm = measure_arm(evaluations[name], name, scored, params.iou)
        arms[name] = _row(arm, evaluations[name].seeds, (*REPORTED, *scored))
        if name in primary:
            level = dict(zip(primary, shared, strict=True))[name]
            arms[name] |= _comparison(primary[name], compared[name], params, level)
        privacy = rows[name] / "privacy.json"
        arms[name]["linkage"] = _linkage(read_json(privacy)) if privacy.is_file() else NOT_MEASURED
    reference = evaluations[first]
    third_party = {
        name: {
            key: four_digits(value) for key, value in measure_reference(reference, results, scored, params.iou).items()
        }
        for name, results in references.items()
    }
    return {
        "reference": first,
        "metric": params.metric,
        "margin": params.margin,
        "alpha": params.alpha,
        "golden": {"photographs": len(truth["images"]), "faces": len(reference.scored_faces)},
        "arms": arms,
        "references": third_party,
    }


def _read(folders: Mapping[str, Path], truth: dict[str, Any], params: Evaluate) -> GoldenEvaluation:
    """Rows as the arms of an evaluation, over the seeds that all of them have."""
    seeds = set.intersection(
        *({path.name for path in (folder / "detections/golden").glob("seed-*.json")} for folder in folders.values())
    )
    with tempfile.TemporaryDirectory(prefix="facade-rows-") as scratch:
        detections = {}
        for name, folder in folders.items():
            for part in ("golden", "calibration"):
                into = Path(scratch) / name / part
                into.mkdir(parents=True)
                for seed in seeds:
                    shutil.copyfile(folder / "detections" / part / seed, into / seed)
            detections[name] = Path(scratch) / name
        labels = {name: read_json(folder / "labels.json") for name, folder in folders.items()}
        return read_evaluation(truth, labels, detections, params)


def _row(arm: ArmMetrics, seeds: list[int], kept: tuple[str, ...]) -> dict[str, Any]:
    values = {name: four_digits(arm.mean(name)) for name in kept}
    return {
        "seeds": len(seeds),
        **values,
        "AP50_sd": four_digits(arm.standard_deviation("AP50")),
        "AP50_by_seed": dict(zip(map(str, seeds), map(four_digits, arm.metrics["AP50"]), strict=True)),
    }


def _comparison(one: Comparison, all_metrics: list[Comparison], params: Evaluate, level: float) -> dict[str, Any]:
    margins = (params.margin, *params.further_margins)
    verdicts = {
        f"{margin:g}": decide(one.difference, margin, params.alpha, one.reference, False, level).verdict
        for margin in margins
    }
    decision = decide(one.difference, params.margin, params.alpha, one.reference, True, level)
    others = {
        other.metric: [
            four_digits(value) for value in (other.difference.estimate, other.decision.low, other.decision.high)
        ]
        for other in all_metrics
        if other.metric in ("AP", RECALL, RECALL_FPPI)
    }
    return {
        "difference": four_digits(one.difference.estimate),
        "low": four_digits(one.decision.low),
        "high": four_digits(one.decision.high),
        "difference_sd": four_digits(float(np.sqrt(one.difference.seed_variance + one.difference.run_variance))),
        "level": four_digits(level),
        "verdict": verdicts,
        "seeds_to_decide": decision.seeds_needed,
        "other_differences": others,
    }


def _linkage(privacy: Mapping[str, Any]) -> dict[str, Any] | str:
    linked = privacy.get("reidentification")
    if not isinstance(linked, dict):
        return NOT_MEASURED
    return {
        "attacker": privacy["attacker"],
        "faces": linked["faces"],
        **{
            name: [linked[name][key] for key in ("rank1", "rank1_low", "rank1_high")]
            for name in ATTACKS
            if name in linked
        },
    }


def plane_points(
    content: Mapping[str, Any], arms: Mapping[str, str], privacy: Mapping[str, Mapping[str, Any]]
) -> list[PlanePoint]:
    """The rows as points of cost against linkage rate.

    Args:
        content: From `measure_rows`.
        arms: Arm of each row, which gives the color.
        privacy: Audit report of each row; empty without an audit.
    """
    points = []
    for name, row in content["arms"].items():
        linked = privacy[name].get("reidentification")
        if not isinstance(row.get("low"), int | float) or not isinstance(linked, dict):
            continue
        cost = (row["difference"], row["low"], row["high"])
        for attack in ATTACKS:
            if attack in linked:
                rates = tuple(linked[attack][key] for key in ("rank1", "rank1_low", "rank1_high"))
                points.append(
                    PlanePoint(name, arms[name], name, cost, attack, rates, linked["chance_rank1"],
                          privacy[name]["attacker"], False)
                )  # fmt: skip
    return points


PAGE = """# {question}

```sh
make study STUDY={name}
```

Commit {commit}. Golden set: {photographs} photographs, {faces} faces to score. Differences to *{reference}* in
{metric}, over the seeds that both have, with one-sided limits at {alpha:g} % each; verdicts share {alpha:g} % (Holm).

| {titles} |
|---|--:|--:|--:|--:|--:|--:|{dashes}--:|
{rows}
{third_party}
{picture}"""


def page(head: Mapping[str, Any], content: Mapping[str, Any], name: str, has_figure: bool) -> str:
    """The results as a page in Markdown."""
    reference = content["reference"]
    margins = list(next((row["verdict"] for row in content["arms"].values() if "verdict" in row), {}))
    rows = [_line(name, row, margins) for name, row in content["arms"].items()]
    third_party = [_line(f"*{name}*", values | {"seeds": "-", "AP50_sd": None}, margins) for name, values in
             content["references"].items()]  # fmt: skip
    return PAGE.format(
        question=head["question"],
        name=name,
        commit=head["commit"],
        photographs=content["golden"]["photographs"],
        faces=content["golden"]["faces"],
        reference=reference,
        metric=content["metric"],
        alpha=100 * content["alpha"],
        titles=" | ".join(
            [
                "arm",
                "seeds",
                "AP50 (sd)",
                "AP",
                "small, medium, large",
                "easy, medium, hard",
                f"minus {reference} (limits)",
                *(f"at {margin}" for margin in margins),
                "AP50 on own calibration",
            ]
        ),
        dashes="---|" * len(margins),
        rows="\n".join(rows),
        third_party="\n".join(third_party),
        picture=f"\n![Cost against linkage rate]({name}.png)\n" if has_figure else "",
    )


def _line(name: str, row: Mapping[str, Any], margins: list[str]) -> str:
    def digits(key: str) -> str:
        value = row.get(key)
        return f"{value:.3f}" if isinstance(value, int | float) else "-"

    spread = f" ({digits('AP50_sd')})" if isinstance(row.get("AP50_sd"), int | float) else ""
    levels_of = [key for key in row if key.startswith(("WIDER_", "AP_from_"))]
    ends = [row.get(key) for key in ("difference", "low", "high")]
    known = [value for value in ends if isinstance(value, int | float)]
    limits = "{:+.3f} ({:+.3f} to {:+.3f})".format(*known) if len(known) == len(ends) else str(ends[0] or "")
    cells = [
        name,
        str(row["seeds"]),
        f"{digits('AP50')}{spread}",
        digits("AP"),
        ", ".join(digits(f"AP_{size}") for size in ("small", "medium", "large")),
        ", ".join(digits(level) for level in levels_of),
        limits,
        *(row.get("verdict", {}).get(margin, "") for margin in margins),
        digits("AP50_calibration"),
    ]
    return f"| {' | '.join(cells)} |"
