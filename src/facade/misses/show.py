"""Which conditions are missed most: the ledger as a table, and as pictures."""

import csv
import io
from collections import Counter
from collections.abc import Iterator

import cv2
import numpy as np

from facade.dataset.records import ATTRIBUTES, Face
from facade.dataset.store import decode
from facade.misses.ledger import Entry, Ledger, Miss
from facade.report.gallery import cut

# Heights of faces that are counted on their own, pixels.
HEIGHTS = (0, 16, 32, 64, 128)
# Pictures of the gallery: as many a row, of this side in pixels.
ACROSS, SIDE, SHOWN = 8, 96, 64


def every_miss(ledger: Ledger) -> Iterator[tuple[Entry, int, Face, Miss]]:
    """Entry, number of the face, face and miss."""
    for entry in ledger.entries:
        for number, miss in sorted(entry.misses.items()):
            yield entry, number, entry.photograph.faces[number], miss


def conditions(ledger: Ledger) -> list[tuple[str, int, dict[str, int]]]:
    """How many misses there are under each condition, and how many of them in each state; the most first."""
    counts: Counter[str] = Counter()
    states: dict[str, Counter[str]] = {}
    for _, _, face, miss in every_miss(ledger):
        level = max(height for height in HEIGHTS if face.bbox[3] >= height)
        told = [f"height from {level} px", *(f"{name} {face.attributes[name]}" for name in ATTRIBUTES
                                            if face.attributes.get(name))]  # fmt: skip
        told.append("seen, too unsure" if miss.best_score > 0 else "not seen at all")
        for condition in told:
            counts[condition] += 1
            states.setdefault(condition, Counter())[miss.state] += 1
    return [(name, count, dict(states[name])) for name, count in counts.most_common()]


def table(ledger: Ledger) -> str:
    """The misses as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = ["photograph", "face", "x", "y", "width", "height", *ATTRIBUTES, "state", "best_score", "best_overlap"]
    writer.writerow([*columns, "missed_by"])
    for entry, number, face, miss in every_miss(ledger):
        by = "; ".join(f"{arm}: seed {', '.join(map(str, seeds))}" for arm, seeds in miss.by.items())
        attributes = [face.attributes.get(name, "") for name in ATTRIBUTES]
        scores = [miss.best_score, miss.best_overlap]
        writer.writerow([entry.photograph.file, number, *face.bbox, *attributes, miss.state, *scores, by])
    return text.getvalue()


def gallery(ledger: Ledger, arm: str = "pseudo") -> np.ndarray:
    """Pictures of missed faces, as the ledger holds them: anonymized; (h, w, 3) uint8, BGR."""
    tiles = []
    for entry, _, face, _ in list(every_miss(ledger))[:SHOWN]:
        image = decode(ledger.read_image(arm, entry))
        part = cut(image, face.bbox)
        tiles.append(cv2.resize(part, (SIDE, SIDE), interpolation=cv2.INTER_AREA))
    rows = max(1, -(-len(tiles) // ACROSS))
    tiles += [np.full((SIDE, SIDE, 3), 255, np.uint8)] * (rows * ACROSS - len(tiles))
    return np.vstack([np.hstack(tiles[ACROSS * row : ACROSS * (row + 1)]) for row in range(rows)])
