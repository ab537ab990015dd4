"""Queue the experiments of a sweep, run them, and write its page.   facade experiment sweep dose-response

(make sweep SWEEP=dose-response) Sweeps are defined in experiments/sweeps.yaml.
"""

import math
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from facade.audit.threats import ATTACKS
from facade.command import run
from facade.errors import FacadeError
from facade.experiments.clone import log_line
from facade.experiments.rounds import RENDERED_NOTE
from facade.files import write_text
from facade.measure.compare import NOT_MEASURED
from facade.report.formatting import format_number
from facade.report.plane import (
    PlanePoint,
    describe_treatment,
    draw_plane,
    experiment_points,
    metrics_of,
    params_of,
    show_experiments,
    states,
)
from facade.report.revision import GOLDEN_METRICS, PRIVACY_METRICS
from facade.report.style import save

SWEEPS = Path("experiments/sweeps.yaml")
# Ignored by git but used by stages: a queued experiment runs in a copy of the tracked files.
BANKS, WEIGHTS = Path("banks"), Path(".work/weights")

PAGE = """# {question}

```sh
{commands}
```

{note}Commit {commit}. Golden set: {golden} photographs, {faces} faces; {seeds}. Differences to raw in {metric}, with
one-sided limits over photographs and seeds; faces linked to their source at rank 1 with 95 % intervals ({attacker}).

| arm | treatment | parameters | {metric} | minus raw | verdict at {margin} | {attacks} | below limit |
|---|---|---|--:|--:|---|{dashes}---|
{rows}
{missing}
"Below limit": whether the upper end of every interval, except that of the mirrored gallery, is at most {limit:g} %, the
default of `audit.max_reid`.

{picture}"""
INCOMPLETE = """
**{missing} of {count} experiments did not finish** (a closed gate, or an error: see `dvc queue status`).
"""
# The default of audit.max_reid, which a sweep may raise in order to train on weak treatments, percent.
REID_LIMIT = 5.0
SHOWN_ATTACKS = ("recognition", "reversed", "parrot")


@dataclass(frozen=True)
class Sweep:
    """Experiments that answer one question.

    Attributes:
        name: Name of the sweep; with a number appended, of its experiments.
        question: Question that they answer.
        arms: Arms that they change.
        runs: Parameters that each `dvc exp run --queue` sets.
    """

    name: str
    question: str
    arms: tuple[str, ...]
    runs: tuple[tuple[str, ...], ...]

    @property
    def commands(self) -> list[list[str]]:
        """The commands that queue the experiments."""
        return [
            ["dvc", "exp", "run", "--queue", "--name", f"{self.name}-{number}", *_copy_options()]
            + [word for value in run for word in ("-S", value)]
            for number, run in enumerate(self.runs, 1)
        ]

    @property
    def count(self) -> int:
        """Number of experiments: one per combination of values."""
        return sum(
            math.prod(1 if text.startswith("[") else len(text.split(",")) for text in _values(run)) for run in self.runs
        )


def _values(run: Sequence[str]) -> list[str]:
    return [value.partition("=")[2] for value in run]


def _copy_options() -> list[str]:
    """Options that copy ignored files into queued experiments: pictures of a bank, and downloaded weights."""
    paths = [path for path in BANKS.glob("*") if path.name != "README.md"]
    paths += [path for path in (WEIGHTS,) if path.is_dir()]
    return [word for path in sorted(paths) for word in ("--copy-paths", str(path))]


def read_sweep(name: str, path: Path = SWEEPS) -> Sweep:
    """Read a sweep.

    Raises:
        FacadeError: There is no sweep of that name.
    """
    try:
        content = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
        if name not in content:
            raise FacadeError(f"{path} has no sweep {name!r}. Choose one of {', '.join(content)}.")
        one = content[name]
        return Sweep(name, one["question"], tuple(one["arms"]), tuple(map(tuple, one["runs"])))
    except (OSError, KeyError, TypeError) as error:
        raise FacadeError(f"{path} cannot be read ({error}). Restore it from git.") from None


