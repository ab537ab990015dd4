"""The differences between arms with their intervals, and the margin: what the verdict is read off."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from facade.measure.compare import Comparison
from facade.measure.slices import Sliced
from facade.params import Evaluate
from facade.report.style import COLOURS, NAMES, new_figure, titled


def draw_differences(compared: Sequence[Comparison], params: Evaluate, synthetic: bool, width: float = 6.4) -> Figure:
    """Draw a forest plot in the metric that decides: one row a comparison, the controls last."""
    rows = [one for one in compared if one.metric == params.metric]
    figure = new_figure(width, 0.62 * len(rows) + 1.8)
    axes = figure.add_subplot()
    axes.axvline(0, color="0.3", linewidth=1)
    axes.axvline(-params.margin, color="0.3", linewidth=1, linestyle="--")
    for place, one in enumerate(reversed(rows)):
        low, high = one.verdict.low, one.verdict.high
        axes.plot([low, high], [place, place], color=COLOURS[one.first], linewidth=3, solid_capstyle="butt")
        axes.plot(one.difference.seen, place, "o", color=COLOURS[one.first], markersize=8)
        told = "control" if one.is_cause else one.verdict.answer
        axes.annotate(told, (one.difference.seen, place), (0, 9), textcoords="offset points", ha="center", fontsize=8)
    axes.set_yticks(
        range(len(rows)), [f"{NAMES[one.first]}\nminus {NAMES[one.second]}" for one in reversed(rows)], fontsize=8
    )
    axes.set_ylim(-0.6, len(rows) - 0.3)
    axes.margins(x=0.12)
    axes.set_xlabel(f"difference in {params.metric}; dashed: margin {params.margin:g}")
    wrong = f"a wrong verdict has a chance of {100 * params.alpha:g} % at most"
    title = f"One-sided limits over {params.resample} and seeds: {wrong}"
    figure.suptitle(titled(title, synthetic, width), fontsize=8)
    return figure


def draw_slices(sliced: Sequence[Sliced], metric: str, synthetic: bool, width: float = 6.6) -> Figure:
    """Draw the loss against raw on every slice that has faces enough; the others say that they have too few.

    Args:
        sliced: The slices.
        metric: "AP50" or "recall".
        synthetic: Whether the photographs are the demo's.
        width: Of the figure, inches.
    """
    figure = new_figure(width, 0.27 * len(sliced) + 1.6)
    axes = figure.add_subplot()
    axes.axvline(0, color="0.3", linewidth=1)
    names = []
    # Against raw; where there is no raw arm, the two anonymized arms against each other.
    against = {one.second for part in sliced for one in part.compared}
    second = "pseudo" if against == {"pseudo"} else "raw"
    drawn = list(dict.fromkeys(one.first for part in sliced for one in part.compared if one.second == second))
    for place, part in enumerate(reversed(sliced)):
        # A dollar sign would start a formula.
        names.append(f"{part.group}: {part.name} ({part.faces})".replace("$", r"\$"))
        shown = [one for one in part.compared if one.second == second and one.metric == metric]
        for number, one in enumerate(shown):
            row = place + 0.16 * (len(shown) - 1) - 0.32 * number if len(shown) < 3 else place + 0.3 - 0.15 * number
            ends = [one.verdict.low, one.verdict.high]
            axes.plot(ends, [row] * 2, color=COLOURS[one.first], linewidth=2, solid_capstyle="butt")
            axes.plot(one.difference.seen, row, "o", color=COLOURS[one.first], markersize=4)
        if not part.compared:
            axes.annotate("too few faces", (0, place), (6, 0), textcoords="offset points", va="center", fontsize=8)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.set_xlabel(f"difference to {NAMES[second]} in {metric}")
    for arm in drawn:
        axes.plot([], [], "o-", color=COLOURS[arm], label=NAMES[arm])
    if drawn:
        figure.legend(loc="outside lower center", ncols=3, fontsize=8, frameon=False)
    figure.suptitle(titled("Where the loss falls (faces in brackets)", synthetic, width), fontsize=8)
    return figure
