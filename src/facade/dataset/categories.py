"""Which categories of a data set are faces."""

import re
from collections.abc import Collection, Mapping

from facade.errors import FacadeError

FACE = re.compile(r"\bfaces?\b")
# "no face", and what is worn on a face.
NO_FACE = re.compile(r"\b(no|non|not|not a|without) faces?\b|\bfaces? (masks?|shields?)\b")


def is_face_like(name: str) -> bool:
    """Whether a category is called a face.

    >>> [is_face_like(name) for name in ("Human face", "face_occluded", "maskedFace", "surface", "no-face", "head")]
    [True, True, True, False, False, False]
    """
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    words = " ".join(re.findall(r"[a-z]+", spaced.lower()))
    return bool(FACE.search(words)) and not NO_FACE.search(words)


def face_categories(counts: Mapping[str, int], wanted: Collection[str], where: str) -> frozenset[str]:
    """The categories that are faces.

    Args:
        counts: Number of annotations by name of category; unused categories have 0.
        wanted: Names from ingest.categories, in any case. If empty, the categories that are called a face are taken,
            else the only category that is used.
        where: Label file, for the message.

    Raises:
        FacadeError: No category can be a face, but some are used.
    """
    if wanted:
        lower = {name.lower() for name in wanted}
        return frozenset(name for name in counts if name.lower() in lower)
    if faces := frozenset(name for name in counts if is_face_like(name)):
        return faces
    used = [name for name, count in counts.items() if count]
    if len(counts) == 1 or len(used) == 1:
        return frozenset(used or counts)
    if not used:
        return frozenset()
    names = ", ".join(counts)[:200]
    raise FacadeError(
        f"{where} has no category 'face' (it has: {names}). Name those of faces in ingest.categories, as in "
        "-S 'ingest.categories=[head]', or rename the category of faces."
    )


def check_wanted(wanted: Collection[str], names: Collection[str], where: str) -> None:
    """Refuse names in ingest.categories that no label file has.

    Raises:
        FacadeError: There is such a name.
    """
    lower = {name.lower() for name in names}
    if missing := [name for name in wanted if name.lower() not in lower]:
        have = ", ".join(sorted(names))[:200] or "none"
        raise FacadeError(f"ingest.categories names {missing[0]!r}, which {where} does not have (it has: {have}).")
