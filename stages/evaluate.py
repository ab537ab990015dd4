"""Score every arm on the golden set and compare.   python stages/evaluate.py   (dvc repro evaluate)"""

from pathlib import Path

from facade.dataset import Photographs
from facade.files import read_json, write_json, write_text
from facade.measure.arms import measure_arm, summary
from facade.measure.compare import compare, verdicts
from facade.measure.slices import compare_slices, table
from facade.params import Params
from facade.report.curves import draw_curves, write_curve
from facade.report.differences import draw_differences, draw_slices
from facade.report.faces import draw_faces
from facade.stage import ARMS, stage


@stage
def evaluate(params: Params) -> None:
    golden = Photographs("data/golden")
    truth = read_json(golden.annotations)
    detections = {name: Path("detections") / name for name in ARMS}
    arms = {name: measure_arm(truth, folder, params.evaluate.iou) for name, folder in detections.items()}
    compared = compare(truth, detections, params.evaluate)
    for name, arm in arms.items():
        write_curve(arm, Path("plots/precision-recall") / f"{name}.csv")
    draw_curves(arms, params.evaluate.iou, golden.synthetic, Path("plots/precision-recall.png"))
    draw_differences(compared, params.evaluate, golden.synthetic, Path("plots/differences.png"))
    sliced = compare_slices(truth, detections, params.evaluate)
    write_text(Path("plots/slices.csv"), table(sliced))
    draw_slices(sliced, golden.synthetic, Path("plots/slices.png"))
    training = {name: Photographs(Path("data") / name) for name in ARMS}
    synthetic = all(photographs.synthetic for photographs in training.values())
    draw_faces(training, synthetic or params.report.show_raw, Path("plots/faces.png"))
    write_json(Path("metrics/golden.json"), {"verdict": verdicts(compared, params.evaluate), **summary(truth, arms)})
