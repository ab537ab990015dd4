"""Precision-recall curves: a table per arm for `dvc plots`, and a figure of all arms."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from facade.files import write_text
from facade.measure.arms import RECALLS, ArmMetrics
from facade.report.style import COLORS, NAMES, new_figure, wrapped_title


def write_curve(arm: ArmMetrics | None, path: Path) -> None:
    """Write a CSV of the mean over the runs: recall, precision; no rows for an arm that is switched off."""
    means = [] if arm is None else list(zip(RECALLS, arm.precision.mean(0), strict=True))
    rows = [f"{recall:.2f},{precision:.4f}" for recall, precision in means]
    write_text(path, "\n".join(["recall,precision", *rows]) + "\n")


def draw_curves(arms: dict[str, ArmMetrics], iou: float, synthetic: bool, width: float = 6.0) -> Figure:
    """Draw the curves of all arms: the mean over the runs, and a band from their minimum to their maximum."""
    figure = new_figure(width, 0.73 * width)
    axes = figure.add_subplot()
    for name, arm in arms.items():
        low, high = arm.precision.min(0), arm.precision.max(0)
        axes.fill_between(RECALLS, low, high, color=COLORS[name], alpha=0.2, linewidth=0)
        label = f"{NAMES[name]}: AP50 {arm.mean('AP50'):.3f}"
        axes.plot(RECALLS, arm.precision.mean(0), color=COLORS[name], linewidth=2, label=label)
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
    runs = min(len(arm.precision) for arm in arms.values())
    title = f"Golden set, IoU ≥ {iou:g}; mean and range of {runs} runs"
    figure.suptitle(wrapped_title(title, synthetic, width), fontsize=8)
    axes.set_xticks(np.linspace(0, 1, 6))
    axes.legend(loc="lower left", frameon=False)
    return figure
