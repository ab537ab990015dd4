"""What a source of synthetic faces offers, and the one that draws them by formulas."""

from dataclasses import replace
from typing import Protocol

import numpy as np

from facade.heads.head import FACE_ALONE, Light, Pose, draw_portrait
from facade.heads.identity import draw_identity
from facade.heads.portrait import Portrait


class FaceSource(Protocol):
    """Gives synthetic faces. Who comes is decided by the random generator and by nothing else."""

    def portrait(self, random: np.random.Generator, pose: Pose, face_height: float) -> Portrait:
        """A face held as asked, as far as the source has one, about `face_height` pixels high."""
        ...


class ProceduralHeads:
    """Heads drawn by formulas: no weights, no photograph, nobody's face."""

    def portrait(self, random: np.random.Generator, pose: Pose, face_height: float) -> Portrait:
        """A face drawn in the pose asked for, in soft light from the front; without hair, which people keep."""
        who = replace(draw_identity(random), style="bald")
        return draw_portrait(who, pose, Light((0.2, 0.45, 1.0), 0.55, 0.6), face_height, FACE_ALONE)
