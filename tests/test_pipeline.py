"""The whole road in a temporary clone, with real DVC: what runs, what does not, and what a change re-runs."""

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
from ruamel.yaml import YAML

from facade.dataset import Photographs
from facade.demo.clip import draw_video, write_video
from facade.demo.write import write_demo
from facade.misses.ledger import read_ledger
from facade.params import load
from tests.conftest import REPOSITORY, S3_KEYS

TINY = {
    "demo": {"train": 10, "golden": 5, "size": 96},
    "train": {"epochs": 1, "crop": 64, "seeds": [0], "device": "cpu"},
    "detector": {"channels": 16},
    "pretrain": {"photographs": 4, "size": 96, "face_height": [10, 30], "epochs": 1},
    "detect": {"size": 96},
    "audit": {"identities": 4, "min_face_height": 16},
    "evaluate": {"bootstrap_samples": 200},
}
# The environment is there already.
MAKE = (f"VENV={Path(sys.executable).parents[1]}", "READY=Makefile")
STAGES = {
    "code", "demo", "ingest", "unlabelled", "raw", "blur", "synthesize", "patches", "attacker", "pretrain",
    "references", "audit@blur", "audit@pseudo",
    "train-raw", "train-blur", "train-pseudo", "detect@raw", "detect@blur", "detect@pseudo", "evaluate",
}  # fmt: skip


class Clone:
    """A clone of the working tree, with its own DVC cache and a tiny experiment."""

    def __init__(self, root: Path) -> None:
        self.root = root / "clone"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("DVC", "GIT"))},
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "DVC_SITE_CACHE_DIR": str(root / "site"),
            "DVC_NO_ANALYTICS": "1",
        }
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=REPOSITORY, capture_output=True, check=True,
        ).stdout.decode()  # fmt: skip
        for name in filter(None, listed.split("\0")):
            if (REPOSITORY / name).is_file():
                target = self.root / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(REPOSITORY / name, target)
        # What numba has compiled goes along; it is of the same sources, as numba tells by their times.
        for compiled in (REPOSITORY / "src").rglob("*.nb[ci]"):
            target = self.root / compiled.relative_to(REPOSITORY)
            target.parent.mkdir(exist_ok=True)
            shutil.copy2(compiled, target)
        (self.root / "dvc.lock").unlink(missing_ok=True)
        self.change(**TINY)
        self.run("git", "init", "-q", "-b", "main")
        self.run("git", "config", "user.name", "Test")
        self.run("git", "config", "user.email", "test@example.org")
        self.commit()

    def cloned(self, root: Path) -> "Clone":
        """A clone of this clone, somebody else's: with what git keeps, and without any data."""
        other = Clone.__new__(Clone)
        other.root, other.environment = root, self.environment | {"PYTHONPATH": "src"}
        self.run("git", "clone", "-q", str(self.root), str(root))
        for name, value in (("user.name", "Other"), ("user.email", "other@example.org")):
            other.run("git", "config", name, value)
        return other

    def outcome_of(self, experiment: str) -> tuple[str, str]:
        """What an experiment was run with, and its metrics."""
        self.run("dvc", "exp", "apply", experiment)
        outcome = [(self.root / name).read_text() for name in ("params.yaml", "metrics/golden.json")]
        self.run("git", "checkout", "-q", ".")
        return outcome[0], outcome[1]

    def change(self, **sections: dict) -> None:
        yaml = YAML()
        path = self.root / "params.yaml"
        values = yaml.load(path)
        for section, changes in sections.items():
            values[section].update(changes)
        yaml.dump(values, path)

    def commit(self) -> None:
        self.run("git", "add", "-A")
        self.run("git", "commit", "-q", "--allow-empty", "-m", "state")

    def run(self, *command: str, fails: bool = False, **environment: str) -> str:
        done = subprocess.run(
            command, cwd=self.root, env=self.environment | environment, capture_output=True, text=True, check=False
        )
        output = done.stdout + done.stderr
        assert (done.returncode != 0) == fails, output
        return output

    def metrics(self) -> dict:
        """All results; metrics/golden.json has the main ones."""
        return json.loads((self.root / "results" / "golden.json").read_text())


def ran(output: str) -> set[str]:
    return set(re.findall(r"Running stage '([^']+)'", output))


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Clone:
    return Clone(tmp_path_factory.mktemp("pipeline"))


