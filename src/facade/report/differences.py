"""Forest plots of the differences between arms, with their limits and the margin."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from facade.measure.compare import Comparison
from facade.measure.slices import SliceResult
from facade.params import Evaluate
from facade.report.style import COLORS, NAMES, new_figure, wrapped_title


def draw_differences(compared: Sequence[Comparison], params: Evaluate, synthetic: bool, width: float = 6.4) -> Figure:
    """Draw a forest plot of the primary metric: one row per comparison, the controls last."""
    rows = [one for one in compared if one.metric == params.metric]
    figure = new_figure(width, 0.62 * len(rows) + 1.8)
    axes = figure.add_subplot()
    axes.axvline(0, color="0.3", linewidth=1)
    axes.axvline(-params.margin, color="0.3", linewidth=1, linestyle="--")
    for row, one in enumerate(reversed(rows)):
        low, high = one.decision.low, one.decision.high
        axes.plot([low, high], [row, row], color=COLORS[one.first], linewidth=3, solid_capstyle="butt")
        axes.plot(one.difference.estimate, row, "o", color=COLORS[one.first], markersize=8)
        label = "control" if one.is_ablation else one.decision.verdict
        axes.annotate(
            label, (one.difference.estimate, row), (0, 9), textcoords="offset points", ha="center", fontsize=8
        )
    axes.set_yticks(
        range(len(rows)), [f"{NAMES[one.first]}\nminus {NAMES[one.second]}" for one in reversed(rows)], fontsize=8
    )
    axes.set_ylim(-0.6, len(rows) - 0.3)
    axes.margins(x=0.12)
    axes.set_xlabel(f"difference in {params.metric}; dashed: margin {params.margin:g}")
    error_rate = f"error rate of the verdicts at most {100 * params.alpha:g} %"
    title = f"One-sided limits over {params.resample} and seeds; {error_rate}"
    figure.suptitle(wrapped_title(title, synthetic, width), fontsize=8)
    return figure


def draw_slices(slices: Sequence[SliceResult], metric: str, synthetic: bool, width: float = 6.6) -> Figure:
    """Draw the difference to raw on every slice; slices with too few faces say so.

    Args:
        slices: The slices.
        metric: "AP50" or "recall".
        synthetic: Whether the photographs are the demo's.
        width: Width of the figure, inches.
    """
    figure = new_figure(width, 0.27 * len(slices) + 1.6)
    axes = figure.add_subplot()
    axes.axvline(0, color="0.3", linewidth=1)
    names = []
    # Against raw; without a raw arm, the two anonymized arms against each other.
    references = {one.second for part in slices for one in part.compared}
    second = "pseudo" if references == {"pseudo"} else "raw"
    arms = list(dict.fromkeys(one.first for part in slices for one in part.compared if one.second == second))
    for position, part in enumerate(reversed(slices)):
        # matplotlib reads a dollar sign as the start of a formula.
        names.append(f"{part.group}: {part.name} ({part.faces})".replace("$", r"\$"))
        shown = [one for one in part.compared if one.second == second and one.metric == metric]
        for number, one in enumerate(shown):
            few = len(shown) < 3
            row = position + 0.16 * (len(shown) - 1) - 0.32 * number if few else position + 0.3 - 0.15 * number
            ends = [one.decision.low, one.decision.high]
            axes.plot(ends, [row] * 2, color=COLORS[one.first], linewidth=2, solid_capstyle="butt")
            axes.plot(one.difference.estimate, row, "o", color=COLORS[one.first], markersize=4)
        if not part.compared:
            axes.annotate("too few faces", (0, position), (6, 0), textcoords="offset points", va="center", fontsize=8)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.set_xlabel(f"difference to {NAMES[second]} in {metric}")
    for arm in arms:
        axes.plot([], [], "o-", color=COLORS[arm], label=NAMES[arm])
    if arms:
        figure.legend(loc="outside lower center", ncols=3, fontsize=8, frameon=False)
    figure.suptitle(wrapped_title("Differences by slice (number of faces in brackets)", synthetic, width), fontsize=8)
    return figure
