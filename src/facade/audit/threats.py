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
        limit: The parameter of `audit` that says how many faces it may link, or None where it is there to compare with.
    """

    gallery: str
    probe: str
    told: str
    limit: str | None = None


ATTACKS = {
    "untreated": Attack("source", "recoded", "upper bound: untreated faces"),
    "surroundings": Attack("source", "surroundings", "to compare: the surroundings alone, the face painted grey"),
    "recognition": Attack("source", "treated", "treated faces", "max_reid"),
    "reversed": Attack("source", "reversed", "treated faces, the blur undone as far as that goes", "max_reid"),
    "face_alone": Attack("source_face", "treated_face", "treated faces, without their surroundings", "max_reid"),
    "parrot_untreated": Attack("mirrored", "recoded", "upper bound of the next: untreated faces, mirrored gallery"),
    "parrot": Attack(
        "mirrored_treated", "treated", "treated faces, mirrored gallery treated likewise", limit="max_parrot"
    ),
}
