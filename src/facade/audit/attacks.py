"""Linkage attacks with a face recognition network: embeddings of source and treated faces, and how well they match."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from facade.anonymize.head_pose import estimate_view
from facade.anonymize.treat import Treatment
from facade.audit.linkage import Linkage, linkage
from facade.audit.threats import ATTACKS
from facade.dataset import Face, Photograph
from facade.dataset.pixels import mirrored_points
from facade.recognition import SIDE, Recognizer, align_face

# Ellipse of the face from brows to chin in an aligned picture: center and semi-axes, pixels.
CENTER, SEMI_AXES = (56.0, 68.0), (36.0, 44.0)
GRAY = 128
# Embeddings of one face by name of the view.
Views = dict[str, np.ndarray]


def embed_views(
    source: np.ndarray,
    recoded: np.ndarray,
    treated: np.ndarray,
    restored: np.ndarray | None,
    mirrored_treated: np.ndarray | None,
    faces: Sequence[Face],
    network: Recognizer,
) -> list[Views]:
    """Embed every view of some faces of a photograph.

    The attacker knows the positions of the faces from the labels.

    Args:
        source: The source photograph, (H, W, 3) uint8, BGR.
        recoded: The source, encoded and decoded once more.
        treated: The anonymized photograph that detectors are trained on.
        restored: The treated photograph with the blur undone, or None if that is not possible.
        mirrored_treated: The mirrored source, with the same treatment; None if nobody here can apply it.
        faces: The faces to embed.
        network: The face recognition network of the attacker.
    """
    width = source.shape[1]
    outside = ~face_ellipse()[..., None]
    embedded = []
    for face in faces:
        _, points, _ = estimate_view(face)
        plain, hidden = align_face(source, points), align_face(treated, points)
        pictures = {
            "source": plain,
            "recoded": align_face(recoded, points),
            "treated": hidden,
            "surroundings": np.where(outside, plain, GRAY).astype(np.uint8),
            "source_face": np.where(outside, GRAY, plain).astype(np.uint8),
            "treated_face": np.where(outside, GRAY, hidden).astype(np.uint8),
            "mirrored": np.ascontiguousarray(plain[:, ::-1]),
        }
        if mirrored_treated is not None:
            pictures["mirrored_treated"] = align_face(mirrored_treated, mirrored_points(points, width))
        if restored is not None:
            pictures["reversed"] = align_face(restored, points)
        embedded.append({name: network.embed(picture) for name, picture in pictures.items()})
    return embedded


def run_attacks(embedded: Sequence[Views], photographs: Sequence[str]) -> dict[str, Linkage]:
    """Results of all possible attacks, by name.

    Args:
        embedded: The views of each face.
        photographs: The photograph of each face.
    """
    return {
        name: linkage(
            np.stack([face[attack.probe] for face in embedded]),
            np.stack([face[attack.gallery] for face in embedded]),
            photographs,
        )
        for name, attack in ATTACKS.items()
        if all(attack.probe in face and attack.gallery in face for face in embedded)
    }


def mirror_labels(photograph: Photograph) -> Photograph:
    """The labels of a photograph after a horizontal flip."""
    width = photograph.width
    faces = []
    for face in photograph.faces:
        x, y, w, h = face.bbox
        points = face.keypoints
        if points is not None:
            flipped = mirrored_points(np.array(points, float), width)
            points = tuple((float(px), float(py)) for px, py in flipped)
        faces.append(replace(face, bbox=(width - x - w, y, w, h), keypoints=points))
    return replace(photograph, faces=tuple(faces))


def face_ellipse() -> np.ndarray:
    """Mask of the face in an aligned picture, (112, 112) bool."""
    down, across = np.mgrid[:SIDE, :SIDE]
    return np.asarray(((across - CENTER[0]) / SEMI_AXES[0]) ** 2 + ((down - CENTER[1]) / SEMI_AXES[1]) ** 2 <= 1)


def treat_mirrored(source: np.ndarray, photograph: Photograph, treatment: Treatment) -> np.ndarray:
    """The mirrored photograph with the same treatment: the gallery of an attacker who knows the method (parrot attack).

    The flip stands for other pictures of the same people. Without it, the gallery would equal the treated photograph
    pixel by pixel, and every blurred face would be linked.
    """
    flipped = np.ascontiguousarray(source[:, ::-1])
    return treatment(flipped, mirror_labels(photograph)).pixels
