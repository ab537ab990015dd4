"""Many treatments against raw, on one data set, in one run.   (make study STUDY=widerface)

facade experiment study widerface -S ...

Studies are defined in experiments/studies.yaml: rows, each an arm with its own parameters.
Every row runs the stages of dvc.yaml in its own folder under .work/study/<name>; all rows share the data, the golden
set and the initial weights. An interrupted study resumes where it stopped. Optionally, each seed of a row gets
pseudonyms of a different key, so that the result does not depend on one random set of pseudonyms. Outputs:
<name>.json, <name>.md and <name>.png.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML, YAMLError

from facade.command import run
from facade.dataset.calibration import calibration_labels
from facade.dataset.store import load_coco
from facade.errors import FacadeError
from facade.experiments.clone import log_line
from facade.experiments.study_results import measure_rows, page, plane_points
from facade.files import read_json, write_empty_directory, write_json, write_text
from facade.params import load
from facade.report.plane import draw_plane
from facade.report.style import save
from facade.secret_key import DEMO, read_key
from facade.stage_code import write_digests

STUDIES, WORK = Path("experiments/studies.yaml"), Path(".work/study")
# The stage that writes the photographs of each arm.
TREATMENT_STAGES = {"raw": "raw", "blur": "blur", "pseudo": "synthesize", "drop": "arm"}
# Folders of the repository that stages need.
CODE = ("src", "stages", "misses", "code-digests", "dvc.yaml")
# Files that all rows share before training.
SHARED_FILES = (
    "data/train", "data/golden", "data/patches", "data/misses", "data/extra-boxes.json", "data/unlabelled.json",
    "models/attacker",
)  # fmt: skip


@dataclass(frozen=True)
class StudyRow:
    """One arm of a study.

    Attributes:
        name: Name of the row.
        arm: Arm of the experiment: raw, blur, pseudo or drop.
        settings: Parameters of the row, by dotted name.
        key_per_seed: Whether each seed gets pseudonyms of a different key.
        seeds: Training seeds; those of the study by default.
    """

    name: str
    arm: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    key_per_seed: bool = False
    seeds: tuple[int, ...] = ()

    @property
    def parts(self) -> list[tuple[str, tuple[int, ...]]]:
        """The folders in which the row is trained, each with its seeds."""
        if not self.key_per_seed:
            return [(self.slug, self.seeds)]
        return [(f"{self.slug}-seed-{seed}", (seed,)) for seed in self.seeds]

    @property
    def slug(self) -> str:
        """The name as a folder name."""
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")


@dataclass(frozen=True)
class TreatmentStudy:
    """Rows that are compared with the first.

    Attributes:
        name: Name of the study.
        question: Question that it answers.
        settings: Parameters of all rows, by dotted name.
        rows: The rows; the first is the reference.
    """

    name: str
    question: str
    settings: Mapping[str, Any]
    rows: tuple[StudyRow, ...]


def read_study_file(name: str, path: Path = STUDIES) -> TreatmentStudy:
    """Read a study.

    Raises:
        FacadeError: There is no study of that name, or its definition is invalid.
    """
    try:
        content = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
        if name not in content:
            raise FacadeError(f"{path} has no study {name!r}. Choose one of {', '.join(content)}.")
        one = content[name]
        rows = []
        for row_name, row in one["rows"].items():
            unknown = set(row) - {"arm", "settings", "key_per_seed", "seeds"}
            if unknown or row["arm"] not in TREATMENT_STAGES:
                raise FacadeError(f"{path}: row {row_name} of {name} has unknown {sorted(unknown) or row['arm']}.")
            rows.append(
                StudyRow(row_name, row["arm"], row.get("settings", {}), row.get("key_per_seed", False),
                    tuple(row.get("seeds", one["seeds"])))
            )  # fmt: skip
        slugs = [slug for row in rows for slug, _ in row.parts]
        if clash := sorted({slug for slug in slugs if slugs.count(slug) > 1 or slug in ("base", "rows", "code")}):
            raise FacadeError(f"{path}: rows of {name} would share the folder {clash[0]}. Rename one.")
        return TreatmentStudy(name, one["question"], one["settings"], tuple(rows))
    except (OSError, YAMLError, KeyError, TypeError, AttributeError) as error:
        raise FacadeError(f"{path} cannot be read ({type(error).__name__}: {error}). Correct it.") from None


def set_parameters(source: Path, settings: Mapping[str, Any], into: Path) -> None:
    """Write a params.yaml with changed values.

    Raises:
        FacadeError: There is no such parameter.
    """
    yaml = YAML()
    content = yaml.load(source.read_text(encoding="utf-8"))
    for name, value in settings.items():
        *sections, last = name.split(".")
        parent = content
        for section in sections:
            parent = parent.get(section, {}) if isinstance(parent, dict) else {}
        if not isinstance(parent, dict) or last not in parent:
            raise FacadeError(f"params.yaml has no parameter {name}.")
        parent[last] = value
    with into.open("w", encoding="utf-8") as text:
        yaml.dump(content, text)


# The scripts whose results a script reads; the treatment of an arm comes to the audit and the training.
UPSTREAM: dict[str, tuple[str, ...]] = {
    "unlabelled": ("ingest",), "references": ("ingest",), "raw": ("ingest",), "blur": ("unlabelled",),
    "synthesize": ("unlabelled",), "arm": ("unlabelled",), "audit": ("attacker",), "train": ("audit", "pretrain"),
    "detect": ("train",),
}  # fmt: skip


class StageFolder:
    """A folder in which stages run with their own parameters.

    Args:
        root: The folder.
        code: From `copy_code`.
        settings: Changes to its parameters, by dotted name.
        secret: Secret of the pseudonym key; None for the demo key.
    """

    def __init__(self, root: Path, code: Path, settings: Mapping[str, Any], secret: str | None) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        for name in CODE:
            link(code / name, root / name)
        set_parameters(code / "params.yaml", settings, root / "params.yaml")
        self._secret = secret

    def _state(self, script: str, arm: str) -> str:
        """Hash of the code and the parameters that a stage and those before it depend on, as dvc.yaml names them."""
        yaml = YAML(typ="safe", pure=True)
        content = yaml.load((self.root / "params.yaml").read_text(encoding="utf-8"))
        stages = yaml.load((self.root / "dvc.yaml").read_text(encoding="utf-8"))["stages"].values()
        own = next(one for one in (stage.get("do", stage) for stage in stages) if f"stages/{script}.py" in one["cmd"])
        digest = hashlib.sha256((self.root / "code-digests" / f"{script}.txt").read_bytes())
        for name in own.get("params", ()):
            value = content
            for part in name.partition(".${")[0].split("."):
                value = value[part]
            digest.update(f"{name} {value!r}\n".encode())
        for before in (*UPSTREAM.get(script, ()), *([TREATMENT_STAGES[arm]] if script in ("audit", "train") else [])):
            digest.update(self._state(before, arm).encode())
        return digest.hexdigest()

    def stage(self, script: str, *arguments: str) -> None:
        """Run a stage, unless it has finished with the same parameters and code.

        Raises:
            FacadeError: The stage fails; the message names its log, `<script>.log`.
        """
        name = "-".join((script, *arguments))
        mark, log = self.root / f".{name}.done", self.root / f"{name}.log"
        state = self._state(script, arguments[0] if arguments else "raw")
        if mark.is_file() and mark.read_text() == state:
            return
        log_line(f"{self.root.name}: {script} {' '.join(arguments)}")
        environment = os.environ | {"PYTHONPATH": "src"} | ({"FACADE_KEY": self._secret} if self._secret else {})
        with log.open("w") as text:
            command = [sys.executable, f"stages/{script}.py", *arguments]
            done = subprocess.run(command, cwd=self.root, env=environment, stdout=text, stderr=text, check=False)  # noqa: S603 - our own
        if done.returncode:
            last = log.read_text(errors="replace").strip().splitlines()[-1:]
            raise FacadeError(f"{script} failed in {self.root}: {' '.join(last)[-400:]} ({log})")
        write_text(mark, state)


def link(target: Path, path: Path) -> None:
    """Create or replace a symbolic link."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_symlink():
        path.unlink()
    path.symlink_to(target.resolve(), target_is_directory=target.is_dir())


