"""The attacks that an audit makes: what each compares with what."""

from dataclasses import dataclass

NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Attack:
    """A way to link a treated face to its source.

    Attributes:
        gallery: Which view of the sources the attacker holds (a key of `Views`).
        probe: Which view of the treated photograph is looked at.
        told: What it is, in words.
        counts: Whether `audit.max_reid` holds it against the treatment.
    """

    gallery: str
    probe: str
    told: str
    counts: bool = False


ATTACKS = {
    "untreated": Attack("source", "recoded", "upper bound: untreated faces"),
    "surroundings": Attack("source", "surroundings", "to compare: the surroundings alone, the face painted grey"),
    "recognition": Attack("source", "treated", "treated faces", counts=True),
    "reversed": Attack("source", "reversed", "treated faces, the blur undone as far as that goes", counts=True),
    "face_alone": Attack("source_face", "treated_face", "treated faces, without their surroundings", counts=True),
    "parrot_untreated": Attack("mirrored", "recoded", "upper bound of the next: untreated faces, mirrored gallery"),
    "parrot": Attack("mirrored_treated", "treated", "treated faces, mirrored gallery treated likewise"),
}
