"""Many treatments against raw, on one data set, in one run.   python -m facade.experiments.treatment_study widerface -S ...

(make study STUDY=widerface) What is compared stands in experiments/studies.yaml: rows, each an arm with parameters of
its own. Every row goes through the stages of dvc.yaml, in a folder of its own under .work/study/<name>, with the data,
the golden set and the start that all rows share; what a killed run had finished stays finished. Where a row says so,
each seed gets pseudonyms of a key of its own, so that one lucky draw of pseudonyms is not the answer. Written:
<name>.json, <name>.md and <name>.png.
"""

import argparse
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
from facade.dataset.store import content_of
from facade.errors import FacadeError
from facade.experiments.clone import told
from facade.experiments.study_results import measure_rows, page, plane_points
from facade.files import read_json, write_json, write_text
from facade.off import switch_off
from facade.params import load
from facade.report.plane import draw_plane
from facade.report.style import save
from facade.secret_key import DEMO, read_key

STUDIES, WORK = Path("experiments/studies.yaml"), Path(".work/study")
# The stage that makes each arm's photographs.
TREATS = {"raw": "raw", "blur": "blur", "pseudo": "synthesize", "drop": "raw"}
# What a stage runs.
CODE = ("src", "stages", "misses")
# What rows take from the base before they are trained.
TREATED_FROM = (
    "data/train", "data/golden", "data/patches", "data/misses", "data/also-treat.json", "data/unlabelled.json",
    "models/attacker",
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One arm of a study.

    Attributes:
        name: Of the row.
        arm: Of the experiment: raw, blur, pseudo or drop.
        settings: Parameters of its own, by dotted name.
        key_per_seed: Whether the pseudonyms of each seed come from another key.
        seeds: Its seeds; those of the study by default.
    """

    name: str
    arm: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    key_per_seed: bool = False
    seeds: tuple[int, ...] = ()

    @property
    def parts(self) -> list[tuple[str, tuple[int, ...]]]:
        """Folders that it is trained in, each with its seeds."""
        if not self.key_per_seed:
            return [(self.slug, self.seeds)]
        return [(f"{self.slug}-seed-{seed}", (seed,)) for seed in self.seeds]

    @property
    def slug(self) -> str:
        """Its name as a folder's."""
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")


@dataclass(frozen=True)
class Study:
    """Rows that are compared with the first.

    Attributes:
        name: Of the study.
        question: What it answers.
        settings: Parameters of all rows, by dotted name.
        rows: The first is the reference.
    """

    name: str
    question: str
    settings: Mapping[str, Any]
    rows: tuple[Row, ...]


def read_study_file(name: str, path: Path = STUDIES) -> Study:
    """Read a study.

    Raises:
        FacadeError: There is none of that name, or it is not written as one is.
    """
    try:
        content = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
        if name not in content:
            raise FacadeError(f"{path} has no study {name!r}. There are {', '.join(content)}.")
        one = content[name]
        rows = []
        for row_name, row in one["rows"].items():
            unknown = set(row) - {"arm", "settings", "key_per_seed", "seeds"}
            if unknown or row["arm"] not in TREATS:
                raise FacadeError(
                    f"{path}: row {row_name} of {name} has {sorted(unknown) or row['arm']}, unknown here."
                )
            rows.append(
                Row(row_name, row["arm"], row.get("settings", {}), row.get("key_per_seed", False),
                    tuple(row.get("seeds", one["seeds"])))
            )  # fmt: skip
        slugs = [slug for row in rows for slug, _ in row.parts]
        if clash := sorted({slug for slug in slugs if slugs.count(slug) > 1 or slug in ("base", "rows", "code")}):
            raise FacadeError(f"{path}: rows of {name} would share the folder {clash[0]}. Name them apart.")
        return Study(name, one["question"], one["settings"], tuple(rows))
    except (OSError, YAMLError, KeyError, TypeError, AttributeError) as error:
        raise FacadeError(f"{path} cannot be read ({type(error).__name__}: {error}). Mend it.") from None


def set_parameters(source: Path, settings: Mapping[str, Any], into: Path) -> None:
    """Write a params.yaml with other values.

    Raises:
        FacadeError: There is no such parameter.
    """
    yaml = YAML()
    content = yaml.load(source.read_text(encoding="utf-8"))
    for name, value in settings.items():
        *sections, last = name.split(".")
        place = content
        for section in sections:
            place = place.get(section, {}) if isinstance(place, dict) else {}
        if not isinstance(place, dict) or last not in place:
            raise FacadeError(f"params.yaml has no {name}.")
        place[last] = value
    with into.open("w", encoding="utf-8") as text:
        yaml.dump(content, text)


# Code that no stage of a study runs, and parameters that only score: what is changed there trains nothing anew.
UNUSED, SCORING = ("experiments", "footage", "misses", "report"), ("evaluate", "report")


class Folder:
    """A folder in which stages run, with parameters of its own.

    Args:
        root: The folder.
        code: Holds `src`, `stages`, `misses` and `params.yaml`.
        settings: Parameters that are other than there, by dotted name.
        secret: The key's; None for the demo's.
    """

    def __init__(self, root: Path, code: Path, settings: Mapping[str, Any], secret: str | None) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        for name in CODE:
            link(code / name, root / name)
        set_parameters(code / "params.yaml", settings, root / "params.yaml")
        self._secret = secret

    def _state(self, script: str) -> str:
        """What a stage depends on: its code and its parameters."""
        content = YAML(typ="safe", pure=True).load((self.root / "params.yaml").read_text(encoding="utf-8"))
        calibration = content["evaluate"]["calibration"]
        references = content["evaluate"]["references"] if script == "references" else []
        kept = {name: section for name, section in content.items() if name not in SCORING}
        digest = hashlib.sha256(repr((kept, calibration, references)).encode())
        package = (self.root / "src" / "facade").resolve()
        sources = [path for path in package.rglob("*.py") if path.relative_to(package).parts[0] not in UNUSED]
        for source in (*sorted(sources), self.root / "stages" / f"{script}.py"):
            digest.update(source.read_bytes())
        return digest.hexdigest()

    def stage(self, script: str, *arguments: str) -> None:
        """Run a stage, unless it has run with these parameters and this code.

        Raises:
            FacadeError: It fails; its log, `<script>.log`, is named.
        """
        name = "-".join((script, *arguments))
        mark, log = self.root / f".{name}.done", self.root / f"{name}.log"
        state = self._state(script)
        if mark.is_file() and mark.read_text() == state:
            return
        told(f"{self.root.name}: {script} {' '.join(arguments)}")
        environment = os.environ | {"PYTHONPATH": "src"} | ({"FACADE_KEY": self._secret} if self._secret else {})
        with log.open("w") as text:
            command = [sys.executable, f"stages/{script}.py", *arguments]
            done = subprocess.run(command, cwd=self.root, env=environment, stdout=text, stderr=text, check=False)  # noqa: S603 - our own
        if done.returncode:
            last = log.read_text(errors="replace").strip().splitlines()[-1:]
            raise FacadeError(f"{script} failed in {self.root}: {' '.join(last)[-400:]} ({log})")
        write_text(mark, state)


def link(target: Path, place: Path) -> None:
    """A symbolic link, made anew."""
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.is_symlink():
        place.unlink()
    place.symlink_to(target.resolve(), target_is_directory=target.is_dir())


def copied(repository: Path, into: Path) -> str:
    """Copy the code that a study runs, so that edits do not mix versions; the commit, and whether it had changes.

    Raises:
        FacadeError: This is no git repository.
    """
    into.mkdir(parents=True, exist_ok=True)
    for name in CODE:
        shutil.rmtree(into / name, ignore_errors=True)
        shutil.copytree(repository / name, into / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(repository / "params.yaml", into / "params.yaml")
    commit = run(["git", "rev-parse", "--short", "HEAD"], repository).strip()
    changed = run(["git", "status", "--porcelain", "--untracked-files=no"], repository).strip()
    return f"{commit} with changes" if changed else commit


def run_study(study: Study, overrides: Mapping[str, Any], code: Path, work: Path, jobs: int) -> dict[str, Path]:
    """Run all stages of all rows.

    Args:
        study: What is compared.
        overrides: Parameters of this machine: where data and weights are.
        code: From `copied`.
        work: Where it works, and where what is finished is kept.
        jobs: Rows side by side; each trains one run at a time.

    Returns:
        By row, a folder with `detections/{golden,calibration}/seed-<n>.json`, `model.json` and, of an anonymized arm,
        `privacy.json`.

    Raises:
        FacadeError: A stage fails, or a secret is missing.
    """
    settings = {**study.settings, **overrides, "train.devices": 1}
    secret = None
    if settings.get("synthesize.key", DEMO) != DEMO:
        secret = read_key(str(settings["synthesize.key"]), synthetic=False)
    elif any(row.key_per_seed for row in study.rows):
        raise FacadeError("a row wants a key for each seed, and synthesize.key is demo. Set one, as in study.")
    base = Folder(work / "base", code, {**settings, "train.seeds": [0]}, secret)
    for script in ("ingest", "unlabelled", "attacker"):
        base.stage(script)
    switch_off(base.root / "data/patches", "a study looks at no patches")
    with ThreadPoolExecutor(jobs) as pool, ThreadPoolExecutor(1) as beside:
        # While the start is trained, the rows' photographs are treated and audited.
        start = beside.submit(_start, base)
        parts = [(row, name, seeds) for row in study.rows for name, seeds in row.parts]
        treated = [pool.submit(_treat, row, name, seeds, settings, code, work, secret) for row, name, seeds in parts]
        folders = [one.result() for one in treated]
        start.result()
        trained = [pool.submit(_train, row, folder, work) for (row, _, _), folder in zip(parts, folders, strict=True)]
        done = [(row, one.result()) for (row, _, _), one in zip(parts, trained, strict=True)]
    return {row.name: _gathered(row, [root for one, root in done if one is row], work) for row in study.rows}


def _start(base: Folder) -> None:
    for script in ("pretrain", "references"):
        base.stage(script)


def _treat(
    row: Row,
    name: str,
    seeds: tuple[int, ...],
    settings: Mapping[str, Any],
    code: Path,
    work: Path,
    secret: str | None,
) -> Folder:
    own = {**settings, **row.settings, "train.seeds": list(seeds)}
    if row.arm == "drop":
        own["arms.drop"] = True
    if row.key_per_seed and secret is not None:
        own["synthesize.key"] = f"{own['synthesize.key']}-{seeds[0]}"
        secret = hashlib.sha256(f"{secret} {seeds[0]}".encode()).hexdigest()
    folder = Folder(work / name, code, own, secret)
    for shared in TREATED_FROM:
        link(work / "base" / shared, folder.root / shared)
    folder.stage(TREATS[row.arm])
    if row.arm in ("blur", "pseudo"):
        folder.stage("audit", row.arm)
    return folder


def _train(row: Row, folder: Folder, work: Path) -> Path:
    link(work / "base/models/start", folder.root / "models/start")
    folder.stage("train", row.arm)
    folder.stage("detect", row.arm)
    return folder.root


def _gathered(row: Row, parts: Sequence[Path], work: Path) -> Path:
    """What the parts of a row found, as one arm's."""
    into = work / "rows" / row.slug
    shutil.rmtree(into, ignore_errors=True)
    for part in parts:
        shutil.copytree(part / "detections" / row.arm, into / "detections", dirs_exist_ok=True)
        measured = part / "metrics/privacy" / f"{row.arm}.json"
        # Of several keys, that of the pseudonyms of which most are linked.
        if measured.is_file() and linked(measured) >= linked(into / "privacy.json"):
            shutil.copyfile(measured, into / "privacy.json")
        curve = part / "plots/calibration" / f"{row.arm}.csv"
        if curve.is_file():
            shutil.copyfile(curve, into / f"calibration-{part.name}.csv")
    calibration = load(parts[0] / "params.yaml").evaluate.calibration
    write_json(into / "labels.json", calibration_labels(content_of(parts[0] / "data" / row.arm), calibration))
    return into


def parsed(assignments: Sequence[str]) -> dict[str, Any]:
    """Parameters from the command line, `section.name=value`, the value in YAML.

    Raises:
        FacadeError: One is none.
    """
    values = {}
    for one in assignments:
        name, equals, value = one.partition("=")
        if not equals:
            raise FacadeError(f"-S {one} sets nothing; write it as section.name=value.")
        try:
            values[name] = YAML(typ="safe", pure=True).load(value)
        except YAMLError:
            raise FacadeError(f"-S {one}: the value is no YAML.") from None
    return values


def main() -> None:
    """Run a study and write its results."""
    parser = argparse.ArgumentParser(
        prog="python -m facade.experiments.treatment_study", description=__doc__.splitlines()[0]
    )
    parser.add_argument("name", help="of the study, in experiments/studies.yaml")
    parser.add_argument("-S", dest="set", action="append", default=[], metavar="section.name=value",
                        help="a parameter of this machine: ingest.path, weights, folders")  # fmt: skip
    parser.add_argument("--jobs", type=int, default=2, help="rows side by side (2)")
    parser.add_argument("--into", type=Path, default=Path("experiments"), help="folder to write into")
    wanted = parser.parse_args()
    repository, study = Path.cwd(), read_study_file(wanted.name)
    work = repository / WORK / study.name
    commit = copied(repository, work / "code")
    rows = run_study(study, parsed(wanted.set), work / "code", work, wanted.jobs)
    params = load(work / "base" / "params.yaml")
    references = {path.stem: read_json(path) for path in sorted((work / "base/detections/references").glob("*.json"))}
    content = measure_rows(rows, content_of(work / "base/data/golden"), references, params.evaluate)
    content["arms"] = {row.name: {"arm": row.arm, **content["arms"][row.name]} for row in study.rows}
    head = {"study": study.name, "question": study.question, "commit": commit}
    write_json(wanted.into / f"{study.name}.json", head | content)
    arms = {row.name: row.arm for row in study.rows}
    drawn = plane_points(content, arms, {row.name: read_privacy(rows[row.name]) for row in study.rows})
    if drawn:
        save(draw_plane(drawn), wanted.into / f"{study.name}.png")
    write_text(wanted.into / f"{study.name}.md", page(head, content, wanted.name, bool(drawn)))
    told(f"{wanted.into / study.name}.md is written.")


def linked(path: Path) -> float:
    """Share of faces that recognition links in an audit; -1 where it was not measured."""
    found = read_json(path).get("reidentification") if path.is_file() else None
    return float(found["recognition"]["rank1"]) if isinstance(found, dict) else -1.0


def read_privacy(folder: Path) -> dict[str, Any]:
    """What the audit of a row found; empty where there was none."""
    path = folder / "privacy.json"
    return dict(read_json(path)) if path.is_file() else {}


if __name__ == "__main__":
    try:
        main()
    except FacadeError as error:
        sys.exit(f"facade: {error}")
