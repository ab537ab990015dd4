"""Treatment studies: definition, execution and results."""

import json
import subprocess
import sys

import pytest
from ruamel.yaml import YAML

from facade.dataset import Photographs
from facade.errors import FacadeError
from facade.experiments.study_results import measure_rows, page, plane_points
from facade.experiments.treatment_study import parse_assignments, read_study_file, set_parameters
from facade.measure.average_precision import average_precision
from facade.params import load
from tests.conftest import REPOSITORY


@pytest.fixture
def rows(write_evaluation):
    """Three rows, the last with fewer seeds, in the layout that a study merges."""
    truth, calibration, folders, settings = write_evaluation()
    for name, folder in folders.items():
        (folder / "detections").mkdir()
        for part in ("golden", "calibration"):
            (folder / part).rename(folder / "detections" / part)
        (folder / "labels.json").write_text(json.dumps(calibration[name]))
    (folders["blur"] / "detections/golden/seed-10.json").unlink()
    return folders, truth, settings


def test_rows_are_compared_over_their_common_seeds(rows):
    folders, truth, settings = rows
    content = measure_rows(folders, truth, {}, settings)

    def mean(row, seeds):
        files = [folders[row] / "detections/golden" / f"seed-{seed}.json" for seed in seeds]
        return sum(average_precision(truth, json.loads(file.read_text()))["AP50"] for file in files) / len(files)

    assert [row["seeds"] for row in content["arms"].values()] == [3, 3, 2]
    assert content["arms"]["raw"]["AP50"] == pytest.approx(mean("raw", (0, 1, 10)), abs=5e-4)
    assert content["arms"]["blur"]["difference"] == pytest.approx(mean("blur", (0, 1)) - mean("raw", (0, 1)), abs=5e-4)
    assert content["arms"]["pseudo"]["verdict"] == dict.fromkeys(("0.03", "0.02", "0.01"), "non-inferior")
    assert content["arms"]["blur"]["verdict"]["0.03"] == "inferior"
    assert content["arms"]["blur"]["linkage"] == "not measured"
    assert set(content["arms"]["raw"]["AP50_by_seed"]) == {"0", "1", "10"}


def test_page_has_every_row_and_every_reference(rows):
    folders, truth, settings = rows
    peer = json.loads((folders["raw"] / "detections/golden/seed-0.json").read_text())
    content = measure_rows(folders, truth, {"YuNet": peer}, settings)
    text = page({"question": "What?", "commit": "abc", "study": "s"}, content, "s", False)
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    assert [line.split(" | ")[0] for line in lines[1:]] == ["| raw", "| pseudo", "| blur", "| *YuNet*"]
    assert len({line.count("|") for line in lines}) == 1
    assert content["references"]["YuNet"]["AP50"] > 0


def test_attacked_rows_are_points_of_the_plane(rows):
    folders, truth, settings = rows
    attack = {"rank1": 0.2, "rank1_low": 0.1, "rank1_high": 0.3}
    report = {"reidentification": {"faces": 9, "chance_rank1": 0.1, "recognition": attack}, "attacker": "a network"}
    (folders["blur"] / "privacy.json").write_text(json.dumps(report))
    content = measure_rows(folders, truth, {}, settings)
    assert content["arms"]["blur"]["linkage"]["recognition"] == [0.2, 0.1, 0.3]
    (point,) = plane_points(content, dict.fromkeys(folders, "blur"), {"raw": {}, "pseudo": {}, "blur": report})
    assert (point.treatment, point.linked) == ("blur", (0.2, 0.1, 0.3))


def test_studies_of_the_repository_are_valid(tmp_path):
    for name in YAML(typ="safe").load((REPOSITORY / "experiments/studies.yaml").read_text()):
        study = read_study_file(name, REPOSITORY / "experiments/studies.yaml")
        for row in study.rows:
            # Parameters that every machine has to set.
            machine = {"audit.detector": "publisher"}
            set_parameters(
                REPOSITORY / "params.yaml", machine | {**study.settings, **row.settings}, tmp_path / "params.yaml"
            )
            load(tmp_path / "params.yaml")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("other: {}", "has no study 'mine'. Choose one of other"),
        ("mine: {question: q, settings: {}, seeds: [0], rows: {a: {arm: sepia}}}", "row a of mine has unknown sepia"),
        ("mine: {question: q, settings: {}, seeds: [0], rows: {a: {arm: raw, seed: 3}}}", "has unknown"),
        ("mine: [", "cannot be read"),
        ("mine: {question: q, settings: {}, seeds: [0], rows: {a b: {arm: raw}, a-b: {arm: raw}}}", "share the folder"),
    ],
)
def test_invalid_study_is_rejected(tmp_path, text, sentence):
    (tmp_path / "studies.yaml").write_text(text)
    with pytest.raises(FacadeError, match=sentence):
        read_study_file("mine", tmp_path / "studies.yaml")


