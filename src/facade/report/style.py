"""How figures look: the same colour for the same arm everywhere, told apart by colour-blind readers, too."""

import io
import textwrap
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

# Okabe and Ito's palette (2008).
COLOURS = {
    "raw": "#0072B2", "blur": "#E69F00", "pseudo": "#009E73", "recode": "#56B4E9", "decoy": "#D55E00", "drop": "#CC79A7"
}  # fmt: skip
NAMES = {
    "raw": "raw (control)",
    "blur": "blurred",
    "pseudo": "pseudonymized",
    "recode": "recoded",
    "decoy": "decoys blurred",
    "drop": "photographs dropped",
}
SYNTHETIC_NOTE = "demo photographs: these numbers prove the pipeline and say nothing about real faces"


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, in inches; 100 pixels an inch, so that 6 inches are readable at 600 pixels."""
    mpl.rcParams.update({"font.size": 10, "axes.spines.top": False, "axes.spines.right": False})
    return Figure(figsize=(width, height), dpi=100, layout="constrained")


def titled(title: str, synthetic: bool, width: float) -> str:
    """A title, broken to a figure's width in inches, with a note where the photographs are the demo's."""
    letters = int(14 * width)
    lines = [title, SYNTHETIC_NOTE] if synthetic else [title]
    return "\n".join(broken for line in lines for broken in textwrap.wrap(line, letters))


def save(figure: Figure, path: Path) -> None:
    """Write a PNG without a date or a version in it, so that equal figures are equal bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Software": None})


def as_svg(figure: Figure) -> bytes:
    """The figure as SVG, letters drawn as paths; equal figures are equal bytes."""
    content = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "facade"}):
        figure.savefig(content, format="svg", metadata={"Date": None, "Creator": None})
    return content.getvalue()
