"""Who can be known again? A recognition network looks at source faces and at treated ones, in several ways."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from facade.anonymize.align import held
from facade.anonymize.treat import Treatment
from facade.audit.linkage import Linkage, linkage
from facade.audit.threats import ATTACKS
from facade.dataset import Face, Photograph
from facade.dataset.pixels import mirrored_points
from facade.recognition import SIDE, Recogniser, align

# In an aligned picture, the ellipse that a face fills from the brows to the chin: centre and half axes, pixels.
CENTRE, HALF_AXES = (56.0, 68.0), (36.0, 44.0)
GREY = 128
# Embeddings of one face by the name of the view.
Views = dict[str, np.ndarray]


def views(
    source: np.ndarray,
    recoded: np.ndarray,
    treated: np.ndarray,
    undone: np.ndarray | None,
    likewise: np.ndarray,
    faces: Sequence[Face],
    network: Recogniser,
) -> list[Views]:
    """What a recognition network makes of some faces of a photograph, in every view.

    The attacker knows where the faces lie, as the labels do.

    Args:
        source: The photograph, (H, W, 3) uint8, BGR.
        recoded: Encoded once more, untreated.
        treated: As it is trained on.
        undone: With the treatment undone, or None where there is nothing to undo.
        likewise: The mirrored source, treated likewise.
        faces: The faces to look at.
        network: Who looks.
    """
    width = source.shape[1]
    outside = ~face_ellipse()[..., None]
    found = []
    for face in faces:
        _, points, _ = held(face)
        plain, hidden = align(source, points), align(treated, points)
        seen = {
            "source": plain,
            "recoded": align(recoded, points),
            "treated": hidden,
            "surroundings": np.where(outside, plain, GREY).astype(np.uint8),
            "source_face": np.where(outside, GREY, plain).astype(np.uint8),
            "treated_face": np.where(outside, GREY, hidden).astype(np.uint8),
            "mirrored": np.ascontiguousarray(plain[:, ::-1]),
            "mirrored_treated": align(likewise, mirrored_points(points, width)),
        }
        if undone is not None:
            seen["reversed"] = align(undone, points)
        found.append({name: network.embed(picture) for name, picture in seen.items()})
    return found


def link(found: Sequence[Views], photographs: Sequence[str]) -> dict[str, Linkage]:
    """Every attack that can be made, by name.

    Args:
        found: The views of each face.
        photographs: Which photograph each face is in.
    """
    return {
        name: linkage(
            np.stack([face[attack.probe] for face in found]),
            np.stack([face[attack.gallery] for face in found]),
            photographs,
        )
        for name, attack in ATTACKS.items()
        if all(attack.probe in face for face in found)
    }


def mirrored(photograph: Photograph) -> Photograph:
    """The labels of a photograph seen in a mirror."""
    width = photograph.width
    faces = []
    for face in photograph.faces:
        x, y, w, h = face.bbox
        points = face.keypoints
        if points is not None:
            turned = mirrored_points(np.array(points, float), width)
            points = tuple((float(px), float(py)) for px, py in turned)
        faces.append(replace(face, bbox=(width - x - w, y, w, h), keypoints=points))
    return replace(photograph, faces=tuple(faces))


def face_ellipse() -> np.ndarray:
    """Which pixels of an aligned picture show the face itself, (112, 112) bool."""
    down, across = np.mgrid[:SIDE, :SIDE]
    return np.asarray(((across - CENTRE[0]) / HALF_AXES[0]) ** 2 + ((down - CENTRE[1]) / HALF_AXES[1]) ** 2 <= 1)


def treated_likewise(source: np.ndarray, photograph: Photograph, treatment: Treatment) -> np.ndarray:
    """The mirrored photograph, treated: what somebody holds who knows the method, and other pictures of the people.

    Not mirrored it would be the treated photograph itself, to the last pixel, and any blur would be "linked".
    """
    flipped = np.ascontiguousarray(source[:, ::-1])
    return treatment(flipped, mirrored(photograph)).pixels
