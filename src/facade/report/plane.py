"""Cost of a treatment against its linkage rate: one point per experiment.   facade experiment plane experiments

(make plane) Reads `dvc exp show --json`, and writes plane.png and plane.csv.
"""

import csv
import io
import json
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
from facade.params import ANONYMIZED
from facade.report.revision import GOLDEN_METRICS, PRIVACY_METRICS
from facade.report.style import COLORS, NAMES, new_figure, save, wrapped_title

COLUMNS = ("experiment", "arm", "treatment", "AP50", "AP50_low", "AP50_high", "attack", "rank1", "rank1_low",
           "rank1_high", "chance", "attacker")  # fmt: skip
# Attacks, each with a panel, and the attack to show instead where it does not apply, as without a blur to undo.
PANELS = {"reversed": "recognition", "parrot": None}
# Points per inch, and between two lines of labels.
POINTS_PER_INCH, LINE_HEIGHT = 72, 9


@dataclass(frozen=True)
class PlanePoint:
    """One arm of one experiment under one attack.

    Attributes:
        experiment: Name of the experiment, or of the commit.
        arm: "blur" or "pseudo".
        treatment: Short description of the treatment.
        cost: Difference in AP50 to raw, with its one-sided limits.
        attack: A key of `facade.audit.threats.ATTACKS`.
        linked: Rank-1 rate with its 95 % interval.
        chance: Rank-1 rate of random guessing.
        attacker: Description of the attacker.
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
        """A row of the table, in the order of `COLUMNS`."""
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


def experiment_points(shown: Sequence[Mapping[str, Any]]) -> list[PlanePoint]:
    """The points of all experiments with a measured cost and linkage rate.

    Args:
        shown: Output of `dvc exp show --json`.
    """
    unique: dict[tuple[Any, ...], PlanePoint] = {}
    for name, data in states(shown):
        for arm in ANONYMIZED:
            for point in _of_arm(name, arm, data):
                # The workspace may equal its commit; a treatment measured twice is shown once.
                unique.setdefault((point.arm, point.treatment, point.attack, point.cost), point)
    return list(unique.values())


def draw_plane(points: Sequence[PlanePoint], width: float = 7.0) -> Figure:
    """Plot the cost in AP50 against the linkage rate, with both intervals, a panel per attack.

    The upper left corner is best. The dotted line is the Pareto front.
    """
    figure = new_figure(width, 4.2)
    axes, shown = figure.subplots(1, len(PANELS), sharey=True), []
    for panel, (attack, fallback) in zip(axes, PANELS.items(), strict=True):
        own = [one for one in points if one.attack == attack]
        attacked = {(one.experiment, one.arm) for one in own}
        own += [one for one in points if one.attack == fallback and (one.experiment, one.arm) not in attacked]
        shown.append(own)
        for one in own:
            (cost, low, high), (rate, rate_low, rate_high) = one.cost, one.linked
            color = COLORS[one.arm]
            panel.plot([rate_low, rate_high], [cost, cost], color=color, linewidth=1)
            panel.plot([rate, rate], [low, high], color=color, linewidth=1)
            panel.plot(rate, cost, "o", color=color, markersize=5, zorder=4)  # above the labels
        front = _pareto_front(own)
        panel.step([one.linked[0] for one in front], [one.cost[0] for one in front], where="post", color="0.4",
                   linewidth=1, linestyle=":")  # fmt: skip
        for chance in {one.chance for one in own}:
            panel.axvline(chance, color="0.6", linewidth=1, linestyle="--")
        panel.axhline(0, color="0.3", linewidth=1)
        panel.set_xlim(-0.03, 1.05)
        panel.set_xlabel("share of faces linked (rank 1)")
        # Without a point of this attack, all points are of the fallback.
        title = ATTACKS[attack if attacked or fallback is None else fallback].description
        panel.set_title(title.replace(", ", ",\n", 1), fontsize=8)
    axes[0].set_ylabel("difference to raw in AP50")
    for arm in dict.fromkeys(one.arm for one in points):
        axes[0].plot([], [], "o-", color=COLORS[arm], label=NAMES[arm])
    figure.legend(loc="outside lower center", ncols=2, fontsize=8, frameon=False)
    attackers = ", ".join(sorted({one.attacker for one in points}))
    title = f"Attacker: {attackers}; dashed: chance; dotted: Pareto front"
    figure.suptitle(wrapped_title(title, any(one.synthetic for one in points), width), fontsize=8)
    figure.draw_without_rendering()  # fixes the axes limits, which the placement of labels needs
    for panel, own in zip(axes, shown, strict=True):
        _label_points(panel, own)
    return figure


def _label_points(panel: Axes, points: Sequence[PlanePoint]) -> None:
    """Label each point, on the side of the middle, so that labels do not overlap."""
    for left in (True, False):
        previous = -np.inf
        align, offset = ("left", 5) if left else ("right", -5)
        for one in sorted((one for one in points if (one.linked[0] < 0.5) is left), key=lambda one: one.cost[0]):
            position = (one.linked[0], one.cost[0])
            height = panel.transData.transform(position)[1] * POINTS_PER_INCH / panel.figure.dpi
            previous = max(height + 4, previous + LINE_HEIGHT)
            far = previous > height + LINE_HEIGHT
            line = {"arrowstyle": "-", "color": "0.7", "linewidth": 0.6} if far else None
            label = panel.annotate(
                one.treatment,
                position,
                (offset, previous - height),
                textcoords="offset points",
                fontsize=7,
                ha=align,
                arrowprops=line,
            )
            label.set_path_effects([withStroke(linewidth=2, foreground="white")])


def plane_table(points: Sequence[PlanePoint]) -> str:
    """The points as CSV."""
    content = io.StringIO()
    writer = csv.writer(content, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(one.row for one in points)
    return content.getvalue()


def show_experiments() -> list[dict[str, Any]]:
    """Output of `dvc exp show --json`.

    Raises:
        FacadeError: DVC cannot list them.
    """
    shown: list[dict[str, Any]] = json.loads(run(["dvc", "exp", "show", "--json"]))
    return shown


def states(shown: Sequence[Mapping[str, Any]]) -> list[tuple[str, Mapping[str, Any]]]:
    """The parameters and metrics of every commit and experiment, with its name."""
    named = []
    for baseline in shown:
        named.append((baseline.get("name") or _short(baseline["rev"]), baseline.get("data") or {}))
        for experiment in baseline.get("experiments") or []:
            revision = (experiment.get("revs") or [{}])[0]
            named.append((experiment.get("name") or _short(revision.get("rev", "")), revision.get("data") or {}))
    return named


def metrics_of(data: Mapping[str, Any], path: str) -> dict[str, Any]:
    """A metrics file of a state; empty if it has none."""
    return dict(((data.get("metrics") or {}).get(path) or {}).get("data") or {})


def params_of(data: Mapping[str, Any]) -> dict[str, Any]:
    """All of params.yaml of a state."""
    return dict(((data.get("params") or {}).get("params.yaml") or {}).get("data") or {})


def _short(revision: str) -> str:
    return revision if revision == "workspace" else revision[:7]


def _of_arm(name: str, arm: str, data: Mapping[str, Any]) -> list[PlanePoint]:
    golden = metrics_of(data, GOLDEN_METRICS)
    cost = golden.get("verdict", {}).get(f"{arm}_vs_raw", {})
    privacy = metrics_of(data, PRIVACY_METRICS.format(arm=arm))
    linked = privacy.get("reidentification")
    limits = tuple(cost.get(key) for key in ("AP50", "AP50_low", "AP50_high"))
    if not isinstance(linked, dict) or not all(isinstance(value, float) for value in limits):
        return []
    return [
        PlanePoint(
            name, arm, describe_treatment(arm, params_of(data)), limits, attack,
            tuple(linked[attack][key] for key in ("rank1", "rank1_low", "rank1_high")), linked["chance_rank1"],
            privacy.get("attacker", ""), golden.get("golden", {}).get("synthetic") is True,
        )
        for attack in ATTACKS if attack in linked
    ]  # fmt: skip


def describe_treatment(arm: str, parameters: Mapping[str, Any]) -> str:
    """Short description of an arm's treatment, from the content of params.yaml."""
    if arm == "pseudo":
        settings = parameters.get("synthesize", {})
        return f"{settings.get('source', 'pseudo')}, keeps {'+'.join(settings.get('keep', [])) or 'nothing'}"
    blur = parameters.get("blur", {})
    strength = {"gaussian": f"sigma {blur.get('sigma', 0):g} %", "pixelate": f"{blur.get('cells')} cells"}
    description = strength.get(blur.get("method", ""), blur.get("method", "blur"))
    if blur.get("sigma_jitter", 1) != 1:
        description += f" varied {blur['sigma_jitter']:g}"
    return description + (f" + {blur['decoys']} decoys" if blur.get("decoys") else "")


def _pareto_front(points: Sequence[PlanePoint]) -> list[PlanePoint]:
    """The points that no other dominates, from the lowest linkage rate."""
    front: list[PlanePoint] = []
    for one in sorted(points, key=lambda point: (point.linked[0], -point.cost[0])):
        if not front or one.cost[0] > front[-1].cost[0]:
            front.append(one)
    return front


def write_plane(into: Path) -> None:
    """Plot all experiments of this repository.

    Raises:
        FacadeError: DVC cannot list them, or none has a measured cost and linkage rate.
    """
    points = experiment_points(show_experiments())
    if not points:
        raise FacadeError(
            "no experiment has a measured cost and linkage rate. Run `dvc exp run`, or a sweep: "
            "`dvc exp run --queue -S blur.sigma=2,4,8,16` and `dvc exp run --run-all`."
        )
    write_text(into / "plane.csv", plane_table(points))
    save(draw_plane(points), into / "plane.png")
