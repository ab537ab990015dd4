"""What a treatment costs, against what it hides: one point an experiment.   python -m facade.report.plane experiments

(make plane) Reads `dvc exp show --json`, and writes plane.png and plane.csv.
"""

import csv
import io
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from facade.audit.threats import ATTACKS
from facade.command import run
from facade.errors import FacadeError
from facade.files import write_text
from facade.report.revision import GOLDEN, PRIVACY
from facade.report.style import COLOURS, NAMES, new_figure, save, titled
from facade.stage import ANONYMIZED

COLUMNS = ("experiment", "arm", "treatment", "AP50", "AP50_low", "AP50_high", "attack", "rank1", "rank1_low",
           "rank1_high", "chance", "attacker")  # fmt: skip
# Attacks that are drawn, each in a panel, and what stands in where one cannot be made: there is nothing to undo.
PANELS = {"reversed": "recognition", "parrot": None}
# Points in an inch, and between two lines of labels.
POINTS, LINE = 72, 9


@dataclass(frozen=True)
class Point:
    """One arm of one experiment under one attack.

    Attributes:
        experiment: Its name, or the commit's.
        arm: "blur" or "pseudo".
        treatment: What was done, in words.
        cost: Difference in AP50 to raw, with its one-sided limits.
        attack: A key of `facade.audit.threats.ATTACKS`.
        linked: Rank-1 rate with its 95 % interval.
        chance: Rank-1 rate of guessing.
        attacker: Who attacked.
        synthetic: Whether the photographs were the demo's.
    """

    experiment: str
    arm: str
    treatment: str
    cost: tuple[float, float, float]
    attack: str
    linked: tuple[float, float, float]
    chance: float
    attacker: str
    synthetic: bool

    @property
    def row(self) -> tuple[Any, ...]:
        """For the table, in the order of `COLUMNS`."""
        return (
            self.experiment,
            self.arm,
            self.treatment,
            *self.cost,
            self.attack,
            *self.linked,
            self.chance,
            self.attacker,
        )


def points(shown: Sequence[Mapping[str, Any]]) -> list[Point]:
    """The points of all experiments of which both sides were measured.

    Args:
        shown: What `dvc exp show --json` prints.
    """
    found: dict[tuple[Any, ...], Point] = {}
    for name, data in states(shown):
        for arm in ANONYMIZED:
            for point in _of_arm(name, arm, data):
                # The workspace and its commit are one and the same; a treatment measured twice is drawn once.
                found.setdefault((point.arm, point.treatment, point.attack, point.cost), point)
    return list(found.values())


def draw_plane(drawn: Sequence[Point], width: float = 7.0) -> Figure:
    """Draw the cost in AP50 against the rate at which faces are linked, with both intervals, a panel for each attack.

    The upper left corner is where one wants to be. A treatment on the line is beaten by no other in both.
    """
    figure = new_figure(width, 4.2)
    axes, shown = figure.subplots(1, len(PANELS), sharey=True), []
    for panel, (attack, otherwise) in zip(axes, PANELS.items(), strict=True):
        own = [one for one in drawn if one.attack == attack]
        named = {(one.experiment, one.arm) for one in own}
        own += [one for one in drawn if one.attack == otherwise and (one.experiment, one.arm) not in named]
        shown.append(own)
        for one in own:
            (cost, low, high), (rate, least, most) = one.cost, one.linked
            colour = COLOURS[one.arm]
            panel.plot([least, most], [cost, cost], color=colour, linewidth=1)
            panel.plot([rate, rate], [low, high], color=colour, linewidth=1)
            panel.plot(rate, cost, "o", color=colour, markersize=5, zorder=4)  # above what labels cover
        front = _front(own)
        panel.step([one.linked[0] for one in front], [one.cost[0] for one in front], where="post", color="0.4",
                   linewidth=1, linestyle=":")  # fmt: skip
        for chance in {one.chance for one in own}:
            panel.axvline(chance, color="0.6", linewidth=1, linestyle="--")
        panel.axhline(0, color="0.3", linewidth=1)
        panel.set_xlim(-0.03, 1.05)
        panel.set_xlabel("share of faces linked (rank 1)")
        # Where nothing could be undone, all points are of the attack that stands in.
        told = ATTACKS[attack if named or otherwise is None else otherwise].told
        panel.set_title(told.replace(", ", ",\n", 1), fontsize=8)
    axes[0].set_ylabel("difference to raw in AP50")
    for arm in dict.fromkeys(one.arm for one in drawn):
        axes[0].plot([], [], "o-", color=COLOURS[arm], label=NAMES[arm])
    figure.legend(loc="outside lower center", ncols=2, fontsize=8, frameon=False)
    who = ", ".join(sorted({one.attacker for one in drawn}))
    title = f"Attacker: {who}; dashed: chance; dotted: beaten by no other"
    figure.suptitle(titled(title, any(one.synthetic for one in drawn), width), fontsize=8)
    figure.draw_without_rendering()  # limits and places are settled now, and labels can be told apart
    for panel, own in zip(axes, shown, strict=True):
        _name(panel, own)
    return figure


