"""Show the ledger: misses by condition, as a table, and as a sheet of images."""

import csv
import io
from collections import Counter
from collections.abc import Iterator

import cv2
import numpy as np

from facade.dataset.records import ATTRIBUTES, Face
from facade.dataset.store import decode
from facade.misses.ledger import Entry, KnownMiss, Ledger
from facade.report.gallery import crop

# Lower edges of the height bins, pixels.
HEIGHTS = (0, 16, 32, 64, 128)
# The gallery: tiles per row, side of a tile in pixels, and maximum number of tiles.
COLUMNS, SIDE, MAX_TILES = 8, 96, 64


def every_miss(ledger: Ledger) -> Iterator[tuple[Entry, int, Face, KnownMiss]]:
    """Entry, index of the face, face and miss."""
    for entry in ledger.entries:
        for number, miss in sorted(entry.misses.items()):
            yield entry, number, entry.photograph.faces[number], miss


def conditions(ledger: Ledger) -> list[tuple[str, int, dict[str, int]]]:
    """For each condition: its name, the number of misses, and the number in each state; the most frequent first."""
    counts: Counter[str] = Counter()
    states: dict[str, Counter[str]] = {}
    for _, _, face, miss in every_miss(ledger):
        level = max(height for height in HEIGHTS if face.bbox[3] >= height)
        attributes = [f"{name} {face.attributes[name]}" for name in ATTRIBUTES if face.attributes.get(name)]
        detected = "detected below threshold" if miss.best_score > 0 else "not detected"
        for condition in (f"height from {level} px", *attributes, detected):
            counts[condition] += 1
            states.setdefault(condition, Counter())[miss.state] += 1
    return [(name, count, dict(states[name])) for name, count in counts.most_common()]


def table(ledger: Ledger) -> str:
    """The misses as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = ["photograph", "face", "x", "y", "width", "height", *ATTRIBUTES, "state", "best_score", "best_iou"]
    writer.writerow([*columns, "missed_by"])
    for entry, number, face, miss in every_miss(ledger):
        by = "; ".join(f"{arm}: seed {', '.join(map(str, seeds))}" for arm, seeds in miss.by.items())
        attributes = [face.attributes.get(name, "") for name in ATTRIBUTES]
        scores = [miss.best_score, miss.best_iou]
        writer.writerow([entry.photograph.file, number, *face.bbox, *attributes, miss.state, *scores, by])
    return text.getvalue()


def gallery(ledger: Ledger, arm: str = "pseudo") -> np.ndarray:
    """A sheet of missed faces from the ledger's anonymized photographs, (h, w, 3) uint8, BGR."""
    tiles = []
    for entry, _, face, _ in list(every_miss(ledger))[:MAX_TILES]:
        image = decode(ledger.read_image(arm, entry))
        picture = crop(image, face.bbox)
        tiles.append(cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA))
    rows = max(1, -(-len(tiles) // COLUMNS))
    tiles += [np.full((SIDE, SIDE, 3), 255, np.uint8)] * (rows * COLUMNS - len(tiles))
    return np.vstack([np.hstack(tiles[COLUMNS * row : COLUMNS * (row + 1)]) for row in range(rows)])