@pytest.fixture(scope="module")
def reproduced(clone) -> Clone:
    """The tiny experiment, run once, its golden set accepted as its users would accept it."""
    output = clone.run("dvc", "repro", fails=True)
    assert "Traceback" not in output
    lock = re.search(r"golden_lock=([0-9a-f]{16})", output)
    assert lock, output
    clone.change(ingest={"golden_lock": lock[1]})
    assert ran(clone.run("dvc", "repro")) == STAGES - {"code", "demo"}
    clone.commit()
    return clone


def test_repro_goes_from_photographs_to_metrics_and_figures(reproduced):
    metrics = reproduced.metrics()
    for arm in ("raw", "blur", "pseudo"):
        assert 0 <= metrics[arm]["AP50"] <= 1
    assert "AP50" in metrics["blur_minus_raw"]
    assert metrics["golden"]["synthetic"] is True
    assert "recall" in metrics["verdict"]["pseudo_vs_raw"]
    assert set(metrics["patch_false_positives"]) == {"raw", "blur", "pseudo"}, "controls are off"
    for name in ("report/index.html", "report/misses.json", "report/misses.csv",
                 "plots/precision-recall.png", "plots/faces.png", "plots/precision-recall/raw.csv",
                 "plots/training/blur.csv", "metrics/ingest.json", "results/membership.json",
                 "data/quarantine.csv"):  # fmt: skip
        assert (reproduced.root / name).stat().st_size > 0, name
    assert reproduced.run("git", "status", "--porcelain") == "", "everything is committed or ignored"


def test_a_second_repro_runs_nothing(reproduced):
    assert ran(reproduced.run("dvc", "repro")) == set()


@pytest.fixture
def other_tool(reproduced, tmp_path) -> Path:
    """A folder of photographs that another program has treated: all faces but the largest, which it missed."""
    content = json.loads((reproduced.root / "data/train/annotations.json").read_text())
    missed = max(content["annotations"], key=lambda face: face["area"])
    names = {image["id"]: image["file_name"] for image in content["images"]}
    for path in (reproduced.root / "data/train/images").iterdir():
        source = cv2.imread(str(path))
        treated = cv2.blur(source, (31, 31))
        if path.name == names[missed["image_id"]]:
            x, y, w, h = (int(value) for value in missed["bbox"])
            treated[y : y + h + 1, x : x + w + 1] = source[y : y + h + 1, x : x + w + 1]
        assert cv2.imwrite(str(tmp_path / f"{path.stem}.png"), treated)
    return tmp_path


def test_an_experiment_runs_its_arms_alone(reproduced, other_tool):
    """Another blur, and an arm that another program treated, whose missed face Facade blurs.

    With both gone, the results are those of before.
    """
    before = reproduced.metrics()
    arm = extra("external", str(other_tool), "{untreated: blur}")
    output = reproduced.run("dvc", "exp", "run", "-S", "blur.sigma=20", "-S", f"+arms.extra.other={arm}")
    of_blur = {"blur", "audit@blur", "train-blur", "detect@blur"}
    assert ran(output) == of_blur | {f"{stage}@other" for stage in EXTRA_STAGES} | {"evaluate"}
    assert "other: blurred_by_facade 1, " in output
    assert "blur.sigma" in reproduced.run("dvc", "params", "diff")
    assert "golden.json" in reproduced.run("dvc", "metrics", "diff", "--all")
    shown = json.loads(reproduced.run("dvc", "exp", "show", "--json"))
    assert len(shown) >= 2
    metrics = reproduced.metrics()
    assert metrics["verdict"]["other_vs_raw"]["verdict"]
    assert metrics["raw"] == before["raw"]
    assert metrics["pseudo"] == before["pseudo"]
    audit = json.loads((reproduced.root / "privacy/other.json").read_text())
    assert audit["coverage"]["untreated"] == 0
    assert "parrot" not in audit["reidentification"]
    assert "other" in (reproduced.root / "report/index.html").read_text()
    reproduced.run("git", "checkout", "-q", ".")
    reproduced.run("dvc", "repro")
    assert reproduced.metrics() == before
    assert not (reproduced.root / "detections/other").exists()
    assert reproduced.run("git", "status", "--porcelain", "dvc.lock", "metrics", "plots") == ""


