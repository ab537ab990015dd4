"""The audit of an arm's photographs: coverage of the treatment, and re-identification by linkage attacks."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from facade.anonymize.treat import Treatment, recoded
from facade.audit.attacker import load_attacker
from facade.audit.attacks import FaceViews, Networks, pair_attacks, run_attacks, treat_mirrored, view_faces
from facade.audit.coverage import Finding, Untreated, classify_faces
from facade.audit.linkage import Linkage
from facade.audit.real_pairs import RealPairs
from facade.audit.reversal import undo_blur
from facade.dataset import Photograph, Photographs
from facade.dataset.extra_boxes import ExtraBoxes, with_extra_boxes
from facade.dataset.names import events_of
from facade.dataset.records import without_landmarks
from facade.errors import FacadeError
from facade.parallel import ordered_map
from facade.params import Audit, Blur, Codec
from facade.recognition import open_recognizer


@dataclass(frozen=True)
class Attacker:
    """The face recognition networks of the attacker.

    Attributes:
        weights: Weights of each network.
        drawn: Whether it is the stand-in that was trained on drawn faces only.
        name: Description in reports.
    """

    weights: tuple[Path, ...]
    drawn: bool
    name: str

    def networks(self) -> Networks:
        """The networks by name, loaded once per process."""
        if self.drawn:
            return {path.stem: load_attacker(path) for path in self.weights}
        return {path.name: open_recognizer(path, "audit.recognition") for path in self.weights}


@dataclass(frozen=True)
class ArmAudit:
    """Coverage and re-identification of an arm.

    Attributes:
        findings: Number of faces that are treated, untreated, or show no detail. Unlabelled faces are included if they
            are to be treated.
        untreated: The untreated faces.
        large: Number of labelled faces that are large enough to be re-identified.
        linked: Results by attack; None with fewer than two faces.
        pairs: The attack on people with two photographs; None without a network that knows real people.
    """

    findings: Counter[str]
    untreated: list[Untreated]
    large: int
    linked: dict[str, Linkage] | None
    pairs: RealPairs | None = None


@dataclass(frozen=True)
class _AuditPhotograph:
    source: Photographs
    treated: Photographs
    extra_boxes: ExtraBoxes
    treatment: Treatment | None
    blur: Blur | None
    attacker: Attacker | None
    attacked: frozenset[str]
    min_face_height: float
    codec: Codec

    def __call__(self, photograph: Photograph) -> tuple[list[Finding], list[FaceViews]]:
        before, after = self.source.pixels(photograph), self.treated.pixels(photograph)
        if before.shape != after.shape:
            raise FacadeError(
                f"{self.treated.where(photograph)} differs in size from its source. Run `dvc repro` again."
            )
        all_faces, again = with_extra_boxes(photograph, self.extra_boxes), recoded(before, self.codec)
        findings = classify_faces(before, after, again, all_faces.faces)
        large = tuple(face for face in photograph.faces if face.bbox[3] >= self.min_face_height)
        if photograph.file not in self.attacked or not large:
            return findings, []
        viewed = view_faces(
            source=before,
            recoded=again,
            treated=after,
            restored=None if self.blur is None else undo_blur(after, photograph.file, large, self.blur),
            mirrored_treated=None
            if self.treatment is None
            else recoded(treat_mirrored(before, all_faces, self.treatment), self.codec),
            faces=large,
            file=photograph.file,
            networks=() if self.attacker is None else tuple(self.attacker.networks().values()),
        )
        return findings, viewed


def audit_arm(
    source: Photographs,
    treated: Photographs,
    extra_boxes: ExtraBoxes,
    treatment: Treatment | None,
    blur: Blur | None,
    attacker: Attacker | None,
    params: Audit,
    codec: Codec,
    workers: int | None = None,
) -> ArmAudit:
    """Compare an arm's photographs with their sources, and run the linkage attacks.

    Args:
        source: The untreated photographs.
        treated: The photographs of the arm. Known misses may follow; they were audited when they were recorded.
        extra_boxes: Unlabelled faces that are treated in addition to the labelled ones.
        treatment: The treatment of the arm as an attacker has it who knows the method but not the key. None where
            another program treated the photographs: the parrot attack is then not measured.
        blur: Parameters of the blur that the attacker undoes, or None.
        attacker: The attacker's networks, or None to run no attacks with networks.
        params: Minimum height and maximum number of attacked faces.
        codec: JPEG settings of stored photographs.
        workers: Processes; all cores by default. The result does not depend on it.

    Raises:
        FacadeError: A photograph is missing, damaged or of another size; or the labels differ.
    """
    photographs = list(source)
    if list(treated)[: len(photographs)] != [without_landmarks(one) for one in photographs]:
        raise FacadeError(f"the labels of {treated.root} differ from those of {source.root}. Run `dvc repro` again.")
    attacked = select_photographs(photographs, params.min_face_height, params.max_faces)
    job = _AuditPhotograph(
        source, treated, extra_boxes, treatment, blur, attacker, attacked, params.min_face_height, codec
    )
    counts: Counter[str] = Counter()
    untreated: list[Untreated] = []
    viewed: list[FaceViews] = []
    files: list[str] = []
    results = ordered_map(job, photographs, f"audit {treated.root.name}", workers)
    for photograph, (findings, faces) in zip(photographs, results, strict=True):
        counts.update(findings)
        all_faces = with_extra_boxes(photograph, extra_boxes).faces
        for number, (face, finding) in enumerate(zip(all_faces, findings, strict=True)):
            if finding == "untreated":
                untreated.append(Untreated(photograph.file, number, face.bbox))
        viewed += faces
        files += [photograph.file] * len(faces)
    networks = {} if attacker is None else attacker.networks()
    return ArmAudit(
        findings=counts,
        untreated=untreated,
        large=sum(face.bbox[3] >= params.min_face_height for photograph in photographs for face in photograph.faces),
        linked=run_attacks(viewed, files, events_of(source.root), networks) if len(viewed) > 1 else None,
        # Drawn people are one each: similar ones are no pair.
        pairs=pair_attacks(viewed, files, networks) if viewed and attacker is not None and not attacker.drawn else None,
    )


def select_photographs(photographs: Sequence[Photograph], min_face_height: float, max_faces: int) -> frozenset[str]:
    """Select the photographs to attack, in the order of the hashes of their names, up to a number of large faces.

    The selection is the same in every arm. It holds at least one photograph if any has a large face.
    """
    large = {one.file: sum(face.bbox[3] >= min_face_height for face in one.faces) for one in photographs}
    ordered = sorted(
        (file for file, count in large.items() if count),
        key=lambda file: hashlib.sha256(f"audit {file}".encode()).digest(),
    )
    selected: list[str] = []
    total = 0
    for file in ordered:
        total += large[file]
        if selected and total > max_faces:
            break
        selected.append(file)
    return frozenset(selected)
