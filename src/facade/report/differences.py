"""The differences between arms with their intervals, and the margin: what the verdict is read off."""

from collections.abc import Sequence
from pathlib import Path

from facade.measure.compare import Comparison
from facade.measure.slices import Sliced
from facade.params import Evaluate
from facade.report.style import COLOURS, NAMES, SYNTHETIC_NOTE, new_figure, save


def draw_differences(compared: Sequence[Comparison], params: Evaluate, synthetic: bool, path: Path) -> None:
    """Draw a forest plot in the metric that decides: one row a comparison, best at the top."""
    rows = [one for one in compared if one.metric == params.metric]
    figure = new_figure(6.4, 0.62 * len(rows) + 1.7)
    axes = figure.add_subplot()
    axes.axvline(0, color="0.3", linewidth=1)
    axes.axvline(-params.margin, color="0.3", linewidth=1, linestyle="--")
    for place, one in enumerate(reversed(rows)):
        low, high = one.verdict.low, one.verdict.high
        axes.plot([low, high], [place, place], color=COLOURS[one.first], linewidth=3, solid_capstyle="butt")
        axes.plot(one.difference.seen, place, "o", color=COLOURS[one.first], markersize=8)
        axes.annotate(one.verdict.answer, (one.difference.seen, place), (0, 9), textcoords="offset points", ha="center",
                      fontsize=8)  # fmt: skip
    axes.set_yticks(
        range(len(rows)), [f"{NAMES[one.first]}\nminus {NAMES[one.second]}" for one in reversed(rows)], fontsize=8
    )
    axes.set_ylim(-0.6, len(rows) - 0.3)
    axes.set_xlabel(f"difference in {params.metric}; dashed: margin {params.margin:g}")
    sure = 100 * (1 - params.alpha)
    title = f"One-sided limits, together {sure:g} % sure (Bonferroni), over photographs and seeds"
    axes.set_title(f"{title}\n{SYNTHETIC_NOTE}" if synthetic else title, fontsize=8)
    save(figure, path)


def draw_slices(sliced: Sequence[Sliced], synthetic: bool, path: Path) -> None:
    """Draw the loss against raw on every slice that has faces enough; the others say that they have too few."""
    figure = new_figure(6.6, 0.27 * len(sliced) + 1.4)
    axes = figure.add_subplot()
    axes.axvline(0, color="0.3", linewidth=1)
    names = []
    for place, part in enumerate(reversed(sliced)):
        names.append(f"{part.group}: {part.name} ({part.faces})")
        against_raw = [one for one in part.compared if one.second == "raw"]
        for nudge, one in zip((0.16, -0.16), against_raw, strict=False):
            ends = [one.verdict.low, one.verdict.high]
            axes.plot(ends, [place + nudge] * 2, color=COLOURS[one.first], linewidth=2, solid_capstyle="butt")
            axes.plot(one.difference.seen, place + nudge, "o", color=COLOURS[one.first], markersize=4)
        if not part.compared:
            axes.annotate("too few faces", (0, place), (6, 0), textcoords="offset points", va="center", fontsize=7)
    axes.set_yticks(range(len(names)), names, fontsize=7)
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.set_xlabel("difference to raw in AP50, on the faces of a slice")
    for arm in {one.first: None for part in sliced for one in part.compared if one.second == "raw"}:
        axes.plot([], [], "o-", color=COLOURS[arm], label=NAMES[arm])
    axes.legend(loc="upper left", bbox_to_anchor=(0, 1.0), fontsize=7, frameon=False)
    title = "Where the loss falls (faces in brackets)"
    axes.set_title(f"{title}\n{SYNTHETIC_NOTE}" if synthetic else title, fontsize=8)
    save(figure, path)
