"""The linkage attacks of an audit: what each compares with what."""

from dataclasses import dataclass

NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Attack:
    """A linkage attack: it matches probe faces to a gallery of source faces.

    Attributes:
        gallery: View of the source faces that the attacker holds (a key of `Views`, or of the learner's patches).
        probe: View of the treated photograph that is matched to the gallery.
        description: Short description for reports.
        limit: Parameter of `audit` that limits the share of linked faces; None if the attack is only a reference.
        patch: What a learner sees of a face, `face` or `head`; empty for an attack by a recognition network.
    """

    gallery: str
    probe: str
    description: str
    limit: str | None = None
    patch: str = ""


# The attack that closes the gate first, its upper bound, and what its upper bound must reach.
LEARNED, LEARNED_UNTREATED = "learned", "learned_untreated"
ATTACKS = {
    LEARNED: Attack("frame", "treated", "learned linkage, another frame, the face alone", "max_learned", "face"),
    "learned_same": Attack("source", "treated", "learned linkage, the same photograph, the face alone", patch="face"),
    "learned_head": Attack(
        "frame", "treated", "reference: learned linkage, another frame, with hair and surroundings", patch="head"
    ),
    "learned_joined": Attack(
        "another_treated", "treated", "reference: learned linkage of two treated frames, the face alone", patch="face"
    ),
    LEARNED_UNTREATED: Attack("frame", "recoded", "upper bound of learned linkage: untreated faces", patch="face"),
    "correlation": Attack(
        "surroundings", "treated", "reference: plain correlation of what is around the face, the same photograph",
        patch="around",
    ),
    "untreated": Attack("source", "recoded", "upper bound: untreated faces"),
    "frame_untreated": Attack("frame", "recoded", "upper bound: untreated faces, another frame"),
    "surroundings": Attack("source", "surroundings", "reference: surroundings only, the face painted gray"),
    "recognition": Attack("source", "treated", "treated faces", "max_reid"),
    "reversed": Attack("source", "reversed", "treated faces, blur undone by deconvolution", "max_reid"),
    "restored": Attack("source", "restored", "treated faces, restored by what was learned", "max_reid"),
    "face_alone": Attack("source_face", "treated_face", "treated faces, without their surroundings", "max_reid"),
    "parrot_untreated": Attack("mirrored", "recoded", "upper bound of the next: untreated faces, mirrored gallery"),
    "parrot": Attack(
        "mirrored_treated", "treated", "treated faces, mirrored gallery with the same treatment", limit="max_parrot"
    ),
}  # fmt: skip
