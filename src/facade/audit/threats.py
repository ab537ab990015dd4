"""The linkage attacks of an audit: what each compares with what."""

from dataclasses import dataclass

NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Attack:
    """A linkage attack: it matches probe faces to a gallery of source faces.

    Attributes:
        gallery: View of the source faces that the attacker holds (a key of `Views`).
        probe: View of the treated photograph that is matched to the gallery.
        description: Short description for reports.
        limit: Parameter of `audit` that limits the share of linked faces; None if the attack is only a reference.
    """

    gallery: str
    probe: str
    description: str
    limit: str | None = None


ATTACKS = {
    "untreated": Attack("source", "recoded", "upper bound: untreated faces"),
    "surroundings": Attack("source", "surroundings", "reference: surroundings only, the face painted gray"),
    "recognition": Attack("source", "treated", "treated faces", "max_reid"),
    "reversed": Attack("source", "reversed", "treated faces, blur undone by deconvolution", "max_reid"),
    "face_alone": Attack("source_face", "treated_face", "treated faces, without their surroundings", "max_reid"),
    "parrot_untreated": Attack("mirrored", "recoded", "upper bound of the next: untreated faces, mirrored gallery"),
    "parrot": Attack(
        "mirrored_treated", "treated", "treated faces, mirrored gallery with the same treatment", limit="max_parrot"
    ),
}