def _name(panel: Axes, own: Sequence[Point]) -> None:
    """Write beside each point what it is: towards the middle, and each label above the one below it."""
    for left in (True, False):
        below = -np.inf
        side, away = ("left", 5) if left else ("right", -5)
        for one in sorted((one for one in own if (one.linked[0] < 0.5) is left), key=lambda one: one.cost[0]):
            place = (one.linked[0], one.cost[0])
            height = panel.transData.transform(place)[1] * POINTS / panel.figure.dpi
            below = max(height + 4, below + LINE)
            line = {"arrowstyle": "-", "color": "0.7", "linewidth": 0.6} if below > height + LINE else None
            beside = (away, below - height)
            label = panel.annotate(
                one.treatment, place, beside, textcoords="offset points", fontsize=7, ha=side, arrowprops=line
            )
            label.set_path_effects([withStroke(linewidth=2, foreground="white")])


def table(drawn: Sequence[Point]) -> str:
    """The points as CSV."""
    content = io.StringIO()
    writer = csv.writer(content, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(one.row for one in drawn)
    return content.getvalue()


def experiments() -> list[dict[str, Any]]:
    """What `dvc exp show --json` prints.

    Raises:
        FacadeError: DVC cannot list them.
    """
    shown: list[dict[str, Any]] = json.loads(run(["dvc", "exp", "show", "--json"]))
    return shown


def states(shown: Sequence[Mapping[str, Any]]) -> list[tuple[str, Mapping[str, Any]]]:
    """Every commit and experiment, by name, with its parameters and metrics."""
    found = []
    for baseline in shown:
        found.append((baseline.get("name") or _short(baseline["rev"]), baseline.get("data") or {}))
        for experiment in baseline.get("experiments") or []:
            revision = (experiment.get("revs") or [{}])[0]
            found.append((experiment.get("name") or _short(revision.get("rev", "")), revision.get("data") or {}))
    return found


def metrics_of(data: Mapping[str, Any], path: str) -> dict[str, Any]:
    """A file of metrics of a state; empty where it has none."""
    return dict(((data.get("metrics") or {}).get(path) or {}).get("data") or {})


def params_of(data: Mapping[str, Any]) -> dict[str, Any]:
    """All of params.yaml of a state."""
    return dict(((data.get("params") or {}).get("params.yaml") or {}).get("data") or {})


def _short(revision: str) -> str:
    return revision if revision == "workspace" else revision[:7]


def _of_arm(name: str, arm: str, data: Mapping[str, Any]) -> list[Point]:
    golden = metrics_of(data, GOLDEN)
    cost = golden.get("verdict", {}).get(f"{arm}_against_raw", {})
    privacy = metrics_of(data, PRIVACY.format(arm=arm))
    linked = privacy.get("reidentification")
    limits = tuple(cost.get(key) for key in ("AP50", "AP50_low", "AP50_high"))
    if not isinstance(linked, dict) or not all(isinstance(value, float) for value in limits):
        return []
    return [
        Point(
            name, arm, treatment_told(arm, params_of(data)), limits, attack,
            tuple(linked[attack][key] for key in ("rank1", "rank1_low", "rank1_high")), linked["chance_rank1"],
            privacy.get("attacker", ""), golden.get("golden", {}).get("synthetic") is True,
        )
        for attack in ATTACKS if attack in linked
    ]  # fmt: skip


def treatment_told(arm: str, parameters: Mapping[str, Any]) -> str:
    """What an arm's treatment was, in a few words, from the content of params.yaml."""
    if arm == "pseudo":
        wanted = parameters.get("synthesize", {})
        return f"{wanted.get('source', 'pseudo')}, keeps {'+'.join(wanted.get('keep', [])) or 'nothing'}"
    blur = parameters.get("blur", {})
    strength = {"gaussian": f"sigma {blur.get('sigma', 0):g} %", "pixelate": f"{blur.get('cells')} cells"}
    told = strength.get(blur.get("method", ""), blur.get("method", "blur"))
    if blur.get("vary", 1) != 1:
        told += f" varied {blur['vary']:g}"
    return told + (f" + {blur['decoys']} decoys" if blur.get("decoys") else "")


def _front(drawn: Sequence[Point]) -> list[Point]:
    """Those that no other beats in both, from the most private on."""
    front: list[Point] = []
    for one in sorted(drawn, key=lambda point: (point.linked[0], -point.cost[0])):
        if not front or one.cost[0] > front[-1].cost[0]:
            front.append(one)
    return front


def main(into: Path) -> None:
    """Draw all experiments of this repository.

    Raises:
        FacadeError: DVC cannot list them, or none has both sides measured.
    """
    drawn = points(experiments())
    if not drawn:
        raise FacadeError(
            "no experiment has both its cost and its privacy measured. Run `dvc exp run`, or a sweep: "
            "`dvc exp run --queue -S blur.sigma=2,4,8,16` and `dvc exp run --run-all`."
        )
    write_text(into / "plane.csv", table(drawn))
    save(draw_plane(drawn), into / "plane.png")


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except FacadeError as error:
        sys.exit(f"facade: {error}")
