"""What do known misses gain?   facade experiment misses experiments [POOL]   (make misses)

Round 0 is the committed experiment. Its models run on a field pool; round 1 trains the pseudonymized arm with the
photographs in which they miss faces. The control trains with the same number of random photographs of the pool instead.
All three are compared on the golden set. The study runs in a clone that shares the DVC cache: neither the ledger nor a
model of this repository changes.
"""

import shutil
import tempfile
from pathlib import Path
from typing import Any

from facade.dataset.layouts import read_labels
from facade.demo.write import write_demo
from facade.errors import FacadeError
from facade.experiments.clone import Clone, log_line
from facade.experiments.rounds import RENDERED_NOTE, compare_rounds, mean_metric, read_rounds, table_rows
from facade.files import write_json, write_text
from facade.measure.golden_evaluation import GoldenEvaluation
from facade.misses.ledger import read_ledger
from facade.params import Params, load

ARM = "pseudo"
PAIRS = (("misses", "round 0"), ("random", "round 0"), ("misses", "random"))
# The rendered field pool is another demo data set: its seed is that of the demo plus this.
SEED_OFFSET = 1

PAGE = """# What do known misses gain?

`make misses` (or `make misses POOL=/data/field`) writes this page.

{note}Round 0 runs on a field pool of {pool} photographs, none of them golden. At least half of its {seeds}
pseudonymized runs miss {misses} faces in {photographs} photographs. Round 1 adds these photographs, anonymized, to the
training set of the pseudonymized arm; the control adds {random} random photographs of the same pool that contain a
face, {shared} of which are among those with misses.
Differences on the golden set, with one-sided limits over photographs and seeds (at `evaluate.alpha`, without correction
for multiple comparisons):

| rounds | metric | difference | low | high |
|---|---|--:|--:|--:|
{rows}

Mean recall at the operating thresholds: {means}.

"misses minus random" separates the effect of the misses from that of more photographs; the more photographs both have
in common, the smaller the difference it can show.
"""


def run_study(source: Path, pool: Path, work: Path, params: Params) -> tuple[GoldenEvaluation, dict[str, int]]:
    """Train with misses and with random photographs, and evaluate all rounds on the golden set.

    Args:
        source: The repository.
        pool: Labelled field photographs.
        work: An empty folder.
        params: All of params.yaml.

    Returns:
        An evaluation with the rounds as arms, and the counts on the page.

    Raises:
        FacadeError: A step fails, or no face is missed.
    """
    clone = Clone(source, work / "clone", f"detect@{ARM}")
    exported = {name: work / name for name in ("round 0", "misses", "random")}
    clone.export(ARM, exported["round 0"])
    log_line(f"round 0 is complete; harvesting {pool}")
    missed = harvest(clone, pool)
    misses = sum(len(entry.misses) for entry in read_ledger(clone.root / "misses").entries)
    if not missed:
        raise FacadeError(f"the models miss no face in {pool}. Use a harder pool.")
    log_line(f"{misses} misses in {len(missed)} photographs; training with them")
    clone.run("dvc", "repro", f"detect@{ARM}")
    clone.export(ARM, exported["misses"])
    control = harvest(clone, pool, "--random", str(len(missed)))
    log_line(f"training with {len(control)} random photographs instead")
    clone.run("dvc", "repro", f"detect@{ARM}")
    clone.export(ARM, exported["random"])
    counts = {
        "pool": len(read_labels(pool).photographs),
        "photographs": len(missed),
        "misses": misses,
        "random": len(control),
        "shared": len(missed & control),
    }
    return read_rounds(clone.root / "data/golden", exported, params), counts


def harvest(clone: Clone, pool: Path, *options: str) -> set[str]:
    """Refill the ledger of a clone; returns the names of its photographs, which are deterministic."""
    shutil.rmtree(clone.root / "misses")
    clone.facade("misses", "harvest", str(pool), "--accept", "--arm", ARM, *options)
    return {entry.photograph.file for entry in read_ledger(clone.root / "misses").entries}


def page(content: dict[str, Any], synthetic: bool) -> str:
    """The results as a page in Markdown."""
    recalls = ", ".join(f"{name} {recall}" for name, recall in content["recall"].items())
    return PAGE.format(
        note=RENDERED_NOTE if synthetic else "",
        rows=table_rows(content["differences"]),
        means=recalls,
        seeds=content["seeds"],
        **content["counts"],
    )


def write_misses_study(into: Path, pool: Path | None) -> None:
    """Run the study, and write `misses.md` and `misses.json`.

    Args:
        into: Output folder.
        pool: Field photographs, or None for rendered ones.
    """
    params = load()
    with tempfile.TemporaryDirectory(prefix="facade-misses-") as folder:
        work = Path(folder)
        field = work / "field" if pool is None else pool.resolve()
        if pool is None:
            write_demo(params.demo.model_copy(update={"seed": params.demo.seed + SEED_OFFSET}), params.codec, field)
        evaluation, counts = run_study(Path.cwd(), field, work, params)
        content = {
            "counts": counts,
            "seeds": len(evaluation.seeds),
            "recall": mean_metric(evaluation, "recall"),
            "differences": compare_rounds(evaluation, PAIRS, params),
        }
    write_json(into / "misses.json", content)
    write_text(into / "misses.md", page(content, pool is None))
    log_line(f"wrote {into / 'misses.md'}")
