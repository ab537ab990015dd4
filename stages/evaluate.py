"""Score every arm on the golden set, compare, report.   python stages/evaluate.py   (dvc repro evaluate)"""

from pathlib import Path

from facade.audit.leaks import folder_leaks, paths_in
from facade.dataset import Photographs
from facade.dataset.calibration import calibration_labels
from facade.dataset.store import content_of
from facade.errors import FacadeError
from facade.files import read_json, whole_directory, write_json, write_text
from facade.measure.arms import measure_arm, measure_reference, summary
from facade.measure.compare import causes, compare, four_digits, verdicts
from facade.measure.false_negatives import as_coco, as_table, misses
from facade.measure.golden_evaluation import read_evaluation
from facade.measure.shortcut import measure_shortcut, shortcut_summary
from facade.measure.slices import compare_slices, table
from facade.measure.wider_protocol import levels
from facade.off import is_off
from facade.params import Params
from facade.report.differences import draw_differences, draw_slices
from facade.report.faces import draw_faces
from facade.report.page import Measured, read_versions, write_page
from facade.report.precision_recall_plot import draw_curves, write_curve
from facade.report.style import save
from facade.stage import ANONYMIZED, ARMS, MAIN_ARMS, stage

PLOTS = Path("plots")
# What was found on real photographs: figures alone.
STUDY = Path("experiments/widerface.json")


def refuse_leaks(params: Params) -> None:
    """What leaves the house holds figures and weights: no photograph's metadata, and no path."""
    words = paths_in(params.model_dump())
    leaks = [leak for name in ("report", "metrics", "plots", "models") for leak in folder_leaks(Path(name), words)]
    if leaks:
        raise FacadeError(f"results tell more than they may: {'; '.join(map(str, leaks[:3]))}. DVC keeps none of them.")


@stage
def evaluate(params: Params) -> None:
    golden, settings = Photographs("data/golden"), params.evaluate
    truth = golden.content()
    detections = {name: Path("detections") / name for name in ARMS if not is_off(Path("detections") / name)}
    data = {name: Photographs(Path("data") / name) for name in detections}
    calibration = {name: calibration_labels(own.content(), settings.calibration) for name, own in data.items()}
    study = read_evaluation(truth, calibration, detections, settings)
    judged = levels(truth, settings.wider_ground_truth)
    measured = Measured(
        arms={name: measure_arm(study, name, judged, settings.iou) for name in detections},
        compared=compare(study, settings),
        sliced=compare_slices(study, settings),
        fired=measure_shortcut(study, content_of(Path("data/patches")), detections, settings.iou),
        missed=misses(study),
        calibrated=study.calibrated,
        references={
            path.stem: measure_reference(study, read_json(path), judged, settings.iou)
            for path in sorted(Path("detections/references").glob("*.json"))
        },
        privacy={name: read_json(Path("metrics/privacy") / f"{name}.json") for name in ANONYMIZED},
    )

    for name in MAIN_ARMS:
        write_curve(measured.arms.get(name), PLOTS / "precision-recall" / f"{name}.csv")
    save(draw_curves(measured.arms, settings.iou, golden.synthetic), PLOTS / "precision-recall.png")
    save(draw_differences(measured.compared, settings, golden.synthetic), PLOTS / "differences.png")
    write_text(PLOTS / "slices.csv", table(measured.sliced))
    save(draw_slices(measured.sliced, "AP50", golden.synthetic), PLOTS / "slices.png")
    shown = params.report.show_raw or all(photographs.synthetic for photographs in data.values())
    faces = draw_faces({name: data[name] for name in MAIN_ARMS if name in data}, shown)
    save(faces, PLOTS / "faces.png")

    with whole_directory(Path("report")) as report:
        known = read_json(STUDY) if STUDY.is_file() else None
        write_page(measured, golden, faces, params, read_versions(detections), report / "index.html", known)
        write_json(report / "misses.json", as_coco(truth, measured.missed))
        write_text(report / "misses.csv", as_table(measured.missed))
    content = {"verdict": verdicts(measured.compared, settings), "causes": causes(measured.compared, settings)}
    content |= summary(truth, measured.arms) | {"fires_on": shortcut_summary(measured.fired)}
    content["references"] = {
        name: {metric: four_digits(value) for metric, value in values.items()}
        for name, values in measured.references.items()
    }
    write_json(Path("metrics/golden.json"), {key: value for key, value in content.items() if value})
    refuse_leaks(params)
