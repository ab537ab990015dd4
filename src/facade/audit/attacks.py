"""Linkage attacks on the faces of an arm: what an attacker sees of each face, and how well it links faces."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from facade.anonymize.head_pose import estimate_view
from facade.anonymize.treat import Treatment
from facade.audit import restoration
from facade.audit.face_features import Features, describe
from facade.audit.frames import Frame, aligned_frame, face_ellipse, face_patch, head_patch, sample_frame
from facade.audit.learned import folds, learned_linkage
from facade.audit.linkage import Linkage, linkage
from facade.audit.real_pairs import RealPairs, attack_pairs, find_pairs
from facade.audit.threats import ATTACKS
from facade.dataset import Face, Photograph
from facade.dataset.pixels import mirrored_points
from facade.recognition import SIDE, Recognizer, align_face, normalized
from facade.seeds import generator

GRAY = 128
# Frames of each of their own faces that a learner sees.
LEARNED_FRAMES = 4
# Minimum rank-1 rate, at the lower end of its interval, at which a network links untreated faces to another frame.
# Below, it cannot recognize people, and low rates on treated faces mean nothing.
MIN_RANK1_UNTREATED = 0.5
# The view of a face that was treated with the attacker's key.
ANOTHER = "another_treated"
# Embeddings of one face by name of the view; recognition networks by name.
Views = dict[str, np.ndarray]
Networks = Mapping[str, Recognizer]


@dataclass(frozen=True)
class FaceViews:
    """What attackers see of one face.

    Attributes:
        height: Of its label, pixels.
        networks: The embeddings of each recognition network.
        patches: Features for a learner, by patch (`face`, `head`) and view.
        frames: Features of the frames that a learner learns from, by patch.
        around: By view, unit vector of the pixels around the face.
        small: Aligned pictures by view, (56, 56, 3) uint8, for a learned restoration.
    """

    height: float
    networks: tuple[Views, ...]
    patches: Mapping[str, Mapping[str, Features]]
    frames: Mapping[str, Sequence[Features]]
    around: Views
    small: Mapping[str, np.ndarray]


def view_faces(
    source: np.ndarray,
    recoded: np.ndarray,
    treated: np.ndarray,
    restored: np.ndarray | None,
    mirrored_treated: np.ndarray | None,
    faces: Sequence[Face],
    file: str,
    networks: Sequence[Recognizer],
) -> list[FaceViews]:
    """Cut every view of some faces out of a photograph.

    The attacker knows the positions of the faces and their landmarks.

    Args:
        source: The source photograph, (H, W, 3) uint8, BGR.
        recoded: The source, encoded and decoded once more.
        treated: The anonymized photograph that detectors are trained on.
        restored: The treated photograph with the blur undone, or None if that is not possible.
        mirrored_treated: The mirrored source, treated with the attacker's key; None if nobody here can treat it. A
            learner learns from it: the treatment of a mirrored photograph is that of the photograph with another key.
        faces: The faces to view.
        file: The photograph's name, which seeds the other frames.
        networks: The recognition networks of the attacker.
    """
    width = source.shape[1]
    pictures = {"source": source, "recoded": recoded, "treated": treated}
    if mirrored_treated is not None:
        pictures[ANOTHER] = np.ascontiguousarray(mirrored_treated[:, ::-1])
    viewed = []
    for number, face in enumerate(faces):
        _, points, _ = estimate_view(face)
        frame = sample_frame(generator("audit frame", file, number))
        aligned = {
            "source": align_face(source, points),
            "recoded": align_face(recoded, points),
            "treated": align_face(treated, points),
            "frame": aligned_frame(source, points, frame),
        }
        if mirrored_treated is not None:
            aligned["mirrored_treated"] = align_face(mirrored_treated, mirrored_points(points, width))
        if restored is not None:
            aligned["reversed"] = align_face(restored, points)
        outside = ~face_ellipse()[..., None]
        plain, hidden = aligned["source"], aligned["treated"]
        aligned["surroundings"] = np.where(outside, plain, GRAY).astype(np.uint8)
        aligned["source_face"] = np.where(outside, GRAY, plain).astype(np.uint8)
        aligned["treated_face"] = np.where(outside, GRAY, hidden).astype(np.uint8)
        aligned["mirrored"] = np.ascontiguousarray(plain[:, ::-1])
        own_frames = [sample_frame(generator("learned frame", file, number, k)) for k in range(LEARNED_FRAMES)]
        small = (restoration.SIDE, restoration.SIDE)
        viewed.append(
            FaceViews(
                height=face.bbox[3],
                networks=tuple({name: one.embed(picture) for name, picture in aligned.items()} for one in networks),
                patches={
                    "face": _patches(pictures, points, face, frame, networks),
                    "head": _heads(pictures, points, frame),
                },
                frames={
                    "face": [describe(face_patch(source, points, face.bbox, one), networks) for one in own_frames],
                    "head": [describe(head_patch(source, points, one)) for one in own_frames],
                },
                around={
                    "surroundings": _around(head_patch(source, points).pixels),
                    "treated": _around(head_patch(treated, points).pixels),
                },
                small={
                    name: cv2.resize(align_face(one, points), small, interpolation=cv2.INTER_AREA)
                    for name, one in pictures.items()
                },
            )
        )
    return viewed


def _patches(
    pictures: Mapping[str, np.ndarray], points: np.ndarray, face: Face, frame: Frame, networks: Sequence[Recognizer]
) -> dict[str, Features]:
    views = {name: describe(face_patch(one, points, face.bbox), networks) for name, one in pictures.items()}
    return views | {"frame": describe(face_patch(pictures["source"], points, face.bbox, frame), networks)}


def _heads(pictures: Mapping[str, np.ndarray], points: np.ndarray, frame: Frame) -> dict[str, Features]:
    views = {name: describe(head_patch(one, points)) for name, one in pictures.items()}
    return views | {"frame": describe(head_patch(pictures["source"], points, frame))}


def _around(head: np.ndarray) -> np.ndarray:
    """Pixels of the rim of a head patch, far outside of the face: a unit vector around their mean."""
    down, across = np.mgrid[:SIDE, :SIDE]
    middle = (SIDE - 1) / 2
    rim = np.maximum(abs(down - middle), abs(across - middle)) >= 0.8 * middle
    pixels = head[rim].astype(np.float32)
    return normalized(pixels - pixels.mean())


def run_attacks(
    viewed: Sequence[FaceViews], photographs: Sequence[str], events: Mapping[str, str], networks: Networks
) -> dict[str, Linkage]:
    """Results of all possible attacks, by name.

    Of several recognition networks, those that know untreated faces in another frame are used, and the strongest
    figure of each attack counts. If none does, that upper bound is the only result of networks.

    Args:
        viewed: The views of each face.
        photographs: The photograph of each face.
        events: The event of each photograph, where it is known.
        networks: The recognition networks by name, in the order of `FaceViews.networks`.
    """
    heights = [face.height for face in viewed]
    fold = folds(photographs, events)
    restored = restoration.restore([face.small for face in viewed], fold, ANOTHER) if networks else None
    by_network = []
    for number, (name, network) in enumerate(networks.items()):
        views = [dict(face.networks[number]) for face in viewed]
        results = {"frame_untreated": _linked(views, "frame_untreated", photographs, heights)}
        if results["frame_untreated"].rank1.low >= MIN_RANK1_UNTREATED:
            for view, picture in zip(views, restored if restored is not None else (), strict=False):
                view["restored"] = network.embed(picture)
            results |= {
                attack: _linked(views, attack, photographs, heights)
                for attack, one in ATTACKS.items()
                if all(one.probe in view and one.gallery in view for view in views) and not one.patch
            }
        by_network.append({attack: replace(one, network=name) for attack, one in results.items()})
    return _learned_attacks(viewed, photographs, fold, heights) | strongest(by_network)


def pair_attacks(viewed: Sequence[FaceViews], photographs: Sequence[str], networks: Networks) -> RealPairs | None:
    """The attack on people with two photographs, by the network that finds most of them; None without a network."""
    faces = [face.patches["face"]["treated"] for face in viewed]
    described = np.stack([np.concatenate([one.pixels, one.figures]) for one in faces]).astype(np.float64)
    described = (described - described.mean(0)) / np.maximum(described.std(0), 1e-6)
    described /= np.maximum(np.linalg.norm(described, axis=1, keepdims=True), 1e-12)
    around = np.stack([face.around["surroundings"] for face in viewed])
    results = []
    for number in range(len(networks)):
        source, treated = (np.stack([face.networks[number][view] for face in viewed]) for view in ("source", "treated"))
        pairs = find_pairs(source, around, photographs)
        results.append(attack_pairs(pairs, (treated, described), source, photographs))
    return max(results, key=lambda one: one.pairs, default=None)


def strongest(by_network: Sequence[Mapping[str, Linkage]]) -> dict[str, Linkage]:
    """Of each attack, the result of the network that links most faces."""
    names = dict.fromkeys(name for one in by_network for name in one)
    return {
        name: max((one[name] for one in by_network if name in one), key=lambda at: (at.rank1.estimate, at.auc.estimate))
        for name in names
    }


def _linked(views: Sequence[Views], attack: str, photographs: Sequence[str], heights: Sequence[float]) -> Linkage:
    one = ATTACKS[attack]
    probes, gallery = (np.stack([view[name] for view in views]) for name in (one.probe, one.gallery))
    return linkage(probes, gallery, photographs, heights=heights)


def _learned_attacks(
    viewed: Sequence[FaceViews], photographs: Sequence[str], fold: np.ndarray, heights: Sequence[float]
) -> dict[str, Linkage]:
    results = {}
    for name, attack in ATTACKS.items():
        if attack.patch == "around":
            pairs = [[face.around[view] for face in viewed] for view in (attack.probe, attack.gallery)]
            results[name] = linkage(np.stack(pairs[0]), np.stack(pairs[1]), photographs, heights=heights)
        if attack.patch not in ("face", "head"):
            continue
        patches = [face.patches[attack.patch] for face in viewed]
        if any(attack.probe not in one or attack.gallery not in one for one in patches):
            continue
        frames: list[Sequence[Features]] = [face.frames[attack.patch] for face in viewed]
        # What the adversary learns from was treated with their own key; untreated faces, and those that only another
        # program can treat, have none.
        learn_from = ANOTHER if attack.probe == "treated" and ANOTHER in patches[0] else attack.probe
        if attack.gallery == ANOTHER:
            learn_from, frames = attack.probe, [[one[ANOTHER]] for one in patches]
        elif attack.gallery == "source":
            frames = [[*own, one["source"]] for own, one in zip(frames, patches, strict=True)]
        linked = learned_linkage(
            [one[attack.probe] for one in patches],
            [one[attack.gallery] for one in patches],
            [one[learn_from] for one in patches],
            frames,
            photographs,
            fold,
            heights,
        )
        if linked is not None:
            results[name] = linked
    return results


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


def treat_mirrored(source: np.ndarray, photograph: Photograph, treatment: Treatment) -> np.ndarray:
    """The mirrored photograph with the same treatment: the gallery of an attacker who knows the method (parrot attack).

    The flip stands for other pictures of the same people. Without it, the gallery would equal the treated photograph
    pixel by pixel, and every blurred face would be linked.
    """
    flipped = np.ascontiguousarray(source[:, ::-1])
    return treatment(flipped, mirror_labels(photograph)).pixels