def test_a_face_that_another_program_missed_stops_its_arm(reproduced, other_tool):
    params = reproduced.root / "params.yaml"
    text = params.read_text()
    assert "  extra: {}" in text
    arm = extra("external", str(other_tool))
    params.write_text(text.replace("  extra: {}", f"  extra: {{other: {arm}}}"))
    reproduced.run(sys.executable, "stages/arm.py", "other", PYTHONPATH="src")
    output = reproduced.run(sys.executable, "stages/audit.py", "other", fails=True, PYTHONPATH="src")
    assert "the privacy audit of other failed: 1 untreated face" in output
    output = reproduced.run(sys.executable, "stages/train.py", "other", fails=True, PYTHONPATH="src")
    assert "refusing to train on data/other: its privacy audit failed" in output
    for name in ("data/other", "gates/other.json", "privacy/other.json", "metrics/privacy/other.json"):
        path = reproduced.root / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    reproduced.run("git", "checkout", "-q", ".")


@pytest.mark.slow
def test_a_detail_of_the_audit_retrains_nothing(reproduced):
    output = reproduced.run("dvc", "exp", "run", "-S", "audit.max_reid=50", "-S", "audit.min_face_height=20")
    assert ran(output) == {"audit@blur", "audit@pseudo", "evaluate"}
    printed = json.loads((reproduced.root / "metrics" / "privacy" / "blur.json").read_text())
    assert printed["coverage"]["untreated"] == 0
    assert printed["unlabelled"] == "not measured"
    assert "Privacy audit" in (reproduced.root / "report" / "index.html").read_text()
    reproduced.run("git", "checkout", "-q", ".")
    reproduced.run("dvc", "checkout", "-q")


def test_one_untreated_face_shuts_the_gate(reproduced):
    content = json.loads((reproduced.root / "data" / "blur" / "annotations.json").read_text())
    largest = max(content["annotations"], key=lambda face: face["area"])
    file = next(image["file_name"] for image in content["images"] if image["id"] == largest["image_id"])
    treated, source = (reproduced.root / "data" / name / "images" / file for name in ("blur", "train"))
    raw = source.read_bytes()
    treated.unlink()  # a link into DVC's cache: never written into
    treated.write_bytes(raw)
    python = [sys.executable]
    output = reproduced.run(*python, "stages/audit.py", "blur", fails=True, PYTHONPATH="src")
    assert re.search(rf"the privacy audit of blur failed.*untreated face.*{file}, at x", output)
    assert "Traceback" not in output
    assert json.loads((reproduced.root / "gates" / "blur.json").read_text())["passed"] is False
    printed = json.loads((reproduced.root / "metrics" / "privacy" / "blur.json").read_text())
    assert printed["coverage"]["untreated"] > 0
    output = reproduced.run(*python, "stages/train.py", "blur", fails=True, PYTHONPATH="src")
    assert "refusing to train on data/blur: its privacy audit failed" in output
    reproduced.run("git", "checkout", "-q", ".")
    # The gate is open again; the photographs are not those that it was opened for.
    output = reproduced.run(*python, "stages/train.py", "blur", fails=True, PYTHONPATH="src")
    assert "belongs to other photographs" in output
    reproduced.run("dvc", "checkout", "-q", "--force")


@pytest.mark.slow
def test_a_secret_makes_other_pseudonyms_and_is_written_nowhere(reproduced):
    secret = secrets.token_hex(16)
    wanted = ("dvc", "exp", "run", "-S", "synthesize.key=mine")
    assert "no secret is set for it" in reproduced.run(*wanted, fails=True, FACADE_KEY="")
    output = reproduced.run(*wanted, FACADE_KEY=secret)
    assert ran(output) == {"synthesize", "audit@pseudo", "train-pseudo", "detect@pseudo", "evaluate"}
    files = [path for path in reproduced.root.parent.rglob("*") if path.is_file()]
    assert len(files) > 100
    assert not [path for path in files if secret.encode() in path.read_bytes()]
    reproduced.run("git", "checkout", "-q", ".")
    reproduced.run("dvc", "checkout", "-q")


