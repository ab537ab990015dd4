"""Score and compare the arms on the golden set, and report.   python stages/evaluate.py   (dvc repro evaluate)"""

import shutil
from pathlib import Path

from facade.audit.leaks import folder_leaks, paths_in
from facade.dataset import Photographs
from facade.dataset.store import load_coco
from facade.errors import FacadeError
from facade.files import atomic_directory, read_json, write_json, write_text
from facade.measure.arms import headline, measure_arm, measure_reference, summary
from facade.measure.compare import ablations, compare, four_digits, verdicts
from facade.measure.false_negatives import as_coco, as_table, false_negatives
from facade.measure.golden_evaluation import read_evaluation
from facade.measure.membership import measure_membership, membership_metrics, read_scored_faces
from facade.measure.shortcut import measure_shortcut, shortcut_summary
from facade.measure.slices import compare_slices, slices_table
from facade.measure.wider_protocol import difficulty_levels
from facade.params import MAIN_ARMS, Params
from facade.report.differences import draw_differences, draw_slices
from facade.report.faces import draw_faces
from facade.report.page import Measurements, read_versions, write_page
from facade.report.precision_recall_plot import draw_curves, write_curve
from facade.report.style import save
from facade.stage import stage

PLOTS = Path("plots")
# Folders that are kept in git or shared.
PUBLISHED = ("report", "metrics", "privacy", "results", "plots", "models")
# Results on real photographs, without any image.
STUDY = Path("experiments/widerface.json")


def refuse_leaks(params: Params) -> None:
    """Raise if a published result contains metadata of a photograph or a private path."""
    words = paths_in(params.model_dump())
    leaks = [leak for name in PUBLISHED for leak in folder_leaks(Path(name), words)]
    if leaks:
        found = "; ".join(map(str, leaks[:3]))
        raise FacadeError(f"results contain private metadata: {found}. DVC does not store them.")


def remove_stale_arms(params: Params) -> None:
    """Remove results of arms that params.yaml no longer names: this stage depends on the folders as a whole."""
    kept = {*MAIN_ARMS, *params.arms.extra, "references"}
    for folder in ("detections", "privacy", "metrics/privacy", "plots/calibration", "plots/training"):
        for path in Path(folder).iterdir():
            if path.stem not in kept and not path.name.startswith("."):
                shutil.rmtree(path) if path.is_dir() else path.unlink()


@stage
def evaluate(params: Params) -> None:
    golden, settings = Photographs("data/golden"), params.evaluate
    truth = golden.content()
    remove_stale_arms(params)
    detections = {name: Path("detections") / name for name in params.arm_names}
    calibration = {name: read_json(folder / "calibration/labels.json") for name, folder in detections.items()}
    data = {name: Photographs(Path("data") / name) for name in MAIN_ARMS if name in detections}
    controls = {name: params.treatment_of(name) for name in detections if params.is_control(name)}
    evaluation = read_evaluation(truth, calibration, detections, settings)
    # drop replaces photographs by copies of others: neither is a member under its own name.
    attacked = [name for name in detections if params.treatment_of(name) != "drop"]
    membership = measure_membership(
        {name: read_scored_faces(detections[name] / "membership.json") for name in attacked},
        {name: {image["file_name"] for image in calibration[name]["images"]} for name in attacked},
        references=params.anonymized_arms,
    )
    scored = difficulty_levels(truth, settings.wider_ground_truth)
    measurements = Measurements(
        arms={name: measure_arm(evaluation, name, scored, settings.iou) for name in detections},
        compared=compare(evaluation, settings, controls),
        slices=compare_slices(evaluation, settings),
        shortcut=measure_shortcut(evaluation, load_coco(Path("data/patches")), detections, settings.iou),
        missed=false_negatives(evaluation),
        calibrated=evaluation.calibrated,
        references={
            path.stem: measure_reference(evaluation, read_json(path), scored, settings.iou)
            for path in sorted(Path("detections/references").glob("*.json"))
        },
        membership=membership,
        privacy={name: read_json(Path("privacy") / f"{name}.json") for name in params.anonymized_arms},
    )

    with atomic_directory(PLOTS / "precision-recall") as curves:
        for name in dict.fromkeys([*MAIN_ARMS, *measurements.arms]):
            write_curve(measurements.arms.get(name), curves / f"{name}.csv")
    save(draw_curves(measurements.arms, settings.iou, golden.synthetic), PLOTS / "precision-recall.png")
    save(draw_differences(measurements.compared, settings, golden.synthetic), PLOTS / "differences.png")
    write_text(PLOTS / "slices.csv", slices_table(measurements.slices))
    save(draw_slices(measurements.slices, "AP50", golden.synthetic), PLOTS / "slices.png")
    shown = params.report.show_raw or all(photographs.synthetic for photographs in data.values())
    faces = draw_faces(data, shown)
    save(faces, PLOTS / "faces.png")

    with atomic_directory(Path("report")) as report:
        study = read_json(STUDY) if STUDY.is_file() else None
        write_page(measurements, golden, faces, params, read_versions(detections), report / "index.html", study)
        write_json(report / "misses.json", as_coco(truth, measurements.missed))
        write_text(report / "misses.csv", as_table(measurements.missed))
    content = {"verdict": verdicts(measurements.compared, settings)} | summary(truth, measurements.arms)
    content["ablations"] = ablations(measurements.compared, settings)
    content["patch_false_positives"] = shortcut_summary(measurements.shortcut)
    content["references"] = {
        name: {metric: four_digits(value) for metric, value in values.items()}
        for name, values in measurements.references.items()
    }
    content = {key: value for key, value in content.items() if value}
    write_json(Path("results/golden.json"), content)
    write_json(Path("metrics/golden.json"), headline(content, list(measurements.arms)))
    write_json(Path("results/membership.json"), membership_metrics(membership))
    refuse_leaks(params)
