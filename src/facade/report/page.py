"""The report: one self-contained HTML file, without network access or scripts."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup
from matplotlib.figure import Figure

from facade.audit.threats import ATTACKS, NOT_MEASURED
from facade.dataset import Photographs
from facade.files import read_json, write_text
from facade.measure.arms import ArmMetrics
from facade.measure.compare import Comparison, assay_sensitivity
from facade.measure.false_negatives import FalseNegative
from facade.measure.membership import MembershipInference
from facade.measure.shortcut import PatchFalsePositives
from facade.measure.slices import SliceResult
from facade.measure.wider_protocol import HEIGHTS, LEVELS
from facade.params import Params
from facade.report.chart import Bar, Dot, forest, plane
from facade.report.differences import draw_slices
from facade.report.formatting import format_number, needed_to_decide, verdict_sentence
from facade.report.gallery import data_uri, gallery
from facade.report.precision_recall_plot import draw_curves
from facade.report.settings import flat_settings
from facade.report.style import COLORS, NAMES, SYNTHETIC_NOTE, as_svg

# Width of the figures, inches: their text stays readable on a phone.
NARROW_WIDTH = 4.2
# Titles of metrics in tables; other metrics are shown by their name.
TITLES = {
    "recall_fppi_0p1": "recall at 0.1 false positives per image",
    "recall_fppi_1": "recall at 1 false positive per image",
    "fn_per_image": "false negatives per image",
    "fppi": "false positives per image",
    "AP": "AP, mean over IoU .5 to .95",
    "AR": "AR, average recall",
    **{f"AP_from_{height}px": f"AP by WIDER FACE's protocol, faces from {height} px" for height in HEIGHTS},
    **{f"WIDER_{level}": f"WIDER FACE's own AP, {level} faces" for level in LEVELS},
    "AP50_calibration": "AP50 on the arm's own calibration photographs",
    "threshold": "operating threshold",
}
AT_THRESHOLD = ("threshold", "precision", "recall", "F1", "fn_per_image", "fppi")


@dataclass(frozen=True)
class Measurements:
    """All measurements in the report.

    Attributes:
        arms: Metrics of each arm, by name.
        compared: The comparisons, in every metric.
        slices: The comparisons on slices of the golden faces.
        shortcut: By arm, how often its runs fire on patches.
        missed: The missed faces, hardest first.
        calibrated: Whether every run has an operating threshold.
        references: Metrics of third-party detectors on the same photographs, by name.
        membership: By arm, how well its training photographs are told from others; None where not measured.
        privacy: By anonymized arm, the report of its audit (privacy/<arm>.json).
    """

    arms: dict[str, ArmMetrics]
    compared: Sequence[Comparison]
    slices: Sequence[SliceResult]
    shortcut: Mapping[str, Sequence[PatchFalsePositives]]
    missed: Sequence[FalseNegative]
    calibrated: bool
    references: Mapping[str, Mapping[str, float | None]]
    membership: Mapping[str, MembershipInference | None]
    privacy: Mapping[str, Mapping[str, Any]]


def write_page(
    measurements: Measurements,
    golden: Photographs,
    faces: Figure,
    params: Params,
    versions: Mapping[str, str],
    path: Path,
    study: Mapping[str, Any] | None = None,
) -> None:
    """Write the report.

    Args:
        measurements: All measurements.
        golden: The golden set; its people are shown as silhouettes only, unless they are synthetic or consented.
        faces: The same faces in every arm, from `draw_faces`, which withholds those of real people.
        params: All of params.yaml.
        versions: Versions of the packages that the result depends on.
        path: HTML file to write.
        study: Results of a study of many treatments on real photographs (`facade.experiments.treatment_study`), shown
            for comparison; None if there is none.
    """
    evaluate = params.evaluate
    show = golden.synthetic or params.report.show_raw
    figures = {
        "curves": draw_curves(measurements.arms, evaluate.iou, False, NARROW_WIDTH),
        "slices": draw_slices(measurements.slices, "AP50", False, NARROW_WIDTH),
        "slices_recall": draw_slices(measurements.slices, "recall", False, NARROW_WIDTH),
        "faces": faces,
    }
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("facade.report"), autoescape=True, trim_blocks=True, lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    environment.filters["number"] = format_number
    # Values of a JSON file: numbers, or "not measured".
    environment.filters["figure"] = lambda value: format_number(value) if isinstance(value, int | float) else value
    page = environment.get_template("page.html").render(
        sentence=verdict_sentence(measurements.compared, evaluate),
        note=SYNTHETIC_NOTE if golden.synthetic else None,
        raw="raw" in measurements.arms,
        plane=_plane(measurements, params),
        forest=_forest(measurements.compared, params),
        figures={name: data_uri(as_svg(figure), "image/svg+xml") for name, figure in figures.items()},
        primary=[one for one in measurements.compared if one.metric == evaluate.metric and not one.is_ablation],
        compared=measurements.compared,
        ablations=[one for one in measurements.compared if one.is_ablation],
        sensitivity=assay_sensitivity(measurements.compared, evaluate.metric),
        needed_to_decide=lambda one: needed_to_decide(one, evaluate),
        arms=measurements.arms,
        names=NAMES,
        titles=TITLES,
        at_threshold=AT_THRESHOLD,
        slices=measurements.slices,
        shortcut=measurements.shortcut,
        missed=measurements.missed,
        calibrated=measurements.calibrated,
        references=measurements.references,
        study=study,
        study_plane=None if study is None else _study_plane(study),
        membership=measurements.membership,
        privacy=measurements.privacy,
        attacks=ATTACKS,
        not_measured=NOT_MEASURED,
        tiles=gallery(golden, measurements.missed, show),
        show=show,
        params=params,
        # The engine does not change results and may reveal host names.
        settings=flat_settings(params.model_dump(exclude={"engine"})),
        versions=versions,
        hashes=data_hashes(golden),
        golden=golden,
        seeds=params.train.seeds,
    )
    write_text(path, page)


def _plane(measurements: Measurements, params: Params) -> Markup | None:
    """Cost of each arm against its linkage rate; None if either was not measured."""
    dots = []
    for one in measurements.compared:
        linked = measurements.privacy.get(one.first, {}).get("reidentification")
        if one.metric != params.evaluate.metric or one.second != "raw" or not isinstance(linked, dict):
            continue
        strongest = _strongest({name: linked[name]["rank1"] for name in linked if name in ATTACKS})
        cost = (one.difference.estimate, one.decision.low, one.decision.high)
        for attack in (strongest, "parrot"):
            if attack in linked and all(math.isfinite(value) for value in cost):
                rate, low, high = (linked[attack][key] for key in ("rank1", "rank1_low", "rank1_high"))
                title = (
                    f"{NAMES[one.first]}: {_with_limits(cost, params.evaluate.metric)}; {100 * rate:.1f} % linked "
                    f"({100 * low:.1f} to {100 * high:.1f}), {ATTACKS[attack].description}"
                )
                dots.append(
                    Dot(
                        (rate, low, high),
                        cost,
                        COLORS[one.first],
                        "" if attack == "parrot" else NAMES[one.first],
                        title,
                        attack == "parrot",
                    )
                )
    if not dots:
        return None
    description = "Cost against linkage. " + ". ".join(dot.title for dot in dots)
    return plane(dots, "faces linked (rank 1)", f"difference to raw, {params.evaluate.metric}", params.evaluate.margin,
                 description)  # fmt: skip


def _with_limits(value: tuple[float, float, float], metric: str = "") -> str:
    """A difference and its limits as text."""
    estimate, low, high = (format_number(number, True) for number in value)
    return f"{estimate}{metric and ' '}{metric} ({low} to {high})"


def _strongest(rates: Mapping[str, float]) -> str:
    """The attack with the highest rate, among those on treated faces that the gate limits."""
    limited = (name for name in rates if ATTACKS[name].limit in ("max_reid", "max_learned"))
    return max(limited, key=lambda name: rates[name])


def _study_plane(study: Mapping[str, Any]) -> Markup | None:
    """The rows of a study that were attacked."""
    dots = []
    for name, row in study["arms"].items():
        linked = row["linkage"]
        if not isinstance(row.get("low"), int | float) or not isinstance(linked, dict):
            continue
        strongest = _strongest({attack: rates[0] for attack, rates in linked.items() if attack in ATTACKS})
        rate, low, high = linked[strongest]
        cost = (row["difference"], row["low"], row["high"])
        verdicts = ", ".join(f"{verdict} at {margin}" for margin, verdict in row["verdict"].items())
        title = (
            f"{name}: {_with_limits(cost, study['metric'])}, {verdicts}; {100 * rate:.1f} % linked "
            f"({100 * low:.1f} to {100 * high:.1f}), {ATTACKS[strongest].description}"
        )
        dots.append(Dot((rate, low, high), cost, COLORS[row["arm"]], name, title))
    if not dots:
        return None
    description = "Cost against linkage on real photographs. " + ". ".join(dot.title for dot in dots)
    label = f"difference to {study['reference']}, {study['metric']}"
    return plane(dots, "faces linked (rank 1)", label, study["margin"], description)


def _forest(compared: Sequence[Comparison], params: Params) -> Markup:
    bars = []
    for one in compared:
        value = (one.difference.estimate, one.decision.low, one.decision.high)
        if one.metric != params.evaluate.metric or not all(math.isfinite(number) for number in value):
            continue
        verdict = "control" if one.is_ablation else one.decision.verdict
        label = f"{NAMES[one.first]} minus {NAMES[one.second]}: {verdict}"
        title = f"{label}; {_with_limits(value)}"
        bars.append(Bar(value, COLORS[one.first], label, title))
    description = "Differences with their limits. " + ". ".join(bar.title for bar in bars)
    metric, margin = params.evaluate.metric, params.evaluate.margin
    return forest(bars, f"difference in {metric}; dashed: margin {margin:g}", margin, description)


def data_hashes(golden: Photographs, lock: Path = Path("dvc.lock")) -> dict[str, str]:
    """Hashes that identify the data: SHA-256 of the golden labels, and the hashes in dvc.lock, if it exists."""
    hashes = {"golden labels (sha256)": hashlib.sha256(golden.annotations.read_bytes()).hexdigest()[:16]}
    if lock.is_file():
        from ruamel.yaml import YAML

        for stage in (YAML(typ="safe").load(lock) or {}).get("stages", {}).values():
            for out in stage.get("outs", []):
                if out["path"].startswith(("data/", "models/")) and "md5" in out and "/demo" not in out["path"]:
                    hashes[f"{out['path']} (md5)"] = out["md5"]
    return dict(sorted(hashes.items()))


def read_versions(detections: Mapping[str, Path]) -> dict[str, str]:
    """Versions of the packages that trained the arms, from the model files."""
    versions: dict[str, str] = {}
    for folder in detections.values():
        versions |= read_json(folder / "model.json")["versions"]
    return versions
