"""Looking through an arm's photographs: was every face treated, and who can be known again?"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from facade.anonymize.treat import Treatment, recoded
from facade.audit.attacker import attacker
from facade.audit.attacks import Views, link, treated_likewise, views
from facade.audit.coverage import Finding, Untreated, findings
from facade.audit.linkage import Linkage
from facade.audit.reversal import undone
from facade.dataset import Photograph, Photographs
from facade.dataset.extra_boxes import ExtraBoxes, with_extra_boxes
from facade.errors import FacadeError
from facade.parallel import in_order
from facade.params import Audit, Blur, Codec
from facade.recognition import Recogniser, recogniser


@dataclass(frozen=True)
class Attacker:
    """Who tries to know people again.

    Attributes:
        weights: The network's file.
        drawn: Whether it is the stand-in that has seen drawn faces alone.
        name: What pages call it.
    """

    weights: Path
    drawn: bool
    name: str

    def network(self) -> Recogniser:
        """The network, loaded once in a process."""
        return attacker(self.weights) if self.drawn else recogniser(self.weights, "audit.recognition")


@dataclass(frozen=True)
class Seen:
    """What was seen in an arm.

    Attributes:
        findings: How many faces were treated, left as they were, or show nothing; those that nobody labelled are among
            them where they are treated.
        untreated: Those left as they were.
        large: Labelled faces that are large enough to know somebody by.
        linked: By attack; None where nobody tried, or there were fewer than two faces.
    """

    findings: Counter[str]
    untreated: list[Untreated]
    large: int
    linked: dict[str, Linkage] | None


@dataclass(frozen=True)
class _Look:
    source: Photographs
    treated: Photographs
    also: ExtraBoxes
    likewise: Treatment
    blur: Blur | None
    attacker: Attacker | None
    attacked: frozenset[str]
    least: float
    codec: Codec

    def __call__(self, photograph: Photograph) -> tuple[list[Finding], list[Views]]:
        before, after = self.source.pixels(photograph), self.treated.pixels(photograph)
        if before.shape != after.shape:
            raise FacadeError(
                f"{self.treated.where(photograph)} has another size than its source. Run `dvc repro` again."
            )
        everybody, again = with_extra_boxes(photograph, self.also), recoded(before, self.codec)
        found = findings(before, after, again, everybody.faces)
        large = tuple(face for face in photograph.faces if face.bbox[3] >= self.least)
        if self.attacker is None or photograph.file not in self.attacked or not large:
            return found, []
        seen = views(
            source=before,
            recoded=again,
            treated=after,
            undone=None if self.blur is None else undone(after, photograph.file, large, self.blur),
            likewise=recoded(treated_likewise(before, everybody, self.likewise), self.codec),
            faces=large,
            network=self.attacker.network(),
        )
        return found, seen


def look(
    source: Photographs,
    treated: Photographs,
    also: ExtraBoxes,
    likewise: Treatment,
    blur: Blur | None,
    attacker: Attacker | None,
    params: Audit,
    codec: Codec,
    workers: int | None = None,
) -> Seen:
    """Compare an arm's photographs with their sources, and attack them.

    Args:
        source: The untreated photographs.
        treated: The arm's; known misses may come behind, which were looked at when they were recorded.
        also: Faces that were treated besides the labelled ones.
        likewise: The arm's treatment, as somebody has it who knows the method and not the key.
        blur: How faces were blurred, where a blur may be undone; else None.
        attacker: Who tries to know people again, or None.
        params: How large a face must be, and how many are attacked.
        codec: How photographs are stored.
        workers: Processes; all cores by default. The result does not depend on it.

    Raises:
        FacadeError: A photograph is missing, damaged or of another size; or the labels differ.
    """
    photographs = list(source)
    if list(treated)[: len(photographs)] != photographs:
        raise FacadeError(f"the labels of {treated.root} are not those of {source.root}. Run `dvc repro` again.")
    attacked = chosen(photographs, params.least, params.most)
    job = _Look(source, treated, also, likewise, blur, attacker, attacked, params.least, codec)
    counts: Counter[str] = Counter()
    untreated: list[Untreated] = []
    seen: list[Views] = []
    owners: list[str] = []
    results = in_order(job, photographs, f"audit {treated.root.name}", workers)
    for photograph, (found, faces) in zip(photographs, results, strict=True):
        counts.update(found)
        for number, (face, finding) in enumerate(zip(with_extra_boxes(photograph, also).faces, found, strict=True)):
            if finding == "untreated":
                untreated.append(Untreated(photograph.file, number, face.bbox))
        seen += faces
        owners += [photograph.file] * len(faces)
    return Seen(
        findings=counts,
        untreated=untreated,
        large=sum(face.bbox[3] >= params.least for photograph in photographs for face in photograph.faces),
        linked=link(seen, owners) if len(seen) > 1 else None,
    )


def chosen(photographs: Sequence[Photograph], least: float, most: int) -> frozenset[str]:
    """Photographs to attack: those whose names have the smallest hashes, until they hold faces enough.

    The same ones in every arm. At least one is chosen where any holds a large face.
    """
    large = {one.file: sum(face.bbox[3] >= least for face in one.faces) for one in photographs}
    ordered = sorted(
        (file for file, count in large.items() if count),
        key=lambda file: hashlib.sha256(f"audit {file}".encode()).digest(),
    )
    found: list[str] = []
    total = 0
    for file in ordered:
        total += large[file]
        if found and total > most:
            break
        found.append(file)
    return frozenset(found)
