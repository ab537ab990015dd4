"""What do known misses buy?   python -m facade.experiments.misses_study experiments [POOL]   (make misses)

Round 0 is the experiment as it was committed. Its models look at a field pool; round 1 trains the pseudonymized arm
with what they missed. The control trains with as many random photographs of the same pool instead. All three are
compared on the golden set. It works in a clone of its own, on DVC's cache: neither the ledger nor a model here changes.
"""

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from facade.dataset.ingest import read_labels
from facade.demo.write import write_demo
from facade.errors import FacadeError
from facade.experiments.clone import Clone, told
from facade.experiments.rounds import DRAWN, compared, means, read_rounds, rows
from facade.files import write_json, write_text
from facade.measure.golden_evaluation import Study
from facade.misses.ledger import read_ledger
from facade.params import Params, load

ARM = "pseudo"
PAIRS = (("misses", "round 0"), ("random", "round 0"), ("misses", "random"))
# A drawn field pool has as many photographs as the drawn training set, from the next seed.
NEXT_SEED = 1

PAGE = """# What do known misses buy?

`make misses` (or `make misses POOL=/data/field`) writes this page.

{where}Round 0 looks at a field pool of {pool} photographs, none of them golden. Half or more of its {seeds}
pseudonymized runs miss {misses} faces in {photographs} photographs. Round 1 trains the pseudonymized arm with these,
anonymized, besides its own; the control trains with {random} random photographs of the same pool that hold a face,
{shared} of them among those with misses.
On the golden set, with one-sided limits over photographs and seeds (`evaluate.alpha`, each comparison by itself):

| rounds | metric | difference | low | high |
|---|---|--:|--:|--:|
{rows}

Mean recall at the operating thresholds: {means}.

Misses against random tells whether it is the misses that help, or any further photograph; the more photographs are in
both, the less it can tell.
"""


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
    clone = Clone(source, work / "clone", f"detect@{ARM}")
    kept = {name: work / name for name in ("round 0", "misses", "random")}
    clone.keep(ARM, kept["round 0"])
    told(f"round 0 is there; harvesting {pool}")
    missed = harvest(clone, pool)
    misses = sum(len(entry.misses) for entry in read_ledger(clone.root / "misses").entries)
    if not missed:
        raise FacadeError(f"the models miss nothing in {pool}. Give a harder pool.")
    told(f"{misses} misses in {len(missed)} photographs; training with them")
    clone.run("dvc", "repro", f"detect@{ARM}")
    clone.keep(ARM, kept["misses"])
    instead = harvest(clone, pool, "--instead", str(len(missed)))
    told(f"training with {len(instead)} random photographs instead")
    clone.run("dvc", "repro", f"detect@{ARM}")
    clone.keep(ARM, kept["random"])
    counts = {
        "pool": len(read_labels(pool)),
        "photographs": len(missed),
        "misses": misses,
        "random": len(instead),
        "shared": len(missed & instead),
    }
    return read_rounds(clone.root / "data/golden", kept, params), counts


def harvest(clone: Clone, pool: Path, *more: str) -> set[str]:
    """Fill a clone's ledger anew; the names of the photographs that came in, which are the same each time."""
    shutil.rmtree(clone.root / "misses")
    clone.facade("misses", "harvest", str(pool), "--accept", "--arm", ARM, *more)
    return {entry.photograph.file for entry in read_ledger(clone.root / "misses").entries}


def page(content: dict[str, Any], drawn: bool) -> str:
    """What came out, for people."""
    recalls = ", ".join(f"{name} {recall}" for name, recall in content["recall"].items())
    return PAGE.format(
        where=DRAWN if drawn else "",
        rows=rows(content["differences"]),
        means=recalls,
        seeds=content["seeds"],
        **content["counts"],
    )


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
        content = {
            "counts": counts,
            "seeds": len(study.seeds),
            "recall": means(study, "recall"),
            "differences": compared(study, PAIRS, params),
        }
    write_json(into / "misses.json", content)
    write_text(into / "misses.md", page(content, pool is None))
    told(f"{into / 'misses.md'} is written.")


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
    except (FacadeError, IndexError) as error:
        sys.exit(f"facade: {error}" if isinstance(error, FacadeError) else "facade: name the folder to write into.")
