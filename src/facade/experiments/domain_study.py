"""What does it buy to train for the camera?   python -m facade.experiments.domain_study experiments [DOMAIN]   (make domain)

The pseudonymized arm is trained on photographs as they are, on ones that are made to look like the target camera's
(`ingest.domain`), and on half and half; each is tested on the golden set as it is and as that camera shows it. It works
in a clone of its own, on DVC's cache.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from facade.dataset.golden import OtherGoldenError
from facade.dataset.ingest import ingest
from facade.dataset.store import content_of, write_annotations
from facade.errors import FacadeError
from facade.experiments.clone import Clone, told
from facade.experiments.rounds import DRAWN, compared, means, read_rounds, rows
from facade.files import read_json, write_json, write_text
from facade.measure.arms import measure_arm
from facade.measure.compare import four_digits
from facade.measure.golden_evaluation import Study
from facade.measure.wider_protocol import levels
from facade.params import Domain, Params, load

ARM = "pseudo"
GENERIC, BOTH = "generic", "half and half"

PAGE = """# What does it buy to train for the camera?

`make domain` (or `make domain DOMAIN=fisheye+grey`) writes this page: `ingest.domain` for **{domain}**.

{where}The pseudonymized arm, {seeds} seeds: *{generic}* is trained on photographs as they are, *{domain}* on
photographs that are made to look like the camera's, *{both}* on either, each photograph being one of the two. Tested
on {golden} golden photographs as they are, and as the camera shows them:

| trained on | tested | AP50 | recall at the operating threshold |
|---|---|--:|--:|
{levels}

Differences, with one-sided limits over photographs and seeds (`evaluate.alpha`, each comparison by itself):

| tested | trained on | metric | difference | low | high |
|---|---|---|--:|--:|--:|
{rows}
"""


def golden_lock(clone: Clone, params: Params, scratch: Path) -> str:
    """The fingerprint of a clone's golden set with a domain.

    Args:
        clone: Where the data are.
        params: With the domain.
        scratch: A folder to write into.
    """
    # Landmarks and training photographs do not count, and the old lock stands for another golden set.
    settings = params.ingest.model_copy(
        update={"path": clone.root / params.ingest.path, "landmarks": "labels", "golden_lock": ""}
    )
    try:
        ingest(settings, params.codec, scratch / "train", scratch / "golden", scratch / "quarantine.csv")
    except OtherGoldenError as error:
        return error.found
    raise FacadeError("a golden set was taken for one without a fingerprint.")


def experiment(source: Path, domain: str, work: Path, params: Params) -> dict[str, Study]:
    """Train for a camera and not, test on the golden set as it is and as the camera shows it.

    Args:
        source: The repository.
        domain: As in `ingest.domain`.
        work: An empty folder.
        params: All of params.yaml.

    Returns:
        By test ("as they are", the domain), the trainings in the place of arms.

    Raises:
        FacadeError: A step fails.
    """
    try:
        Domain.model_validate(params.ingest.domain.model_dump() | {"train": [domain]})
    except ValidationError as error:
        raise FacadeError(f"DOMAIN: {error.errors()[0]['msg'].removeprefix('Value error, ')}.") from None
    clone = Clone(source, work / "clone", f"detect@{ARM}")
    trainings: dict[str, tuple[str, ...]] = {GENERIC: (), BOTH: ("plain", domain), domain: (domain,)}
    tests: dict[str, tuple[str, ...]] = {"as they are": (), domain: (domain,)}
    kept = {test: {name: work / test / name for name in trainings} for test in tests}
    locks = {test: golden_lock(clone, _with_golden(params, golden), work / "scratch") for test, golden in tests.items()}
    studies: dict[str, Study] = {}
    # A training is tested in every way before the next begins, so that there is one of each.
    for training, names in trainings.items():
        for test, golden in tests.items():
            told(f"trained on: {training}; tested: {test}")
            clone.set("ingest", domain={"train": list(names), "golden": list(golden)}, golden_lock=locks[test])
            clone.run("dvc", "repro", f"detect@{ARM}")
            clone.keep(ARM, kept[test][training])
            truths = work / test / "golden"
            truths.mkdir(exist_ok=True)
            write_annotations(truths, content_of(clone.root / "data/golden"))
    for test in tests:
        studies[test] = read_rounds(work / test / "golden", kept[test], params)
    return studies


def _with_golden(params: Params, golden: tuple[str, ...]) -> Params:
    """Parameters with another domain of the golden set."""
    domain = params.ingest.domain.model_copy(update={"golden": golden})
    return params.model_copy(update={"ingest": params.ingest.model_copy(update={"domain": domain})})


def summary(studies: dict[str, Study], domain: str, params: Params) -> dict[str, Any]:
    """What came out, for a JSON file."""
    pairs = ((domain, GENERIC), (BOTH, GENERIC), (domain, BOTH))
    tests = {}
    for test, study in studies.items():
        judged = levels(study.truth, None)
        precision = {name: measure_arm(study, name, judged, params.evaluate.iou).mean("AP50") for name in study.found}
        tests[test] = {
            "AP50": {name: four_digits(value) for name, value in precision.items()},
            "recall": means(study, "recall"),
            "differences": compared(study, pairs, params),
        }
    some = next(iter(studies.values()))
    return {"domain": domain, "seeds": len(some.seeds), "golden": len(some.truth["images"]), "tests": tests}


def page(content: dict[str, Any], drawn: bool) -> str:
    """The same for people."""
    reached = [
        f"| {name} | {test} | {value} | {one['recall'][name]} |"
        for test, one in content["tests"].items()
        for name, value in one["AP50"].items()
    ]
    told_rows = [
        f"| {test} {row}" for test, one in content["tests"].items() for row in rows(one["differences"]).splitlines()
    ]
    return PAGE.format(
        where=DRAWN if drawn else "",
        levels="\n".join(reached),
        rows="\n".join(told_rows),
        generic=GENERIC,
        both=BOTH,
        **{name: content[name] for name in ("domain", "seeds", "golden")},
    )


def main(into: Path, domain: str) -> None:
    """Run it, and write `domain.md` and `domain.json`.

    Args:
        into: Folder to write into.
        domain: As in `ingest.domain`.
    """
    params = load()
    with tempfile.TemporaryDirectory(prefix="facade-domain-") as folder:
        studies = experiment(Path.cwd(), domain, Path(folder), params)
    content = summary(studies, domain, params)
    write_json(into / "domain.json", content)
    write_text(into / "domain.md", page(content, read_json(Path("metrics/ingest.json"))["synthetic"]))
    told(f"{into / 'domain.md'} is written.")


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "fisheye")
    except (FacadeError, IndexError) as error:
        sys.exit(f"facade: {error}" if isinstance(error, FacadeError) else "facade: name the folder to write into.")
