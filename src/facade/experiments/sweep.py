"""Queue the experiments of a sweep, run them, and write its page.   python -m facade.experiments.sweep dose-response

(make sweep SWEEP=dose-response) The sweeps stand in experiments/sweeps.yaml.
"""

import argparse
import math
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from facade.audit.threats import ATTACKS
from facade.command import run
from facade.errors import FacadeError
from facade.experiments.clone import told
from facade.experiments.rounds import DRAWN
from facade.files import write_text
from facade.measure.compare import NOT_MEASURED
from facade.report.formatting import told as in_digits
from facade.report.plane import Point, draw_plane, experiments, metrics_of, params_of, points, states, treatment_told
from facade.report.revision import GOLDEN, PRIVACY
from facade.report.style import save

SWEEPS = Path("experiments/sweeps.yaml")
# What git ignores and stages may need: a queued experiment runs in a copy of what git keeps.
BANKS, WEIGHTS = Path("banks"), Path(".work/weights")

PAGE = """# {question}

```sh
{commands}
```

{where}Commit {commit}. Golden set: {golden} photographs, {faces} faces; {seeds}. Differences to raw in {metric}, with
one-sided limits over photographs and seeds; faces linked to their source at rank 1 with 95 % intervals ({attacker}).

| arm | treatment | changed | {metric} | minus raw | verdict at {margin} | {attacks} | hides |
|---|---|---|--:|--:|---|{dashes}---|
{rows}
{missing}
"Hides" says whether the upper end of every interval, but that of the mirrored gallery, lies below {limit:g} %, the
limit of `audit.max_reid` that `params.yaml` gives by default.

{picture}"""
INCOMPLETE = """
**{missing} of {count} experiments did not come to their end** (a gate that was shut, or a fault: `dvc queue status`).
"""
# The default of audit.max_reid, which a sweep may lift so that weak treatments can be trained on, too.
LIMIT = 5.0
SHOWN = ("recognition", "reversed", "parrot")


@dataclass(frozen=True)
class Sweep:
    """Experiments that answer one question.

    Attributes:
        name: Of the sweep, and of its experiments with a number behind.
        question: What they answer.
        arms: The arms that they change.
        runs: What each `dvc exp run --queue` sets.
    """

    name: str
    question: str
    arms: tuple[str, ...]
    runs: tuple[tuple[str, ...], ...]

    @property
    def commands(self) -> list[list[str]]:
        """The commands that queue it."""
        return [
            ["dvc", "exp", "run", "--queue", "--name", f"{self.name}-{number}", *_ignored()]
            + [word for value in run for word in ("-S", value)]
            for number, run in enumerate(self.runs, 1)
        ]

    @property
    def count(self) -> int:
        """How many experiments it has: DVC makes one of each combination of values."""
        return sum(
            math.prod(1 if text.startswith("[") else len(text.split(",")) for text in _values(run)) for run in self.runs
        )


def _values(run: Sequence[str]) -> list[str]:
    return [value.partition("=")[2] for value in run]


def _ignored() -> list[str]:
    """What queued experiments are given besides: pictures of a bank, and weights that were fetched."""
    paths = [path for path in BANKS.glob("*") if path.name != "README.md"]
    paths += [path for path in (WEIGHTS,) if path.is_dir()]
    return [word for path in sorted(paths) for word in ("--copy-paths", str(path))]


def read_sweep(name: str, path: Path = SWEEPS) -> Sweep:
    """Read a sweep.

    Raises:
        FacadeError: There is none of that name.
    """
    try:
        content = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
        if name not in content:
            raise FacadeError(f"{path} has no sweep {name!r}. There are {', '.join(content)}.")
        one = content[name]
        return Sweep(name, one["question"], tuple(one["arms"]), tuple(map(tuple, one["runs"])))
    except (OSError, KeyError, TypeError) as error:
        raise FacadeError(f"{path} cannot be read ({error}). Restore it from git.") from None


def run_sweep(sweep: Sweep, jobs: int) -> None:
    """Queue the experiments, and run all that are queued; those of an earlier run of the sweep are removed.

    Raises:
        FacadeError: DVC refuses.
    """
    earlier = [name for name, _ in states(experiments()) if name.startswith(f"{sweep.name}-")]
    if earlier:
        # Not queued with --force: that would run every stage anew.
        run(["dvc", "exp", "remove", *earlier])
    for command in (*sweep.commands, ["dvc", "exp", "run", "--run-all", "--jobs", str(jobs)]):
        told(" ".join(command))
        if subprocess.run(command, check=False).returncode:  # noqa: S603 - our own
            raise FacadeError(f"`{' '.join(command[:4])}` failed; `dvc queue status` and `dvc queue logs` tell more.")