def run_sweep(sweep: Sweep, jobs: int) -> None:
    """Queue the experiments and run the queue, after removing those of an earlier run of the sweep.

    Raises:
        FacadeError: DVC fails.
    """
    earlier = [name for name, _ in states(show_experiments()) if name.startswith(f"{sweep.name}-")]
    if earlier:
        # Not queued with --force, which would re-run every stage.
        run(["dvc", "exp", "remove", *earlier])
    for command in (*sweep.commands, ["dvc", "exp", "run", "--run-all", "--jobs", str(jobs)]):
        log_line(" ".join(command))
        if subprocess.run(command, check=False).returncode:  # noqa: S603 - our own
            raise FacadeError(f"`{' '.join(command[:4])}` failed; see `dvc queue status` and `dvc queue logs`.")


def own_experiments(sweep: Sweep, shown: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The output of `dvc exp show --json`, reduced to the experiments of a sweep.

    The baseline loses its data, as one of the experiments may equal it.
    """
    return [
        {
            **baseline,
            "data": {},
            "experiments": [
                one for one in baseline.get("experiments") or [] if (one.get("name") or "").startswith(f"{sweep.name}-")
            ],
        }
        for baseline in shown
    ]


def page(sweep: Sweep, shown: Sequence[Mapping[str, Any]], picture: str) -> str:
    """The results as a page in Markdown.

    Args:
        sweep: The sweep.
        shown: Output of `dvc exp show --json`, reduced by `own_experiments`.
        picture: Markdown of the figure, or "".

    Raises:
        FacadeError: None of its experiments has finished.
    """
    # In the order of the queue: names end in the number of the command, then of the combination of values.
    ordered = sorted(states(shown), key=lambda one: [int(part) for part in one[0].split("-") if part.isdigit()])
    own = [data for _, data in ordered if metrics_of(data, GOLDEN_METRICS)]
    if not own:
        raise FacadeError(f"no experiment of {sweep.name} has finished. See `dvc queue logs`.")
    missing = sweep.count - len(own)
    rows = list(dict.fromkeys(_row(arm, data, sweep) for data in own for arm in sweep.arms))
    golden = [metrics_of(data, GOLDEN_METRICS) for data in own]
    counts, verdict = golden[0]["golden"], golden[0]["verdict"]
    seeds = sorted({one["golden"]["seeds"] for one in golden})
    attackers = {_privacy(data, arm).get("attacker", NOT_MEASURED) for data in own for arm in sweep.arms}
    return PAGE.format(
        question=sweep.question,
        commands="\n".join(
            ["make sweep SWEEP=" + sweep.name + "   # runs:"] + [" ".join(_short(one)) for one in sweep.commands]
        ),
        note=RENDERED_NOTE if counts["synthetic"] else "",
        commit=next((one["rev"][:7] for one in shown if one.get("experiments")), NOT_MEASURED),
        golden=counts["photographs"],
        faces=counts["faces"],
        seeds=f"{' or '.join(map(str, seeds))} seeds",
        metric=verdict["metric"],
        margin=verdict["margin"],
        attacker="; ".join(sorted(attackers)),
        attacks=" | ".join(ATTACKS[name].description for name in SHOWN_ATTACKS),
        dashes="--:|" * len(SHOWN_ATTACKS),
        rows="\n".join(rows),
        limit=REID_LIMIT,
        missing=INCOMPLETE.format(missing=missing, count=sweep.count) if missing > 0 else "",
        picture=picture,
    )


def with_parameter_labels(
    points: Sequence[PlanePoint], sweep: Sweep, shown: Sequence[Mapping[str, Any]]
) -> list[PlanePoint]:
    """The points of a sweep, labelled by its parameters if several points of an arm have the same treatment."""
    parameters = {name: ", ".join(_parameters(sweep, params_of(data))).replace("`", "") for name, data in states(shown)}
    treatments = Counter(
        (one.arm, one.treatment) for one in {(one.experiment, one.arm): one for one in points}.values()
    )
    return [
        replace(one, treatment=parameters[one.experiment]) if treatments[one.arm, one.treatment] > 1 else one
        for one in points
    ]


def _row(arm: str, data: Mapping[str, Any], sweep: Sweep) -> str:
    golden, params = metrics_of(data, GOLDEN_METRICS), params_of(data)
    entry, metric = golden["verdict"].get(f"{arm}_vs_raw", {}), golden["verdict"]["metric"]
    value, low, high = (_signed(entry.get(key)) for key in (metric, f"{metric}_low", f"{metric}_high"))
    linked = _privacy(data, arm).get("reidentification")
    linked = linked if isinstance(linked, dict) else {}
    cells = [
        arm,
        describe_treatment(arm, params),
        ", ".join(_parameters(sweep, params)),
        f"{golden[arm][metric]:.3f}",
        f"{value} ({low} to {high})",
        str(entry.get("verdict", NOT_MEASURED)),
        *(_linked(linked.get(name)) for name in SHOWN_ATTACKS),
        _below_limit(linked),
    ]
    return f"| {' | '.join(cells)} |"


def _below_limit(linked: Mapping[str, Any]) -> str:
    uppers = [
        linked[name]["rank1_high"] for name, attack in ATTACKS.items() if attack.limit == "max_reid" and name in linked
    ]
    if not uppers:
        return NOT_MEASURED
    return "yes" if max(uppers) * 100 <= REID_LIMIT else "no"


def _linked(one: Mapping[str, Any] | None) -> str:
    return f"{one['rank1']:.3f} ({one['rank1_low']:.3f} to {one['rank1_high']:.3f})" if one else "-"


def _parameters(sweep: Sweep, params: Mapping[str, Any]) -> list[str]:
    """The parameters that the sweep varies, with their values in an experiment."""
    names = dict.fromkeys(value.partition("=")[0] for run in sweep.runs for value in run)
    assignments = []
    for name in names:
        section, _, key = name.partition(".")
        assignments.append(f"`{name}={params.get(section, {}).get(key)}`".replace(" ", ""))
    return assignments


def _privacy(data: Mapping[str, Any], arm: str) -> dict[str, Any]:
    return metrics_of(data, PRIVACY_METRICS.format(arm=arm))


def _signed(value: Any) -> str:
    return format_number(value, True) if isinstance(value, float | int) else NOT_MEASURED


def _short(command: Sequence[str]) -> list[str]:
    """A command as shown on the page: without machine-specific options."""
    kept, words = [], iter(command)
    for word in words:
        if word in ("--copy-paths", "--name"):
            next(words)
        else:
            kept.append(f"'{word}'" if "[" in word else word)
    return kept


def write_sweep(name: str, jobs: int, page_only: bool, into: Path) -> None:
    """Run a sweep, and write its page.

    Args:
        name: Of the sweep, in experiments/sweeps.yaml.
        jobs: Experiments in parallel.
        page_only: Whether to write the page from experiments that exist, and run none.
        into: Output folder.

    Raises:
        FacadeError: There is no such sweep, or an experiment fails.
    """
    sweep = read_sweep(name)
    if not page_only:
        run_sweep(sweep, jobs)
    shown = own_experiments(sweep, show_experiments())
    points = with_parameter_labels([one for one in experiment_points(shown) if one.arm in sweep.arms], sweep, shown)
    text = page(sweep, shown, f"![Cost against linkage rate]({sweep.name}.png)\n" if points else "")
    if points:
        save(draw_plane(points), into / f"{sweep.name}.png")
    write_text(into / f"{sweep.name}.md", text)
    log_line(f"wrote {into / sweep.name}.md")
