"""How figures look: the same colour for the same arm everywhere, told apart by colour-blind readers, too."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

# Okabe and Ito's palette (2008).
COLOURS = {"raw": "#0072B2", "blur": "#E69F00", "pseudo": "#009E73"}
NAMES = {"raw": "raw (control)", "blur": "blurred", "pseudo": "pseudonymized"}
SYNTHETIC_NOTE = "demo photographs: these numbers prove the pipeline and say nothing about real faces"


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, in inches; 100 pixels an inch, so that 6 inches are readable at 600 pixels."""
    plt.rcParams.update({"font.size": 10, "axes.spines.top": False, "axes.spines.right": False})
    return plt.figure(figsize=(width, height), dpi=100, layout="constrained")


def save(figure: Figure, path: Path) -> None:
    """Write a PNG without a date or a version in it, so that equal figures are equal bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Software": None})
    plt.close(figure)