def own_alone(sweep: Sweep, shown: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What `dvc exp show --json` prints, of the experiments of a sweep alone: one of them may equal the baseline."""
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
    """What came out, for people.

    Args:
        sweep: The sweep.
        shown: What `dvc exp show --json` prints, by `own_alone`.
        picture: Markdown of the plane, or "".

    Raises:
        FacadeError: None of its experiments has come to its end.
    """
    # In the order of the queue: names end in the number of the command, and of the combination of values.
    ordered = sorted(states(shown), key=lambda one: [int(part) for part in one[0].split("-") if part.isdigit()])
    own = [data for _, data in ordered if metrics_of(data, GOLDEN)]
    if not own:
        raise FacadeError(f"no experiment of {sweep.name} has come to its end. `dvc queue logs` tells why.")
    missing = sweep.count - len(own)
    rows = list(dict.fromkeys(_row(arm, data, sweep) for data in own for arm in sweep.arms))
    golden = [metrics_of(data, GOLDEN) for data in own]
    counts, verdict = golden[0]["golden"], golden[0]["verdict"]
    seeds = sorted({one["golden"]["seeds"] for one in golden})
    attackers = {_privacy(data, arm).get("attacker", NOT_MEASURED) for data in own for arm in sweep.arms}
    return PAGE.format(
        question=sweep.question,
        commands="\n".join(
            ["make sweep SWEEP=" + sweep.name + "   # which runs:"] + [" ".join(_short(one)) for one in sweep.commands]
        ),
        where=DRAWN if counts["synthetic"] else "",
        commit=next((one["rev"][:7] for one in shown if one.get("experiments")), NOT_MEASURED),
        golden=counts["photographs"],
        faces=counts["faces"],
        seeds=f"{' or '.join(map(str, seeds))} seeds",
        metric=verdict["metric"],
        margin=verdict["margin"],
        attacker="; ".join(sorted(attackers)),
        attacks=" | ".join(ATTACKS[name].told for name in SHOWN),
        dashes="--:|" * len(SHOWN),
        rows="\n".join(rows),
        limit=LIMIT,
        missing=INCOMPLETE.format(missing=missing, count=sweep.count) if missing > 0 else "",
        picture=picture,
    )


def labelled(drawn: Sequence[Point], sweep: Sweep, shown: Sequence[Mapping[str, Any]]) -> list[Point]:
    """The points of a sweep, with what it set for a label where several of an arm are treated alike."""
    changed = {name: ", ".join(_changed(sweep, params_of(data))).replace("`", "") for name, data in states(shown)}
    treatments = Counter((one.arm, one.treatment) for one in {(one.experiment, one.arm): one for one in drawn}.values())
    return [
        replace(one, treatment=changed[one.experiment]) if treatments[one.arm, one.treatment] > 1 else one
        for one in drawn
    ]


def _row(arm: str, data: Mapping[str, Any], sweep: Sweep) -> str:
    golden, params = metrics_of(data, GOLDEN), params_of(data)
    entry, metric = golden["verdict"].get(f"{arm}_against_raw", {}), golden["verdict"]["metric"]
    value, low, high = (_digits(entry.get(key)) for key in (metric, f"{metric}_low", f"{metric}_high"))
    linked = _privacy(data, arm).get("reidentification")
    linked = linked if isinstance(linked, dict) else {}
    cells = [
        arm,
        treatment_told(arm, params),
        ", ".join(_changed(sweep, params)),
        f"{golden[arm][metric]:.3f}",
        f"{value} ({low} to {high})",
        str(entry.get("answer", NOT_MEASURED)),
        *(_linked(linked.get(name)) for name in SHOWN),
        _hides(linked),
    ]
    return f"| {' | '.join(cells)} |"


def _hides(linked: Mapping[str, Any]) -> str:
    uppers = [
        linked[name]["rank1_high"] for name, attack in ATTACKS.items() if attack.limit == "max_reid" and name in linked
    ]
    if not uppers:
        return NOT_MEASURED
    return "yes" if max(uppers) * 100 <= LIMIT else "no"


def _linked(one: Mapping[str, Any] | None) -> str:
    return f"{one['rank1']:.3f} ({one['rank1_low']:.3f} to {one['rank1_high']:.3f})" if one else "-"


def _changed(sweep: Sweep, params: Mapping[str, Any]) -> list[str]:
    """The parameters that the sweep sets, as an experiment has them."""
    names = dict.fromkeys(value.partition("=")[0] for run in sweep.runs for value in run)
    told_names = []
    for name in names:
        section, _, key = name.partition(".")
        told_names.append(f"`{name}={params.get(section, {}).get(key)}`".replace(" ", ""))
    return told_names


def _privacy(data: Mapping[str, Any], arm: str) -> dict[str, Any]:
    return metrics_of(data, PRIVACY.format(arm=arm))


def _digits(value: Any) -> str:
    return in_digits(value, True) if isinstance(value, float | int) else NOT_MEASURED


def _short(command: Sequence[str]) -> list[str]:
    """A command as its page shows it: without what depends on the machine."""
    kept, words = [], iter(command)
    for word in words:
        if word in ("--copy-paths", "--name"):
            next(words)
        else:
            kept.append(f"'{word}'" if "[" in word else word)
    return kept


def main() -> None:
    """Run a sweep and write its page, or with --page the page alone."""
    parser = argparse.ArgumentParser(prog="python -m facade.experiments.sweep", description=__doc__.splitlines()[0])
    parser.add_argument("name", help="of the sweep, in experiments/sweeps.yaml")
    parser.add_argument("--jobs", type=int, default=1, help="experiments side by side (1)")
    parser.add_argument("--page", action="store_true", help="write the page of experiments that were run")
    parser.add_argument("--into", type=Path, default=Path("experiments"), help="folder to write into")
    wanted = parser.parse_args()
    sweep = read_sweep(wanted.name)
    if not wanted.page:
        run_sweep(sweep, wanted.jobs)
    shown = own_alone(sweep, experiments())
    drawn = labelled([one for one in points(shown) if one.arm in sweep.arms], sweep, shown)
    text = page(sweep, shown, f"![What each costs, against what it hides]({sweep.name}.png)\n" if drawn else "")
    if drawn:
        save(draw_plane(drawn), wanted.into / f"{sweep.name}.png")
    write_text(wanted.into / f"{sweep.name}.md", text)
    told(f"{wanted.into / sweep.name}.md is written.")


if __name__ == "__main__":
    try:
        main()
    except FacadeError as error:
        sys.exit(f"facade: {error}")
