"""Style of figures: one color per arm everywhere, from a color-blind-safe palette."""

import io
import textwrap
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

# Okabe and Ito's palette (2008).
OTHER_COLORS = ("#56B4E9", "#D55E00", "#CC79A7", "#F0E442", "#000000")


class _Colors(dict[str, str]):
    """Colors by arm; an arm of arms.extra gets one by its name, the same in every figure."""

    def __missing__(self, arm: str) -> str:
        return OTHER_COLORS[sum(arm.encode()) % len(OTHER_COLORS)]


class _Names(dict[str, str]):
    """Names by arm, for readers; an arm of arms.extra is called as in params.yaml."""

    def __missing__(self, arm: str) -> str:
        return arm


COLORS = _Colors({"raw": "#0072B2", "blur": "#E69F00", "pseudo": "#009E73"})
NAMES = _Names({"raw": "raw (control)", "blur": "blurred", "pseudo": "pseudonymized"})
SYNTHETIC_NOTE = "demo photographs: these numbers test the pipeline and say nothing about real faces"


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, in inches, at 100 pixels per inch, so that 6 inches are readable at 600 pixels."""
    mpl.rcParams.update({"font.size": 10, "axes.spines.top": False, "axes.spines.right": False})
    return Figure(figsize=(width, height), dpi=100, layout="constrained")


def wrapped_title(title: str, synthetic: bool, width: float) -> str:
    """A title wrapped to the width of a figure in inches, with a note if the photographs are the demo's."""
    characters = int(14 * width)
    lines = [title, SYNTHETIC_NOTE] if synthetic else [title]
    return "\n".join(wrapped for line in lines for wrapped in textwrap.wrap(line, characters))


def save(figure: Figure, path: Path) -> None:
    """Write a PNG without date and version, so that equal figures are equal bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Software": None})


def as_svg(figure: Figure) -> bytes:
    """The figure as SVG, with text as paths; equal figures are equal bytes."""
    content = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "facade"}):
        figure.savefig(content, format="svg", metadata={"Date": None, "Creator": None})
    return content.getvalue()