@pytest.mark.slow
def test_shards_give_the_metrics_of_files_to_the_byte(reproduced):
    names = ("metrics/golden.json", "metrics/privacy/blur.json", "metrics/privacy/pseudo.json", "report/misses.json")
    before = {name: (reproduced.root / name).read_bytes() for name in names}
    models = {path.name: path.read_bytes() for path in (reproduced.root / "models").rglob("*.pth")}
    output = reproduced.run("dvc", "exp", "run", "-S", "ingest.store=shards")
    assert ran(output) >= {"ingest", "raw", "blur", "synthesize", "train-raw", "detect@pseudo", "evaluate"}
    for name in ("train", "golden", "raw", "blur", "pseudo", "patches"):
        assert not (reproduced.root / "data" / name / "images").exists()
        assert list((reproduced.root / "data" / name / "shards").glob("*.tar"))
    assert {name: (reproduced.root / name).read_bytes() for name in names} == before
    assert {path.name: path.read_bytes() for path in (reproduced.root / "models").rglob("*.pth")} == models
    reproduced.run("git", "checkout", "-q", ".")
    reproduced.run("dvc", "checkout", "-q")


@pytest.mark.slow
def test_without_a_raw_arm_the_anonymized_ones_are_compared(reproduced):
    output = reproduced.run("dvc", "exp", "run", "-S", "arms.raw=false")
    assert ran(output) == {"raw", "train-raw", "detect@raw", "evaluate"}
    metrics = reproduced.metrics()
    assert "raw" not in metrics
    assert list(metrics["verdict"])[3:] == ["blur_vs_pseudo"]
    assert "No raw arm was trained" in (reproduced.root / "report" / "index.html").read_text()
    reproduced.run("git", "checkout", "-q", ".")
    reproduced.run("dvc", "checkout", "-q")


@pytest.mark.slow
def test_controls_are_arms_of_their_own(reproduced):
    names = ("recode", "decoy", "drop")
    added = [word for name in names for word in ("-S", f"+arms.extra.{name}={extra(name)}")]
    output = reproduced.run("dvc", "exp", "run", *added)
    assert ran(output) == {f"{stage}@{arm}" for stage in EXTRA_STAGES for arm in names} | {"evaluate"}
    metrics = reproduced.metrics()
    assert set(metrics["ablations"]) == {"recode_vs_raw", "decoy_vs_raw", "drop_vs_raw"}
    assert set(metrics["patch_false_positives"]) == {"raw", "blur", "pseudo", "recode", "decoy", "drop"}
    reproduced.run("git", "checkout", "-q", ".")
    reproduced.run("dvc", "checkout", "-q")


EXTRA_STAGES = ("arm", "audit-arm", "train-arm", "detect-arm")


def extra(treatment: str, photographs: str = "data/train", settings: str = "{}") -> str:
    return f"{{treatment: {treatment}, photographs: {photographs}, settings: {settings}}}"


@pytest.mark.slow
def test_an_arm_with_settings_of_its_own(reproduced):
    output = reproduced.run("dvc", "exp", "run", "-S", f"+arms.extra.mild={extra('blur', settings='{sigma: 2}')}")
    assert ran(output) == {f"{stage}@mild" for stage in EXTRA_STAGES} | {"evaluate"}
    mild, blur = (reproduced.root / "data" / name / "images" for name in ("mild", "blur"))
    assert any((mild / path.name).read_bytes() != path.read_bytes() for path in blur.iterdir())
    reproduced.run("git", "checkout", "-q", ".")
    reproduced.run("dvc", "checkout", "-q")


@pytest.fixture(scope="module")
def queued(reproduced) -> str:
    """What DVC printed when it ran an experiment from its queue, by the name of queued."""
    reproduced.run("dvc", "exp", "run", "--queue", "-n", "queued", "-S", "evaluate.iou=0.4")
    return reproduced.run("dvc", "exp", "run", "--run-all")


@pytest.mark.slow
def test_a_queued_experiment_runs_the_code_of_its_own_copy(reproduced, queued):
    assert ran(queued) == {"evaluate"}, queued
    shown = reproduced.run("dvc", "exp", "show", "--csv")
    assert "queued" in shown
    assert "Failed" not in shown


