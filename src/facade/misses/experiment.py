"""What do known misses buy?   python -m facade.misses.experiment experiments [POOL]   (make misses)

Round 0 is the experiment as it was committed. Its models look at a field pool; round 1 trains the pseudonymized arm
with what they missed. The control trains with as many random photographs of the same pool instead. All three are
compared on the golden set. It works in a clone of its own, on DVC's cache: neither the ledger nor a model here changes.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from facade.dataset.calibration import calibration_labels
from facade.dataset.ingest import read_labels
from facade.demo.write import write_demo
from facade.errors import FacadeError
from facade.files import read_json, write_json, write_text
from facade.measure.compare import RECALL, Comparison, compare_pairs, four_digits
from facade.measure.study import Study, read_study
from facade.misses.ledger import read_ledger
from facade.params import Params, load

ARM = "pseudo"
ROUNDS = ("round 0", "misses", "random")
PAIRS = (("misses", "round 0"), ("random", "round 0"), ("misses", "random"))
MEASURED = ("AP50", RECALL)
# A drawn field pool has as many photographs as the drawn training set, from the next seed.
NEXT_SEED = 1

PAGE = """# What do known misses buy?

`make misses` (or `make misses POOL=/data/field`) writes this page.

{where}Round 0 looks at a field pool of {pool} photographs, none of them golden. Half or more of its {seeds}
pseudonymized runs miss {misses} faces in {photographs} photographs. Round 1 trains the pseudonymized arm with these,
anonymized, besides its own; the control trains with {random} random photographs of the same pool that hold a face.
On the golden set, with one-sided limits over photographs and seeds (`evaluate.alpha`, each comparison by itself):

| rounds | metric | difference | low | high |
|---|---|--:|--:|--:|
{rows}

Mean recall at the operating thresholds: {means}.

Misses against random tells whether it is the misses that help, or any further photograph.
"""


class Clone:
    """A clone of the repository, as it was committed, that shares DVC's cache."""

    def __init__(self, source: Path, root: Path) -> None:
        """Clone, and check out what the committed experiment made.

        Raises:
            FacadeError: git or DVC refuses, as when the experiment was never run here.
        """
        self.root = root
        _run(source, "git", "clone", "--quiet", "--no-hardlinks", str(source), str(root))
        cache = _run(source, "dvc", "cache", "dir").strip()
        self.run("dvc", "cache", "dir", "--local", cache)
        self.run("dvc", "checkout", "--quiet")

    def run(self, *command: str) -> str:
        """Run a command in it.

        Raises:
            FacadeError: It fails.
        """
        return _run(self.root, *command)

    def harvest(self, pool: Path, *more: str) -> int:
        """Fill the ledger anew; how many photographs came in."""
        shutil.rmtree(self.root / "misses")
        command = [sys.executable, "-m", "facade", "misses", "harvest", str(pool), "--accept", "--arm", ARM, *more]
        self.run(*command)
        return len(read_ledger(self.root / "misses").entries)

    def keep(self, into: Path) -> None:
        """Keep what the arm's models detect, and its labels."""
        shutil.copytree(self.root / "detections" / ARM, into / "detections")
        shutil.copyfile(self.root / "data" / ARM / "annotations.json", into / "annotations.json")


