"""What does training for the target camera gain?

facade experiment domain experiments [DOMAIN]   (make domain)

The pseudonymized arm is trained on unmodified photographs, on photographs with the simulated target camera
(`ingest.domain`), and on half of each; each is tested on the unmodified golden set and on the golden set with the
simulated camera. The study runs in a clone that shares the DVC cache.
"""

import tempfile
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from facade.dataset.golden import GoldenSetChangedError
from facade.dataset.ingest import ingest
from facade.dataset.store import load_coco, write_annotations
from facade.errors import FacadeError
from facade.experiments.clone import Clone, log_line
from facade.experiments.rounds import RENDERED_NOTE, compare_rounds, mean_metric, read_rounds, table_rows
from facade.files import read_json, write_json, write_text
from facade.measure.arms import measure_arm
from facade.measure.compare import four_digits
from facade.measure.golden_evaluation import GoldenEvaluation
from facade.measure.wider_protocol import difficulty_levels
from facade.params import Domain, Params, load

ARM = "pseudo"
GENERIC, BOTH = "generic", "half and half"
UNMODIFIED = "as they are"

PAGE = """# What does training for the target camera gain?

`make domain` (or `make domain DOMAIN=fisheye+grey`) writes this page: `ingest.domain` for **{domain}**.

{note}The pseudonymized arm, {seeds} seeds: *{generic}* is trained on unmodified photographs, *{domain}* on
photographs with the simulated camera, *{both}* on either, each photograph being one of the two. Tested on {golden}
golden photographs, unmodified and with the simulated camera:

| trained on | tested on | AP50 | recall at the operating threshold |
|---|---|--:|--:|
{levels}

Differences, with one-sided limits over photographs and seeds (at `evaluate.alpha`, without correction for multiple
comparisons):

| tested on | trained on | metric | difference | low | high |
|---|---|---|--:|--:|--:|
{rows}
"""


def golden_lock(clone: Clone, params: Params, scratch: Path) -> str:
    """The fingerprint of the golden set of a clone with a domain.

    Args:
        clone: The clone with the data.
        params: Parameters with the domain.
        scratch: A folder for temporary files.
    """
    # The fingerprint does not depend on landmarks. The empty lock matches no golden set, so ingest stops.
    settings = params.ingest.model_copy(
        update={"path": clone.root / params.ingest.path, "landmarks": "labels", "golden_lock": ""}
    )
    try:
        ingest(settings, params.codec, scratch / "train", scratch / "golden", scratch / "quarantine.csv")
    except GoldenSetChangedError as error:
        return error.fingerprint
    raise FacadeError("ingest accepted an empty ingest.golden_lock. Report this as a bug.")


def run_study(source: Path, domain: str, work: Path, params: Params) -> dict[str, GoldenEvaluation]:
    """Train with and without the simulated camera, and test on the golden set with and without it.

    Args:
        source: The repository.
        domain: A domain as in `ingest.domain`.
        work: An empty folder.
        params: All of params.yaml.

    Returns:
        By test set ("as they are", the domain), an evaluation with the trainings as arms.

    Raises:
        FacadeError: A step fails.
    """
    try:
        Domain.model_validate(params.ingest.domain.model_dump() | {"train": [domain]})
    except ValidationError as error:
        raise FacadeError(f"DOMAIN: {error.errors()[0]['msg'].removeprefix('Value error, ')}.") from None
    clone = Clone(source, work / "clone", f"detect@{ARM}")
    trainings: dict[str, tuple[str, ...]] = {GENERIC: (), BOTH: ("plain", domain), domain: (domain,)}
    tests: dict[str, tuple[str, ...]] = {UNMODIFIED: (), domain: (domain,)}
    exported = {test: {name: work / test / name for name in trainings} for test in tests}
    locks = {test: golden_lock(clone, _with_golden(params, golden), work / "scratch") for test, golden in tests.items()}
    evaluations: dict[str, GoldenEvaluation] = {}
    # Each training is tested on all test sets before the next one starts, so that it runs only once.
    for training, names in trainings.items():
        for test, golden in tests.items():
            log_line(f"trained on: {training}; tested on: {test}")
            clone.set("ingest", domain={"train": list(names), "golden": list(golden)}, golden_lock=locks[test])
            clone.run("dvc", "repro", f"detect@{ARM}")
            clone.export(ARM, exported[test][training])
            truths = work / test / "golden"
            truths.mkdir(exist_ok=True)
            write_annotations(truths, load_coco(clone.root / "data/golden"))
    for test in tests:
        evaluations[test] = read_rounds(work / test / "golden", exported[test], params)
    return evaluations


def _with_golden(params: Params, golden: tuple[str, ...]) -> Params:
    """The parameters with another domain of the golden set."""
    domain = params.ingest.domain.model_copy(update={"golden": golden})
    return params.model_copy(update={"ingest": params.ingest.model_copy(update={"domain": domain})})


def summary(evaluations: dict[str, GoldenEvaluation], domain: str, params: Params) -> dict[str, Any]:
    """The results, for a JSON file."""
    pairs = ((domain, GENERIC), (BOTH, GENERIC), (domain, BOTH))
    tests = {}
    for test, evaluation in evaluations.items():
        scored = difficulty_levels(evaluation.truth, None)
        precision = {
            name: measure_arm(evaluation, name, scored, params.evaluate.iou).mean("AP50")
            for name in evaluation.detections
        }
        tests[test] = {
            "AP50": {name: four_digits(value) for name, value in precision.items()},
            "recall": mean_metric(evaluation, "recall"),
            "differences": compare_rounds(evaluation, pairs, params),
        }
    first = next(iter(evaluations.values()))
    return {"domain": domain, "seeds": len(first.seeds), "golden": len(first.truth["images"]), "tests": tests}


def page(content: dict[str, Any], synthetic: bool) -> str:
    """The results as a page in Markdown."""
    levels = [
        f"| {name} | {test} | {value} | {one['recall'][name]} |"
        for test, one in content["tests"].items()
        for name, value in one["AP50"].items()
    ]
    differences = [
        f"| {test} {row}"
        for test, one in content["tests"].items()
        for row in table_rows(one["differences"]).splitlines()
    ]
    return PAGE.format(
        note=RENDERED_NOTE if synthetic else "",
        levels="\n".join(levels),
        rows="\n".join(differences),
        generic=GENERIC,
        both=BOTH,
        **{name: content[name] for name in ("domain", "seeds", "golden")},
    )


def write_domain_study(into: Path, domain: str) -> None:
    """Run the study, and write `domain.md` and `domain.json`.

    Args:
        into: Output folder.
        domain: A domain as in `ingest.domain`.
    """
    params = load()
    with tempfile.TemporaryDirectory(prefix="facade-domain-") as folder:
        evaluations = run_study(Path.cwd(), domain, Path(folder), params)
    content = summary(evaluations, domain, params)
    write_json(into / "domain.json", content)
    write_text(into / "domain.md", page(content, read_json(Path("metrics/ingest.json"))["synthetic"]))
    log_line(f"wrote {into / 'domain.md'}")