def test_a_review_tells_what_a_change_does_without_any_data(reproduced, tmp_path):
    """In a clone that holds what git keeps alone, as on a machine that reviews pull requests."""
    reviewer = reproduced.cloned(tmp_path / "review")
    review = (sys.executable, "-m", "facade", "review")
    assert "up to date" in reviewer.run(*review, "--check")
    printed = reviewer.run(*review, "--base", "main")
    assert "No verdict got worse" in printed
    assert "**Parameters**: no changes" in printed

    reviewer.run("git", "checkout", "-q", "-b", "change")
    reviewer.change(evaluate={"margin": 0.5}, audit={"max_reid": 60})
    results = json.loads((reviewer.root / "results/golden.json").read_text())
    results["pseudo"]["AP50"] = 0.125
    (reviewer.root / "results/golden.json").write_text(json.dumps(results))
    reviewer.commit()
    # What comes to main since is not this change's doing.
    reviewer.run("git", "checkout", "-q", "main")
    reviewer.change(blur={"sigma": 3})
    reviewer.commit()
    reviewer.run("git", "checkout", "-q", "change")
    printed = reviewer.run(*review, "--base", "main", "--report", "https://example.org/report")
    assert printed.startswith("<!-- facade review -->")
    assert "**The committed results are stale**: `audit@blur`, `audit@pseudo`" in printed
    assert "`evaluate.margin` was loosened** (0.03, now 0.5)" in printed
    assert "`audit.max_reid` was loosened** (5, now 60)" in printed
    assert "→ 0.125" in printed
    assert "| params.yaml | evaluate.margin | 0.03" in printed
    assert "blur.sigma" not in printed
    assert "[Report](https://example.org/report)" in printed
    assert "would re-run" in reviewer.run(*review, "--check", fails=True)
    assert "cannot find a merge base with nowhere" in reviewer.run(*review, "--base", "nowhere", fails=True)


@pytest.mark.slow
@pytest.mark.usefixtures("queued")
def test_data_models_and_experiments_go_to_a_colleague_through_s3(reproduced, s3, tmp_path):
    """A real S3 server: push, clone elsewhere, pull what is there and run nothing; carry an experiment over."""
    bucket, address = s3
    hub = tmp_path / "hub.git"
    reproduced.run("git", "clone", "-q", "--bare", str(reproduced.root), str(hub))
    reproduced.run("git", "remote", "add", "hub", str(hub))
    colleague = reproduced.cloned(tmp_path / "colleague")
    colleague.run("git", "remote", "set-url", "origin", str(hub))
    # A colleague's machine has another cache of what DVC knows.
    colleague.environment["DVC_SITE_CACHE_DIR"] = str(tmp_path / "site")
    for one in (reproduced, colleague):
        one.environment |= S3_KEYS
        one.run("make", "remote", f"REMOTE=s3://{bucket}/facade", *MAKE)
        one.run("dvc", "remote", "modify", "--local", "storage", "endpointurl", address)
    try:
        reproduced.run("dvc", "push")
        output = colleague.run("dvc", "repro", "--pull", "--allow-missing")
        assert ran(output) == set()
        colleague.run("dvc", "pull", "data/raw", "report")
        assert len(Photographs(colleague.root / "data/raw")) == TINY["demo"]["train"]
        assert (colleague.root / "report/index.html").read_bytes() == (
            reproduced.root / "report/index.html"
        ).read_bytes()

        reproduced.run("dvc", "exp", "push", "hub", "queued")
        assert "queued" in colleague.run("dvc", "exp", "list", "origin")
        colleague.run("dvc", "exp", "pull", "origin", "queued")
        theirs = colleague.outcome_of("queued")
        assert "  iou: 0.4 " in theirs[0]
        assert theirs == reproduced.outcome_of("queued")
        reproduced.run("dvc", "checkout", "-q")
    finally:
        reproduced.run("git", "remote", "remove", "hub")
        (reproduced.root / ".dvc/config.local").unlink()


def test_a_folder_is_a_remote_at_once(reproduced, tmp_path):
    reproduced.run("make", "remote", f"REMOTE={tmp_path / 'storage'}", *MAKE)
    reproduced.run("dvc", "push", "detect@blur")
    assert list((tmp_path / "storage").rglob("*.dir"))
    (reproduced.root / ".dvc/config.local").unlink()


def test_dvc_draws_the_curves(reproduced):
    reproduced.run("dvc", "plots", "show", "--out", "report")
    page = (reproduced.root / "report" / "index.html").read_text()
    for title in ("Precision and recall on the golden set", "Training loss, mean over the seeds"):
        assert title in page
    assert page.count('"recall"') > 2
    subprocess.run(["rm", "-rf", str(reproduced.root / "report")], check=True)


def test_a_wrong_parameter_gets_a_sentence(reproduced):
    output = reproduced.run("dvc", "exp", "run", "-S", "blur.sigma=-1", fails=True)
    assert "params.yaml has invalid values: blur.sigma: Input should be greater than 0" in output
    assert "Traceback" not in output
    reproduced.run("git", "checkout", "-q", ".")
    reproduced.run("dvc", "checkout", "-q")


