"""A study of several rows: how it is written, run and told."""

import json
import subprocess
import sys

import pytest
from ruamel.yaml import YAML

from facade.dataset import Photographs
from facade.errors import FacadeError
from facade.experiments.study_results import measure_rows, page, plane_points
from facade.experiments.treatment_study import parsed, read_study_file, set_parameters
from facade.measure.average_precision import average_precision
from facade.params import load
from tests.conftest import REPOSITORY


@pytest.fixture
def rows(write_study):
    """Three rows, the last with fewer seeds, as a study gathers them."""
    truth, calibration, folders, settings = write_study()
    for name, folder in folders.items():
        (folder / "detections").mkdir()
        for part in ("golden", "calibration"):
            (folder / part).rename(folder / "detections" / part)
        (folder / "labels.json").write_text(json.dumps(calibration[name]))
    (folders["blur"] / "detections/golden/seed-10.json").unlink()
    return folders, truth, settings


def test_rows_are_compared_over_the_seeds_that_both_have(rows):
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


def test_the_page_tells_every_row_and_every_reference(rows):
    folders, truth, settings = rows
    peer = json.loads((folders["raw"] / "detections/golden/seed-0.json").read_text())
    content = measure_rows(folders, truth, {"YuNet": peer}, settings)
    text = page({"question": "What?", "commit": "abc", "study": "s"}, content, "s", False)
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    assert [line.split(" | ")[0] for line in lines[1:]] == ["| raw", "| pseudo", "| blur", "| *YuNet*"]
    assert len({line.count("|") for line in lines}) == 1
    assert content["references"]["YuNet"]["AP50"] > 0


def test_rows_whose_people_were_attacked_are_on_the_plane(rows):
    folders, truth, settings = rows
    attack = {"rank1": 0.2, "rank1_low": 0.1, "rank1_high": 0.3}
    found = {"reidentification": {"faces": 9, "chance_rank1": 0.1, "recognition": attack}, "attacker": "a net"}
    (folders["blur"] / "privacy.json").write_text(json.dumps(found))
    content = measure_rows(folders, truth, {}, settings)
    assert content["arms"]["blur"]["linkage"]["recognition"] == [0.2, 0.1, 0.3]
    (point,) = plane_points(content, dict.fromkeys(folders, "blur"), {"raw": {}, "pseudo": {}, "blur": found})
    assert (point.treatment, point.linked) == ("blur", (0.2, 0.1, 0.3))


def test_the_studies_of_the_repository_can_be_read(tmp_path):
    for name in YAML(typ="safe").load((REPOSITORY / "experiments/studies.yaml").read_text()):
        study = read_study_file(name, REPOSITORY / "experiments/studies.yaml")
        for row in study.rows:
            # What every machine must say for itself.
            own = {"audit.detector": "publisher"}
            set_parameters(
                REPOSITORY / "params.yaml", own | {**study.settings, **row.settings}, tmp_path / "params.yaml"
            )
            load(tmp_path / "params.yaml")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("other: {}", "has no study 'mine'. There are other"),
        ("mine: {question: q, settings: {}, seeds: [0], rows: {a: {arm: sepia}}}", "row a of mine has sepia, unknown"),
        ("mine: {question: q, settings: {}, seeds: [0], rows: {a: {arm: raw, seed: 3}}}", "unknown here"),
        ("mine: [", "cannot be read"),
        ("mine: {question: q, settings: {}, seeds: [0], rows: {a b: {arm: raw}, a-b: {arm: raw}}}", "share the folder"),
    ],
)
def test_a_study_that_is_not_written_as_one_gets_a_sentence(tmp_path, text, sentence):
    (tmp_path / "studies.yaml").write_text(text)
    with pytest.raises(FacadeError, match=sentence):
        read_study_file("mine", tmp_path / "studies.yaml")


def test_parameters_that_do_not_exist_are_refused(tmp_path):
    with pytest.raises(FacadeError, match=r"params\.yaml has no blur\.sigmas"):
        set_parameters(REPOSITORY / "params.yaml", {"blur.sigmas": 3}, tmp_path / "params.yaml")
    with pytest.raises(FacadeError, match=r"params\.yaml has no train\.seeds\.x"):
        set_parameters(REPOSITORY / "params.yaml", {"train.seeds.x": 3}, tmp_path / "params.yaml")
    assert parsed(["a.b=[1, 2]", "c=x=y"]) == {"a.b": [1, 2], "c": "x=y"}
    for wrong, sentence in (("a.b", "sets nothing"), ("a.b=[", "is no YAML")):
        with pytest.raises(FacadeError, match=sentence):
            parsed([wrong])


@pytest.mark.slow
def test_a_study_runs_from_photographs_to_a_page(tmp_path):
    """Drawn photographs, three rows, two seeds, with keys of their own; again, and nothing is done twice."""
    work = tmp_path / "repository"
    subprocess.run(["git", "clone", "-q", str(REPOSITORY), str(work)], check=True)
    for name in ("src", "stages"):
        subprocess.run(["cp", "-r", str(REPOSITORY / name), str(work)], check=True)
    subprocess.run(["cp", str(REPOSITORY / "params.yaml"), str(work)], check=True)
    set_parameters(work / "params.yaml", {"demo.train": 24, "demo.golden": 12, "demo.size": 96}, work / "p")
    (work / "p").replace(work / "params.yaml")
    run = [sys.executable, "-m", "facade.experiments.treatment_study", "tiny", "-S", "ingest.golden_lock=none"]
    environment = {"PYTHONPATH": str(work / "src"), "PATH": "/usr/bin:/bin", "FACADE_KEY": "0123456789abcdef" * 2}

    def go(command):
        return subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, check=False)

    assert go([sys.executable, "stages/demo.py"]).returncode == 0
    (work / "experiments/studies.yaml").write_text(
        "tiny:\n  question: Does it run?\n  seeds: [0, 1]\n  settings: {detector.weights: drawn, train.epochs: 2, "
        f"pretrain.photographs: 6, pretrain.epochs: 1, audit.people: 8, ingest.path: {work}/data/demo, "
        "audit.max_untreated: 1000, synthesize.key: study}\n"
        "  rows:\n    raw: {arm: raw}\n    drawn: {arm: pseudo, key_per_seed: true}\n"
        "    blur 8 %: {arm: blur, settings: {blur.sigma: 8}}\n"
    )
    refused = go(run)
    assert refused.returncode != 0
    lock = refused.stderr.split("put golden_lock: ")[1].split()[0]
    run[-1] = f"ingest.golden_lock={lock}"
    done = go(run)
    assert done.returncode == 0, done.stderr
    content = json.loads((work / "experiments/tiny.json").read_text())
    assert list(content["arms"]) == ["raw", "drawn", "blur 8 %"]
    assert all(row["seeds"] == 2 for row in content["arms"].values())
    assert (work / "experiments/tiny.md").is_file()
    sums = {Photographs(work / f".work/study/tiny/drawn-seed-{seed}/data/pseudo").fingerprint() for seed in (0, 1)}
    assert len(sums) == 2, "each seed has pseudonyms of a key of its own"
    again = go(run)
    assert again.returncode == 0
    assert "train" not in again.stdout