def experiment(source: Path, pool: Path, work: Path, params: Params) -> tuple[Study, dict[str, int]]:
    """Train with misses, and with random photographs; what all rounds detect in the golden set.

    Args:
        source: The repository.
        pool: Labelled field photographs.
        work: An empty folder.
        params: All of params.yaml.

    Returns:
        The rounds in the place of arms, and counts.

    Raises:
        FacadeError: A step fails, or nothing is missed.
    """
    clone = Clone(source, work / "clone")
    clone.keep(work / "round 0")
    told(f"round 0 is there; harvesting {pool}")
    photographs = clone.harvest(pool)
    misses = sum(len(entry.misses) for entry in read_ledger(clone.root / "misses").entries)
    if not photographs:
        raise FacadeError(f"the models miss nothing in {pool}. Give a harder pool.")
    told(f"{misses} misses in {photographs} photographs; training with them")
    clone.run("dvc", "repro", f"detect@{ARM}")
    clone.keep(work / "misses")
    there = clone.harvest(pool, "--instead", str(photographs))
    told(f"training with {there} random photographs instead")
    clone.run("dvc", "repro", f"detect@{ARM}")
    clone.keep(work / "random")
    labels = {
        name: calibration_labels(read_json(work / name / "annotations.json"), params.evaluate.calibration)
        for name in ROUNDS
    }
    detections = {name: work / name / "detections" for name in ROUNDS}
    truth = read_json(clone.root / "data/golden/annotations.json")
    counts = {"pool": len(read_labels(pool)), "photographs": photographs, "misses": misses, "random": there}
    return read_study(truth, labels, detections, params.evaluate), counts


def compared(study: Study, params: Params) -> list[Comparison]:
    """The rounds against each other, each with limits of one comparison."""
    found = compare_pairs(study, dict.fromkeys(PAIRS, 1), params.evaluate, planned=False)
    return sorted((one for one in found if one.metric in MEASURED), key=lambda one: MEASURED.index(one.metric))


def summary(study: Study, counts: dict[str, int], differences: Sequence[Comparison]) -> dict[str, Any]:
    """What came out, for a JSON file."""
    means = {}
    for name in ROUNDS:
        recalls = [outcome.metrics["recall"] for outcome in study.outcomes[name]]
        known = [value for value in recalls if value is not None]
        means[name] = {"recall": four_digits(sum(known) / len(known) if known else None)}
    told_differences = [
        {
            "rounds": f"{one.first} minus {one.second}",
            "metric": one.metric,
            "difference": four_digits(one.difference.seen),
            "low": four_digits(one.verdict.low),
            "high": four_digits(one.verdict.high),
        }
        for one in differences
    ]
    return {"counts": counts, "seeds": len(study.seeds), "means": means, "differences": told_differences}


def page(content: dict[str, Any], drawn: bool) -> str:
    """The same for people."""
    counts = content["counts"]
    rows = "\n".join(
        f"| {one['rounds']} | {one['metric']} | {one['difference']} | {one['low']} | {one['high']} |"
        for one in content["differences"]
    )
    means = ", ".join(f"{name} {one['recall']}" for name, one in content["means"].items())
    where = (
        "**Drawn photographs: these numbers prove that the loop works and say nothing about real faces.**\n\n"
        if drawn
        else ""
    )
    return PAGE.format(where=where, rows=rows, means=means, seeds=content["seeds"], **counts)


def told(what: str) -> None:
    """Say how far it is."""
    print(what, flush=True)


def main(into: Path, pool: Path | None) -> None:
    """Run it, and write `misses.md` and `misses.json`.

    Args:
        into: Folder to write into.
        pool: Field photographs, or None for drawn ones.
    """
    params = load()
    with tempfile.TemporaryDirectory(prefix="facade-misses-") as folder:
        work = Path(folder)
        field = work / "field" if pool is None else pool.resolve()
        if pool is None:
            write_demo(params.demo.model_copy(update={"seed": params.demo.seed + NEXT_SEED}), params.codec, field)
        study, counts = experiment(Path.cwd(), field, work, params)
    content = summary(study, counts, compared(study, params))
    write_json(into / "misses.json", content)
    write_text(into / "misses.md", page(content, pool is None))
    told(f"{into / 'misses.md'} is written.")


def _run(where: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=where, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()[-3:]
        raise FacadeError(f"`{' '.join(command[:4])}` failed in {where}: {' '.join(said)}")
    return done.stdout


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
    except (FacadeError, IndexError) as error:
        sys.exit(f"facade: {error}" if isinstance(error, FacadeError) else "facade: name the folder to write into.")
