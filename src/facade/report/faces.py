"""The same faces in every arm, side by side."""

import numpy as np
from matplotlib.figure import Figure

from facade.dataset import Face, Photograph, Photographs
from facade.report.style import NAMES, SYNTHETIC_NOTE, new_figure

SHOWN = 8
# Side of the crop, in longer sides of the face box.
CROP_FACTOR = 1.9
WITHHELD = (
    "These photographs show real people and are withheld.\n"
    "Set report.show_raw to true if they consented or are synthetic."
)


def draw_faces(arms: dict[str, Photographs], show: bool) -> Figure:
    """Draw faces of several sizes in every arm: a row per arm, a column per face.

    Args:
        arms: The training photographs of each arm.
        show: False draws a notice instead.
    """
    if not show:
        figure = new_figure(6.0, 1.2)
        figure.text(0.5, 0.5, WITHHELD, ha="center", va="center")
        return figure
    chosen = _choose(next(iter(arms.values())))
    figure = new_figure(1.15 * max(len(chosen), 1), 1.3 * len(arms) + 0.5)
    grid = figure.subplots(len(arms), max(len(chosen), 1), squeeze=False)
    for row, (name, photographs) in zip(grid, arms.items(), strict=True):
        for axes, (photograph, face) in zip(row, chosen, strict=False):
            axes.imshow(_crop(photographs.pixels(photograph), face)[..., ::-1], interpolation="nearest")
            axes.set(xticks=[], yticks=[])
            for spine in axes.spines.values():
                spine.set_visible(False)
        row[0].set_ylabel(NAMES[name])
    for axes, (_, face) in zip(grid[-1], chosen, strict=False):
        axes.set_xlabel(f"{face.bbox[3]:.0f} px", fontsize=8)
    if all(photographs.synthetic for photographs in arms.values()):
        figure.suptitle(SYNTHETIC_NOTE, fontsize=9)
    return figure


def _choose(photographs: Photographs) -> list[tuple[Photograph, Face]]:
    """Faces from small to large, at most one per photograph, evenly spaced in the order of their heights."""
    largest = {
        photograph.file: max(faces, key=lambda pair: pair[1].bbox[3])
        for photograph in photographs
        if (faces := [(photograph, face) for face in photograph.faces if not face.ignore])
    }
    ordered = sorted(largest.values(), key=lambda pair: (pair[1].bbox[3], pair[0].file))
    if not ordered:
        return []
    indices = np.unique(np.linspace(0, len(ordered) - 1, SHOWN).astype(int))
    return [ordered[index] for index in indices]


def _crop(image: np.ndarray, face: Face) -> np.ndarray:
    x, y, w, h = face.bbox
    half = CROP_FACTOR * max(w, h) / 2
    left, top = int(max(x + w / 2 - half, 0)), int(max(y + h / 2 - half, 0))
    return image[top : int(y + h / 2 + half) + 1, left : int(x + w / 2 + half) + 1]
