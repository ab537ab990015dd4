"""The report: one HTML file that needs no other file, no network and no script."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import jinja2
from markupsafe import Markup
from matplotlib.figure import Figure

from facade.audit.threats import ATTACKS, NOT_MEASURED
from facade.dataset import Photographs
from facade.files import read_json, write_text
from facade.measure.arms import Arm
from facade.measure.compare import Comparison, assay_sensitivity
from facade.measure.false_negatives import Miss
from facade.measure.shortcut import Fired
from facade.measure.slices import Sliced
from facade.measure.wider_protocol import HEIGHTS, LEVELS
from facade.params import Params
from facade.report.chart import Bar, Dot, forest, plane
from facade.report.differences import draw_slices
from facade.report.formatting import sentence, to_decide, told
from facade.report.gallery import data_uri, gallery
from facade.report.precision_recall_plot import draw_curves
from facade.report.style import COLOURS, NAMES, SYNTHETIC_NOTE, as_svg

# Width of the page's figures, inches: their letters stay readable on a telephone.
NARROW = 4.2
# What the tables call the metrics; those that are not named keep their name.
TITLES = {
    "recall_fppi_0p1": "recall at 0.1 false positives a photograph",
    "recall_fppi_1": "recall at 1 false positive a photograph",
    "misses_a_photo": "misses a photograph",
    "false_a_photo": "false positives a photograph",
    "AP": "AP, mean over IoU .5 to .95",
    "AR": "AR, average recall",
    **{f"AP_from_{height}px": f"AP by WIDER FACE's rules, faces from {height} px" for height in HEIGHTS},
    **{f"WIDER_{level}": f"WIDER FACE's own AP, {level} faces" for level in LEVELS},
    "AP50_own": "AP50 on the arm's own calibration photographs",
    "threshold": "operating threshold",
}
AT_THRESHOLD = ("threshold", "precision", "recall", "F1", "misses_a_photo", "false_a_photo")


@dataclass(frozen=True)
class Measured:
    """All that the page tells.

    Attributes:
        arms: By name, what each reaches.
        compared: The comparisons, in every metric.
        sliced: The same on parts of the golden faces.
        fired: By arm, how often its runs fire on patches.
        missed: The missed faces, the most surely missed first.
        calibrated: Whether there were calibration photographs to fix operating thresholds on.
        references: By name, what other people's detectors reach on the same photographs.
        privacy: By anonymized arm, what its audit found (metrics/privacy).
    """

    arms: dict[str, Arm]
    compared: Sequence[Comparison]
    sliced: Sequence[Sliced]
    fired: Mapping[str, Sequence[Fired]]
    missed: Sequence[Miss]
    calibrated: bool
    references: Mapping[str, Mapping[str, float | None]]
    privacy: Mapping[str, Mapping[str, Any]]


def write_page(
    measured: Measured,
    golden: Photographs,
    faces: Figure,
    params: Params,
    versions: Mapping[str, str],
    path: Path,
    study: Mapping[str, Any] | None = None,
) -> None:
    """Write the report.

    Args:
        measured: What was measured.
        golden: The golden set; of its people the page shows mosaics alone, unless they are synthetic or agreed.
        faces: The same faces in every arm, from `draw_faces`, which withholds those of real people.
        params: All of params.yaml.
        versions: Of the packages that the result depends on.
        path: HTML file to write.
        study: What a study of many treatments found on real photographs (`facade.experiments.treatment_study`), to set this
            experiment beside; None where there is none.
    """
    evaluate = params.evaluate
    show = golden.synthetic or params.report.show_raw
    figures = {
        "curves": draw_curves(measured.arms, evaluate.iou, False, NARROW),
        "slices": draw_slices(measured.sliced, "AP50", False, NARROW),
        "slices_recall": draw_slices(measured.sliced, "recall", False, NARROW),
        "faces": faces,
    }
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("facade.report"), autoescape=True, trim_blocks=True, lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    environment.filters["number"] = told
    # Figures of a JSON file: numbers, or the words that they were not measured.
    environment.filters["figure"] = lambda value: told(value) if isinstance(value, int | float) else value
    page = environment.get_template("page.html").render(
        sentence=sentence(measured.compared, evaluate),
        note=SYNTHETIC_NOTE if golden.synthetic else None,
        raw="raw" in measured.arms,
        plane=_plane(measured, params),
        forest=_forest(measured.compared, params),
        figures={name: data_uri(as_svg(figure), "image/svg+xml") for name, figure in figures.items()},
        deciding=[one for one in measured.compared if one.metric == evaluate.metric and not one.is_cause],
        compared=measured.compared,
        causes=[one for one in measured.compared if one.is_cause],
        sensitivity=assay_sensitivity(measured.compared, evaluate.metric),
        to_decide=lambda one: to_decide(one, evaluate),
        arms=measured.arms,
        names=NAMES,
        titles=TITLES,
        at_threshold=AT_THRESHOLD,
        sliced=measured.sliced,
        fired=measured.fired,
        missed=measured.missed,
        calibrated=measured.calibrated,
        references=measured.references,
        study=study,
        study_plane=None if study is None else _study_plane(study),
        privacy=measured.privacy,
        attacks=ATTACKS,
        not_measured=NOT_MEASURED,
        tiles=gallery(golden, measured.missed, show),
        show=show,
        params=params,
        # Where it was computed changes nothing, and is nobody's business.
        settings=_flat(params.model_dump(exclude={"engine"})),
        versions=versions,
        hashes=data_hashes(golden),
        golden=golden,
        seeds=params.train.seeds,
    )
    write_text(path, page)


def _plane(measured: Measured, params: Params) -> Markup | None:
    """What each arm costs against how many of its people are linked; None where either was not measured."""
    dots = []
    for one in measured.compared:
        linked = measured.privacy.get(one.first, {}).get("reidentification")
        if one.metric != params.evaluate.metric or one.second != "raw" or not isinstance(linked, dict):
            continue
        best = _strongest({name: linked[name]["rank1"] for name in linked if name in ATTACKS})
        cost = (one.difference.seen, one.verdict.low, one.verdict.high)
        for attack in (best, "parrot"):
            if attack in linked and all(math.isfinite(value) for value in cost):
                rate, low, high = (linked[attack][key] for key in ("rank1", "rank1_low", "rank1_high"))
                title = (
                    f"{NAMES[one.first]}: {told(cost[0], True)} {params.evaluate.metric} ({told(cost[1], True)} to "
                    f"{told(cost[2], True)}); {100 * rate:.1f} % linked ({100 * low:.1f} to {100 * high:.1f}), "
                    f"{ATTACKS[attack].told}"
                )
                dots.append(
                    Dot(
                        (rate, low, high),
                        cost,
                        COLOURS[one.first],
                        "" if attack == "parrot" else NAMES[one.first],
                        title,
                        attack == "parrot",
                    )
                )
    if not dots:
        return None
    about = "Cost against linkage. " + ". ".join(dot.title for dot in dots)
    return plane(dots, "faces linked (rank 1)", f"difference to raw, {params.evaluate.metric}", params.evaluate.margin,
                 about)  # fmt: skip


def _strongest(rates: Mapping[str, float]) -> str:
    """Of the attacks on treated faces that the gate limits, the one that links most."""
    return max((name for name in rates if ATTACKS[name].limit == "max_reid"), key=lambda name: rates[name])


def _study_plane(study: Mapping[str, Any]) -> Markup | None:
    """The rows of a study whose people were attacked."""
    dots = []
    for name, row in study["arms"].items():
        linked = row["linkage"]
        if not isinstance(row.get("low"), int | float) or not isinstance(linked, dict):
            continue
        best = _strongest({attack: rates[0] for attack, rates in linked.items() if attack in ATTACKS})
        rate, low, high = linked[best]
        cost = (row["difference"], row["low"], row["high"])
        answers = ", ".join(f"{answer} at {margin}" for margin, answer in row["verdict"].items())
        title = (
            f"{name}: {told(cost[0], True)} {study['metric']} ({told(cost[1], True)} to {told(cost[2], True)}), "
            f"{answers}; {100 * rate:.1f} % linked ({100 * low:.1f} to {100 * high:.1f}), {ATTACKS[best].told}"
        )
        dots.append(Dot((rate, low, high), cost, COLOURS[row["arm"]], name, title))
    if not dots:
        return None
    about = "Cost against linkage on real photographs. " + ". ".join(dot.title for dot in dots)
    label = f"difference to {study['reference']}, {study['metric']}"
    return plane(dots, "faces linked (rank 1)", label, study["margin"], about)


def _forest(compared: Sequence[Comparison], params: Params) -> Markup:
    bars = []
    for one in compared:
        value = (one.difference.seen, one.verdict.low, one.verdict.high)
        if one.metric != params.evaluate.metric or not all(math.isfinite(number) for number in value):
            continue
        answer = "control" if one.is_cause else one.verdict.answer
        label = f"{NAMES[one.first]} minus {NAMES[one.second]}: {answer}"
        title = f"{label}; {told(value[0], True)} ({told(value[1], True)} to {told(value[2], True)})"
        bars.append(Bar(value, COLOURS[one.first], label, title))
    about = "Differences with their limits. " + ". ".join(bar.title for bar in bars)
    metric, margin = params.evaluate.metric, params.evaluate.margin
    return forest(bars, f"difference in {metric}; dashed: margin {margin:g}", margin, about)


def data_hashes(golden: Photographs, lock: Path = Path("dvc.lock")) -> dict[str, str]:
    """What tells the data apart: sha256 of the golden labels, and DVC's own sums where it has made them."""
    hashes = {"golden labels (sha256)": hashlib.sha256(golden.annotations.read_bytes()).hexdigest()[:16]}
    if lock.is_file():
        from ruamel.yaml import YAML

        for stage in (YAML(typ="safe").load(lock) or {}).get("stages", {}).values():
            for out in stage.get("outs", []):
                if out["path"].startswith(("data/", "models/")) and "md5" in out and "/demo" not in out["path"]:
                    hashes[f"{out['path']} (md5)"] = out["md5"]
    return dict(sorted(hashes.items()))


def read_versions(detections: Mapping[str, Path]) -> dict[str, str]:
    """Versions of the packages that trained the arms, as their models tell them."""
    found: dict[str, str] = {}
    for folder in detections.values():
        found |= read_json(folder / "model.json")["versions"]
    return found


def _flat(values: Mapping[str, Any], above: str = "") -> dict[str, str]:
    """Nested settings by their dotted names. Where somebody keeps data and weights is nobody's business."""
    flat: dict[str, str] = {}
    for key, value in values.items():
        name = f"{above}{key}"
        if isinstance(value, dict):
            flat |= _flat(value, f"{name}.")
        elif isinstance(value, list | tuple):
            flat[name] = f"[{', '.join(map(_shown, value))}]"
        else:
            flat[name] = _shown(value)
    return flat


def _shown(value: Any) -> str:
    if isinstance(value, (Path, str)) and (PurePath(value).is_absolute() or str(value).startswith("~")):
        return "a path of its own"
    return json.dumps(value.as_posix() if isinstance(value, Path) else value)