def copy_code(repository: Path, into: Path) -> str:
    """Copy the code, so that all stages of a study run the same version; returns the commit and whether it is modified.

    Raises:
        FacadeError: This is not a git repository.
    """
    into.mkdir(parents=True, exist_ok=True)
    for name in ("src", "stages", "misses"):
        shutil.rmtree(into / name, ignore_errors=True)
        shutil.copytree(repository / name, into / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copyfile(repository / name, into / name)
    write_digests(into / "stages", into / "code-digests")
    commit = run(["git", "rev-parse", "--short", "HEAD"], repository).strip()
    changed = run(["git", "status", "--porcelain", "--untracked-files=no"], repository).strip()
    return f"{commit} with changes" if changed else commit


def run_study(
    study: TreatmentStudy, overrides: Mapping[str, Any], code: Path, work: Path, jobs: int
) -> dict[str, Path]:
    """Run all stages of all rows.

    Args:
        study: The study.
        overrides: Machine-specific parameters, such as paths of data and weights.
        code: Folder from `copy_code`.
        work: Work folder, which also keeps finished results.
        jobs: Rows in parallel; each trains one run at a time.

    Returns:
        By row, a folder with `detections/{golden,calibration}/seed-<n>.json`, `model.json` and, of an anonymized arm,
        `privacy.json`.

    Raises:
        FacadeError: A stage fails, or the secret is missing.
    """
    settings = {**study.settings, **overrides, "train.devices": 1}
    secret = None
    if settings.get("synthesize.key", DEMO) != DEMO:
        secret = read_key(str(settings["synthesize.key"]), synthetic=False)
    elif any(row.key_per_seed for row in study.rows):
        raise FacadeError(
            "a row has key_per_seed, but synthesize.key is demo. Set it to a secret key, for example study."
        )
    base = StageFolder(work / "base", code, {**settings, "train.seeds": [0]}, secret)
    for script in ("ingest", "unlabelled", "attacker"):
        base.stage(script)
    write_empty_directory(base.root / "data/patches")  # no shortcut test
    with ThreadPoolExecutor(jobs) as pool, ThreadPoolExecutor(1) as background:
        # The rows are treated and audited while the shared initial weights are pretrained.
        start = background.submit(_pretrain, base)
        parts = [(row, name, seeds) for row in study.rows for name, seeds in row.parts]
        treated = [pool.submit(_treat, row, name, seeds, settings, code, work, secret) for row, name, seeds in parts]
        folders = [one.result() for one in treated]
        start.result()
        trained = [pool.submit(_train, row, folder, work) for (row, _, _), folder in zip(parts, folders, strict=True)]
        done = [(row, one.result()) for (row, _, _), one in zip(parts, trained, strict=True)]
    return {row.name: _gather(row, [root for one, root in done if one is row], work) for row in study.rows}


def _pretrain(base: StageFolder) -> None:
    for script in ("pretrain", "references"):
        base.stage(script)


def _treat(
    row: StudyRow,
    name: str,
    seeds: tuple[int, ...],
    settings: Mapping[str, Any],
    code: Path,
    work: Path,
    secret: str | None,
) -> StageFolder:
    own = {**settings, **row.settings, "train.seeds": list(seeds)}
    if row.arm == "drop":
        own["arms.extra"] = {"drop": {"treatment": "drop", "photographs": "data/train"}}
    if row.key_per_seed and secret is not None:
        own["synthesize.key"] = f"{own['synthesize.key']}-{seeds[0]}"
        secret = hashlib.sha256(f"{secret} {seeds[0]}".encode()).hexdigest()
    folder = StageFolder(work / name, code, own, secret)
    for shared in SHARED_FILES:
        link(work / "base" / shared, folder.root / shared)
    folder.stage(TREATMENT_STAGES[row.arm], *(["drop"] if row.arm == "drop" else []))
    if row.arm != "raw":
        folder.stage("audit", row.arm)
    return folder


def _train(row: StudyRow, folder: StageFolder, work: Path) -> Path:
    link(work / "base/models/start", folder.root / "models/start")
    folder.stage("train", row.arm)
    folder.stage("detect", row.arm)
    return folder.root


def _gather(row: StudyRow, parts: Sequence[Path], work: Path) -> Path:
    """Merge the results of the parts of a row into those of one arm."""
    into = work / "rows" / row.slug
    shutil.rmtree(into, ignore_errors=True)
    for part in parts:
        shutil.copytree(part / "detections" / row.arm, into / "detections", dirs_exist_ok=True)
        report = part / "privacy" / f"{row.arm}.json"
        # Of several keys, the audit with the highest linkage rate.
        if report.is_file() and linkage_rate(report) >= linkage_rate(into / "privacy.json"):
            shutil.copyfile(report, into / "privacy.json")
        curve = part / "plots/calibration" / f"{row.arm}.csv"
        if curve.is_file():
            shutil.copyfile(curve, into / f"calibration-{part.name}.csv")
    calibration = load(parts[0] / "params.yaml").evaluate.calibration
    write_json(into / "labels.json", calibration_labels(load_coco(parts[0] / "data" / row.arm), calibration))
    return into


def parse_assignments(assignments: Sequence[str]) -> dict[str, Any]:
    """Parameters from the command line, `section.name=value`, with the value in YAML.

    Raises:
        FacadeError: An assignment is invalid.
    """
    values = {}
    for one in assignments:
        name, equals, value = one.partition("=")
        if not equals:
            raise FacadeError(f"-S {one} is not an assignment; write section.name=value.")
        try:
            values[name] = YAML(typ="safe", pure=True).load(value)
        except YAMLError:
            raise FacadeError(f"-S {one}: the value is not valid YAML.") from None
    return values


def write_study(name: str, assignments: Sequence[str], jobs: int, into: Path) -> None:
    """Run a study, and write its results: `<name>.json`, `<name>.md` and `<name>.png`.

    Args:
        name: Of the study, in experiments/studies.yaml.
        assignments: Machine-specific parameters, as in `ingest.path=/data/WIDER`.
        jobs: Rows in parallel.
        into: Output folder.

    Raises:
        FacadeError: There is no such study, or a stage fails.
    """
    repository, study = Path.cwd(), read_study_file(name)
    work = repository / WORK / study.name
    commit = copy_code(repository, work / "code")
    rows = run_study(study, parse_assignments(assignments), work / "code", work, jobs)
    params = load(work / "base" / "params.yaml")
    references = {path.stem: read_json(path) for path in sorted((work / "base/detections/references").glob("*.json"))}
    content = measure_rows(rows, load_coco(work / "base/data/golden"), references, params.evaluate)
    content["arms"] = {row.name: {"arm": row.arm, **content["arms"][row.name]} for row in study.rows}
    head = {"study": study.name, "question": study.question, "commit": commit}
    write_json(into / f"{study.name}.json", head | content)
    arms = {row.name: row.arm for row in study.rows}
    points = plane_points(content, arms, {row.name: read_privacy(rows[row.name]) for row in study.rows})
    if points:
        save(draw_plane(points), into / f"{study.name}.png")
    write_text(into / f"{study.name}.md", page(head, content, name, bool(points)))
    log_line(f"wrote {into / study.name}.md")


def linkage_rate(path: Path) -> float:
    """Rank-1 rate of learned linkage in an audit report, or of the recognition attack; -1 if not measured."""
    attacks = read_json(path).get("reidentification") if path.is_file() else None
    if not isinstance(attacks, dict):
        return -1.0
    return float(next((attacks[name]["rank1"] for name in ("learned", "recognition") if name in attacks), -1.0))


def read_privacy(folder: Path) -> dict[str, Any]:
    """The audit report of a row; empty without an audit."""
    path = folder / "privacy.json"
    return dict(read_json(path)) if path.is_file() else {}
