"""Facial expression and gaze, independent of identity."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Expression:
    """A facial expression.

    Attributes:
        smile: 0 (none) to 1 (broad).
        open: Height of the open mouth, cm.
        jaw: How far the jaw is lowered, cm.
        brow_raise: How far the brows are raised, cm.
        lid: How far the upper lids are lowered, 0 (open) to 1 (shut).
        gaze_x: Gaze, radians to the right of the picture.
        gaze_y: Gaze, radians upward.
    """

    smile: float = 0.0
    open: float = 0.0
    jaw: float = 0.0
    brow_raise: float = 0.0
    lid: float = 0.05
    gaze_x: float = 0.0
    gaze_y: float = 0.0


def sample_expression(random: np.random.Generator) -> Expression:
    """Sample an expression: people in front of a camera mostly smile, some speak, few have their eyes shut."""
    chance, smile, mouth, shut = random.random(4).tolist()
    brow, lid, gaze_x, gaze_y = random.standard_normal(4).clip(-2, 2).tolist()
    if chance < 0.28:
        smile, opened, dropped = 0.25 * smile, 0.0, 0.0
    elif chance < 0.50:
        smile, opened, dropped = 0.3 + 0.5 * smile, 0.0, 0.0
    elif chance < 0.88:
        smile, opened = 0.6 + 0.45 * smile, 0.4 + 0.5 * mouth
        dropped = 0.6 * opened
    else:
        smile, opened = 0.0, 0.2 + 1.4 * mouth
        dropped = 0.9 * opened
    lowered = 0.97 if shut < 0.03 else min(max(0.05 + 0.10 * lid + 0.30 * max(0.0, smile - 0.3), 0.0), 0.5)
    return Expression(smile, opened, dropped, 0.15 * brow, lowered, 0.10 * gaze_x, 0.05 * gaze_y)