def test_unknown_parameters_are_rejected(tmp_path):
    with pytest.raises(FacadeError, match=r"params\.yaml has no parameter blur\.sigmas"):
        set_parameters(REPOSITORY / "params.yaml", {"blur.sigmas": 3}, tmp_path / "params.yaml")
    with pytest.raises(FacadeError, match=r"params\.yaml has no parameter train\.seeds\.x"):
        set_parameters(REPOSITORY / "params.yaml", {"train.seeds.x": 3}, tmp_path / "params.yaml")
    assert parse_assignments(["a.b=[1, 2]", "c=x=y"]) == {"a.b": [1, 2], "c": "x=y"}
    for wrong, sentence in (("a.b", "is not an assignment"), ("a.b=[", "is not valid YAML")):
        with pytest.raises(FacadeError, match=sentence):
            parse_assignments([wrong])


@pytest.mark.slow
def test_study_runs_end_to_end_and_resumes(tmp_path):
    """Rendered photographs, three rows, two seeds with a key each; a second run repeats nothing."""
    work = tmp_path / "repository"
    subprocess.run(["git", "clone", "-q", str(REPOSITORY), str(work)], check=True)
    for name in ("src", "stages"):
        subprocess.run(["cp", "-r", str(REPOSITORY / name), str(work)], check=True)
    for name in ("params.yaml", "dvc.yaml"):
        subprocess.run(["cp", str(REPOSITORY / name), str(work)], check=True)
    set_parameters(work / "params.yaml", {"demo.train": 24, "demo.golden": 12, "demo.size": 96}, work / "p")
    (work / "p").replace(work / "params.yaml")
    run = [sys.executable, "-m", "facade", "experiment", "study", "tiny", "-S", "ingest.golden_lock=none"]
    environment = {"PYTHONPATH": str(work / "src"), "PATH": "/usr/bin:/bin", "FACADE_KEY": "0123456789abcdef" * 2}

    def go(command):
        return subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, check=False)

    assert go([sys.executable, "stages/demo.py"]).returncode == 0
    (work / "experiments/studies.yaml").write_text(
        "tiny:\n  question: Does it run?\n  seeds: [0, 1]\n  settings: {detector.weights: drawn, train.epochs: 2, "
        f"pretrain.photographs: 6, pretrain.epochs: 1, audit.identities: 8, ingest.path: {work}/data/demo, "
        "audit.max_untreated: 1000, synthesize.key: study}\n"
        "  rows:\n    raw: {arm: raw}\n    drawn: {arm: pseudo, key_per_seed: true}\n"
        "    blur 8 %: {arm: blur, settings: {blur.sigma: 8}}\n"
    )
    rejected = go(run)
    assert rejected.returncode != 0
    lock = rejected.stderr.split("set golden_lock: ")[1].split()[0]
    run[-1] = f"ingest.golden_lock={lock}"
    done = go(run)
    assert done.returncode == 0, done.stderr
    content = json.loads((work / "experiments/tiny.json").read_text())
    assert list(content["arms"]) == ["raw", "drawn", "blur 8 %"]
    assert all(row["seeds"] == 2 for row in content["arms"].values())
    assert (work / "experiments/tiny.md").is_file()
    sums = {Photographs(work / f".work/study/tiny/drawn-seed-{seed}/data/pseudo").fingerprint() for seed in (0, 1)}
    assert len(sums) == 2, "each seed has pseudonyms of a different key"
    again = go(run)
    assert again.returncode == 0
    assert "train" not in again.stdout
    other = go([*run, "-S", "detect.nms=0.5"])
    assert other.returncode == 0
    stages = [line.split(": ")[1].split()[0] for line in other.stdout.splitlines() if line.count(": ") == 1]
    assert set(stages) == {"detect"}, "what does not depend on the parameter is not run again"
