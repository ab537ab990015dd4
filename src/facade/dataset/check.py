"""What a data set is, and what ingest would and would not take of it, from its labels and the headers of its files."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from facade.dataset.collisions import Rejected, reject_duplicates, rejected
from facade.dataset.labels import Labels
from facade.dataset.layouts import read_labels, unlisted
from facade.dataset.names import printable
from facade.dataset.orientation import Stored, read_stored, upright_faces, with_frames
from facade.dataset.pixels import LONGEST_SIDE, MAX_ASPECT_RATIO, BadPhotographError, decode
from facade.dataset.records import Face, Frame, Labelled, Split
from facade.dataset.source_photograph import clean_faces, resolve_inside
from facade.params import Ingest

# How many names stand in a line of the report.
EXAMPLES = 3
COLUMN = 14


@dataclass(frozen=True)
class Taken:
    """A photograph that ingest would take, unless its pixels are damaged.

    Attributes:
        split: Its split; None if Facade splits the data set.
        faces: In pixels of the upright picture.
        dropped: Number of labels without area.
        clipped: Number of labels that reach over the border.
        rotated_from: The picture that its labels refer to, if EXIF rotates it and it has faces; else None.
    """

    split: Split | None
    faces: tuple[Face, ...]
    dropped: int
    clipped: int
    rotated_from: Frame | None


@dataclass(frozen=True)
class DataSetCheck:
    """What a data set is, and what ingest would take of it.

    Attributes:
        root: The data set.
        labels: Everything in its label files.
        taken: Photographs that ingest would take.
        refused: Photographs that it would not take.
        unlisted: Pictures that no label names.
        params: What decided that.
    """

    root: Path
    labels: Labels
    taken: tuple[Taken, ...]
    refused: tuple[Rejected, ...]
    unlisted: tuple[str, ...]
    params: Ingest

    @property
    def problems(self) -> list[str]:
        """Why ingest would stop; empty if it would not."""
        total = len(self.taken) + len(self.refused)
        found = []
        if 100 * len(self.refused) > self.params.max_unreadable * total:
            found.append(
                f"{len(self.refused)} of {total} photographs are refused, more than ingest.max_unreadable "
                f"({self.params.max_unreadable:g} %) allows"
            )
        for split in sorted({one.split for one in self.taken}, key=str):
            faces = [face for one in self.taken if one.split == split for face in one.faces]
            if all(face.ignore for face in faces):
                found.append(f"no face to evaluate in the {split or 'only'} split")
        return found


def check_data_set(params: Ingest) -> DataSetCheck:
    """Check a data set without writing anything. Headers are read, pixels are not.

    Args:
        params: Path of the data set, and quality limits.

    Raises:
        FacadeError: The labels cannot be read.
    """
    root = params.path
    labels = read_labels(root, params.categories)
    taken, refused = [], []
    for entry in reject_duplicates(with_frames(labels.photographs, params.label_orientation)):
        result = entry if isinstance(entry, Rejected) else _checked(root, entry, params)
        if isinstance(result, Taken):
            taken.append(result)
        else:
            refused.append(result)
    return DataSetCheck(root, labels, tuple(taken), tuple(refused), tuple(unlisted(root, labels)), params)


def report_lines(check: DataSetCheck) -> list[str]:
    """The report on a data set, for a terminal."""
    files = list(dict.fromkeys(one.labels for one in check.labels.photographs))
    lines = [_line("layout", f"{check.labels.layout} ({', '.join(files[:5])}{' ...' if len(files) > 5 else ''})")]
    lines += [_line("categories" if number == 0 else "", text) for number, text in enumerate(_categories(check.labels))]
    splits: Sequence[Split | None] = ("train", "golden", None)
    for split in splits:
        photographs = [one for one in check.taken if one.split == split]
        faces = [face for one in photographs for face in one.faces]
        if photographs:
            ignored = sum(face.ignore for face in faces)
            lines.append(
                _line(
                    split or "no split",
                    f"{_count(len(photographs), 'photograph')}, {_count(len(faces), 'face')} ({ignored} ignored)"
                    + ("" if split else f"; {check.params.golden_share:g} % of them become the golden set"),
                )
            )
    lines += [_line("orientation", text) for text in _orientation(check)]
    lines += [_line("not taken" if number == 0 else "", text) for number, text in enumerate(_not_taken(check))]
    lines += [_line("ingest stops" if number == 0 else "", text) for number, text in enumerate(check.problems)]
    return lines


def _checked(root: Path, labelled: Labelled, params: Ingest) -> Taken | Rejected:
    if labelled.refused:
        return rejected(labelled, labelled.refused)
    try:
        path = resolve_inside(root, labelled)
        stored = read_stored(path)
        if stored is None or _is_suspicious(stored.size, params.max_megapixels):
            decoded = decode(path.read_bytes(), params.max_megapixels)  # says what is wrong
            stored = stored or Stored(decoded.stored, decoded.orientation)
        faces = upright_faces(labelled, stored)
    except (BadPhotographError, ValueError) as error:
        return rejected(labelled, str(error))
    except OSError as error:
        return rejected(labelled, f"cannot be read: {error.strerror}")
    width, height = stored.upright
    cleaned, dropped, clipped = clean_faces(faces, width, height, params.min_face)
    rotated = labelled.frame if stored.orientation != 1 and labelled.faces else None
    return Taken(labelled.split, cleaned, dropped, clipped, rotated)


def _is_suspicious(size: tuple[int, int], max_megapixels: float) -> bool:
    width, height = size
    return (
        width * height > max_megapixels * 1e6
        or max(size) > LONGEST_SIDE
        or max(size) > MAX_ASPECT_RATIO * max(1, min(size))
    )


def _categories(labels: Labels) -> Iterator[str]:
    counts = labels.categories.items()
    yield "faces: " + (", ".join(f"{name} ({count})" for name, count in counts if name in labels.faces) or "none")
    if others := [f"{name} ({count})" for name, count in counts if name not in labels.faces]:
        yield f"others, not taken: {', '.join(others[:20])}{' ...' if len(others) > 20 else ''}"


def _orientation(check: DataSetCheck) -> Iterator[str]:
    frames = Counter(one.rotated_from for one in check.taken if one.rotated_from)
    for frame, count in sorted(frames.items()):
        seen = "as stored" if frame == "stored" else "as viewers show them"
        source = "inferred" if check.params.label_orientation == "infer" else "as ingest.label_orientation says"
        yield f"EXIF rotates {_count(count, 'photograph')} with faces; their boxes refer to them {seen} ({source})"


def _not_taken(check: DataSetCheck) -> Iterator[str]:
    reasons: dict[str, list[str]] = {}
    for one in check.refused:
        reasons.setdefault(one.reason, []).append(one.name)
    for reason, names in sorted(reasons.items(), key=lambda item: -len(item[1])):
        yield f"{_count(len(names), 'photograph')}: {reason} ({_examples(names)})"
    if dropped := sum(one.dropped for one in check.taken):
        yield f"{_count(dropped, 'box', 'boxes')} without area inside their photograph: those faces stay visible"
    without = [(one.name, text) for one in check.labels.photographs for text in one.without_box]
    if without:
        examples = _examples([f"{text} of {name}" for name, text in without])
        yield f"{_count(len(without), 'face')} without a box, which stay visible ({examples})"
    if check.unlisted:
        yield f"{_count(len(check.unlisted), 'picture')} that no label names ({_examples(check.unlisted)})"
    for file in check.labels.left_out:
        yield f"{file.name}: {file.reason}"


def _examples(names: Sequence[str]) -> str:
    more = ", ..." if len(names) > EXAMPLES else ""
    return ", ".join(printable(name) for name in names[:EXAMPLES]) + more


def _count(number: int, noun: str, plural: str | None = None) -> str:
    return f"{number} {noun if number == 1 else plural or f'{noun}s'}"


def _line(label: str, text: str) -> str:
    return f"{label:{COLUMN}}{text}"