@pytest.mark.slow
def test_two_forced_runs_give_byte_identical_metrics(reproduced):
    before = {path: path.read_bytes() for path in sorted(reproduced.root.glob("metrics/*.json"))}
    lock = (reproduced.root / "dvc.lock").read_bytes()
    reproduced.run("dvc", "repro", "--force")
    assert {path: path.read_bytes() for path in before} == before
    assert (reproduced.root / "dvc.lock").read_bytes() == lock, "data, models and detections are equal, too"


def test_its_models_anonymize_a_video(reproduced, tmp_path):
    source = tmp_path / "film.mp4"
    write_video(source, draw_video(3, 20, 320, 180, people=2, face=48))
    # A detector of one epoch is sure of nothing: whatever it fires on is treated.
    printed = reproduced.run(sys.executable, "-m", "facade", "anonymize", str(source), str(tmp_path / "out.mp4"),
                          "--detector", "models/pseudo", "--min-score", "0.011", "--synthetic",
                          PYTHONPATH="src")  # fmt: skip
    counts = json.loads((tmp_path / "out.mp4.json").read_text())["counts"]
    assert counts["pictures"] == 20
    assert counts["faces"] > 0, printed
    assert not list(tmp_path.glob(".out*"))


@pytest.mark.slow
def test_training_with_misses_is_compared_with_training_with_others(reproduced, tmp_path):
    printed = reproduced.run(sys.executable, "-m", "facade", "experiment", "misses", str(tmp_path), PYTHONPATH="src")
    assert f"wrote {tmp_path / 'misses.md'}" in printed
    counts = json.loads((tmp_path / "misses.json").read_text())["counts"]
    assert counts["misses"] >= counts["photographs"] > 0
    assert 0 < counts["random"] <= counts["photographs"]
    assert counts["photographs"] + counts["random"] - counts["pool"] <= counts["shared"] <= counts["random"]
    assert reproduced.run("git", "status", "--porcelain") == ""


@pytest.mark.slow
def test_training_for_a_camera_is_compared_with_training_for_none(reproduced, tmp_path):
    printed = reproduced.run(
        sys.executable, "-m", "facade", "experiment", "domain", str(tmp_path), "grey", PYTHONPATH="src"
    )
    assert f"wrote {tmp_path / 'domain.md'}" in printed
    content = json.loads((tmp_path / "domain.json").read_text())
    assert set(content["tests"]) == {"as they are", "grey"}
    for test in content["tests"].values():
        assert set(test["AP50"]) == {"generic", "half and half", "grey"}
        assert len(test["differences"]) == 6
    assert reproduced.run("git", "status", "--porcelain") == ""


@pytest.mark.slow
def test_accepted_misses_join_the_anonymized_arms(reproduced, tmp_path):
    pool = tmp_path / "pool"
    params = load()
    wanted = params.demo.model_copy(update={**TINY["demo"], "seed": 7, "train": 6, "golden": 2})
    write_demo(wanted, params.codec, pool, workers=1)
    facade = (sys.executable, "-m", "facade", "misses")
    printed = reproduced.run(*facade, "harvest", str(pool), "--accept", "--share", "0.1", PYTHONPATH="src")
    assert "misses in" in printed
    entries = read_ledger(reproduced.root / "misses").entries
    assert entries
    output = reproduced.run("dvc", "repro")
    arms = {f"{stage}{arm}" for stage in ("audit@", "train-", "detect@") for arm in ("blur", "pseudo")}
    assert ran(output) == {"ingest", "blur", "synthesize", "evaluate"} | arms
    raw = len(Photographs(reproduced.root / "data/raw"))
    for arm in ("blur", "pseudo"):
        assert len(Photographs(reproduced.root / "data" / arm)) == raw + len(entries)
    counts = json.loads((reproduced.root / "metrics/ingest.json").read_text())
    assert counts["misses"]["photographs"] == len(entries)
    refused = reproduced.run(*facade, "harvest", "data/demo", PYTHONPATH="src")
    assert refused.count("golden") >= 5, "the demo's own golden photographs are refused"
    subprocess.run(["rm", "-rf", str(reproduced.root / "misses/images")], check=True)
    assert "dvc checkout" in reproduced.run("dvc", "repro", "--force", "--single-item", "ingest", fails=True)
    reproduced.run("git", "checkout", "-q", ".")
    reproduced.run("dvc", "checkout", "-q", "--force")
