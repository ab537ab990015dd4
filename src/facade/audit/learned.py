"""A linkage attack by an adversary who learns: canonical correlations of treated faces and source faces.

The adversary knows the treatment, not its key. They treat photographs of their own, with a key of their own, and learn
which features of a treated face go with which features of its source. Then they attack photographs that they have not
learned from.

Each side is reduced to principal components, block by block; a ridge-regularized canonical correlation analysis
(Hotelling, 1936; Vinod, 1976) finds the directions in which the two sides correlate; faces are compared by the cosine
of their canonical variates, weighted by the squared correlations.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh

from facade.audit.face_features import Features
from facade.audit.linkage import Linkage, linkage

# Maximum number of principal components of each block of features, and of canonical variates; and faces to learn from
# per component.
COMPONENTS, VARIATES = {"pixels": 60, "figures": 17, "embedding": 20}, 60
FACES_PER_COMPONENT = 4
# Share of the mean variance that regularizes each covariance; power of the correlations that weights variates.
RIDGE, POWER = 0.1, 2.0
# With fewer faces to learn from, there is no attack.
MIN_FACES = 30
FOLDS = 2
# Variance, relative to the first component, that damps the whitening of small components, which are noise.
DAMPING = 1e-3
TINY = 1e-6


def folds(photographs: Sequence[str], events: Mapping[str, str]) -> np.ndarray:
    """The fold of each face, (N,) int: photographs of one event, or else a photograph, stay together.

    Args:
        photographs: The photograph of each face.
        events: The event of each photograph; photographs without one are events of their own.
    """
    sizes = Counter(events.get(file, file) for file in photographs)
    if len(sizes) < FOLDS:
        sizes, events = Counter(photographs), {}
    # The largest first, each to the smaller fold.
    order = sorted(sizes, key=lambda event: (-sizes[event], hashlib.sha256(f"fold {event}".encode()).digest()))
    filled, fold_of = [0] * FOLDS, {}
    for event in order:
        fold_of[event] = filled.index(min(filled))
        filled[fold_of[event]] += sizes[event]
    return np.array([fold_of[events.get(file, file)] for file in photographs], int)


def learned_linkage(
    probes: Sequence[Features],
    gallery: Sequence[Features],
    learn_probes: Sequence[Features],
    learn_gallery: Sequence[Sequence[Features]],
    photographs: Sequence[str],
    fold: np.ndarray,
    heights: Sequence[float] | None = None,
) -> Linkage | None:
    """Link faces of each fold with what was learned from the others.

    Args:
        probes: The treated faces, (N,).
        gallery: Their sources, (N,).
        learn_probes: The same faces as the adversary treated them, (N,).
        learn_gallery: Sources, several frames of each face, (N, K).
        photographs: The photograph of each face.
        fold: From `folds`.
        heights: Height of each face, pixels, for figures by height.

    Returns:
        The result; None with too few faces to learn from.
    """
    if min(np.bincount(fold, minlength=FOLDS).tolist()) < MIN_FACES:
        return None
    width = min(VARIATES, len(probes))  # of the unit vectors that are compared
    left, right = (np.zeros((len(probes), width), np.float32) for _ in range(2))
    for number in range(FOLDS):
        known, attacked = np.flatnonzero(fold != number).tolist(), np.flatnonzero(fold == number).tolist()
        model = _learn([learn_probes[one] for one in known], [learn_gallery[one] for one in known])
        u, v = model.project([probes[one] for one in attacked], [gallery[one] for one in attacked])
        left[attacked, : u.shape[1]], right[attacked, : v.shape[1]] = u, v
    return linkage(left, right, photographs, groups=fold, heights=heights)


@dataclass(frozen=True)
class _Components:
    """Whitened principal components of the blocks of features."""

    means: list[np.ndarray]
    projections: list[np.ndarray]

    def __call__(self, blocks: Sequence[np.ndarray]) -> np.ndarray:
        parts = zip(blocks, self.means, self.projections, strict=True)
        return np.concatenate([(block - mean) @ projection for block, mean, projection in parts], axis=1)


@dataclass(frozen=True)
class _Model:
    left: _Components
    right: _Components
    to_left: np.ndarray
    to_right: np.ndarray
    weights: np.ndarray

    def project(self, probes: Sequence[Features], gallery: Sequence[Features]) -> tuple[np.ndarray, np.ndarray]:
        """Unit vectors of probes and gallery, whose cosine is their similarity."""
        u = self.left(_blocks(probes)) @ self.to_left * self.weights
        v = self.right(_blocks(gallery)) @ self.to_right * self.weights
        return _unit(u), _unit(v)


def _learn(probes: Sequence[Features], gallery: Sequence[Sequence[Features]]) -> _Model:
    frames = len(gallery[0])
    left_blocks = _blocks(probes)
    left = _components(left_blocks)
    # The components are those of one frame of each face: more would be slower, and no better.
    right = _components(_blocks([face[0] for face in gallery]))
    x = np.repeat(left(left_blocks), frames, axis=0)
    y = right(_blocks([frame for face in gallery for frame in face]))
    whiten_x, whiten_y = _inverse_root(x.T @ x / len(x)), _inverse_root(y.T @ y / len(y))
    u, correlations, v = np.linalg.svd(whiten_x @ (x.T @ y / len(x)) @ whiten_y)
    kept = min(len(correlations), VARIATES)
    weights = np.clip(correlations[:kept], 0, 1) ** POWER
    return _Model(left, right, whiten_x @ u[:, :kept], whiten_y @ v[:kept].T, weights)


def _blocks(faces: Sequence[Features]) -> list[np.ndarray]:
    return [np.stack(block).astype(np.float64) for block in zip(*faces, strict=True)]


def _components(blocks: Sequence[np.ndarray]) -> _Components:
    means, projections = [], []
    for block, (name, most) in zip(blocks, COMPONENTS.items(), strict=True):
        if not block.shape[1]:
            means.append(np.zeros(0))
            projections.append(np.zeros((0, 0)))
            continue
        mean = block.mean(0)
        spread = block.std(0) if name == "figures" else np.ones(block.shape[1])
        scale = 1 / np.maximum(spread, TINY)
        centered = (block - mean) * scale
        size = block.shape[1]
        kept = min(most, max(1, len(block) // FACES_PER_COMPONENT), size)
        values, axes = eigh(centered.T @ centered / len(block), subset_by_index=(size - kept, size - 1))
        damped = np.sqrt(np.maximum(values, 0) + DAMPING * values[-1])
        means.append(mean)
        projections.append(scale[:, None] * axes / np.maximum(damped, TINY))
    return _Components(means, projections)


def _inverse_root(covariance: np.ndarray) -> np.ndarray:
    """Inverse square root of a regularized covariance."""
    size = len(covariance)
    ridge = RIDGE * float(np.trace(covariance)) / size
    values, vectors = np.linalg.eigh((1 - RIDGE) * covariance + ridge * np.eye(size))
    return np.asarray(vectors / np.sqrt(values) @ vectors.T)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
