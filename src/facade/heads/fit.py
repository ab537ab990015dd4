"""Fit the view of a head to five landmarks of a picture."""

from functools import cache

import numpy as np

from facade.heads.anatomy import Anatomy, build
from facade.heads.expression import Expression
from facade.heads.identity import mean_identity
from facade.heads.pose import DISTANCE, PIVOT, Pose, View

# Weights of the landmarks: eyes are annotated most precisely, and mouths move.
WEIGHTS = np.array([1.0, 1.0, 0.8, 0.7, 0.7])
# Penalty per degree of yaw and pitch, in landmark errors of an eye-to-mouth distance: five points barely separate a
# short nose from a raised chin. These values minimize the pitch error on rendered people with landmark noise of 5 %
# (4.9 degrees), and nearly so at 3 % (4.0; a smaller penalty gives 3.8). Roll has no penalty.
YAW_PRIOR, PITCH_PRIOR = 0.0015, 0.005
MAX_YAW, MAX_PITCH = 88.0, 45.0
# Gauss-Newton steps from each start; six suffice for convergence.
STEPS = 8
STARTS = (-40.0, 0.0, 40.0)


@cache
def mean_head() -> Anatomy:
    """The mean head, with its landmarks and skin."""
    return build(mean_identity(), Expression(smile=0.5), pixel=0.25, with_body=False)


def fit_view(keypoints: np.ndarray, landmarks: np.ndarray, starts: tuple[float, ...] = STARTS) -> tuple[View, float]:
    """The view that best fits a head's landmarks to those of a picture, with a prior for frontal poses.

    Gauss-Newton from several initial yaws; the best result is returned.

    Args:
        keypoints: (5, 2) float, x y in pixels.
        landmarks: (5, 3) float, landmarks of the head, cm.
        starts: Initial yaws, degrees.

    Returns:
        The view, and the root mean square error in eye-to-mouth distances.
    """
    eyes, mouth = keypoints[:2].mean(0), keypoints[3:].mean(0)
    unit = max(float(np.linalg.norm(mouth - eyes)), float(np.linalg.norm(keypoints[1] - keypoints[0])), 1e-3)
    down = mouth - eyes
    roll = float(np.degrees(np.arctan2(-down[0], down[1])))
    scale = np.log(unit / 6.4)
    results = []
    for yaw in starts:
        state = np.array([yaw, 0.0, roll, scale, *keypoints.mean(0)])
        for _ in range(STEPS):
            # Forward differences of all six parameters at once: degrees, logarithm of the scale, pixels.
            nudges = np.vstack([np.zeros(6), np.diag([0.1, 0.1, 0.1, 1e-3, 0.01 * unit, 0.01 * unit])])
            residuals = _residuals(state + nudges, keypoints, landmarks, unit)
            jacobian = ((residuals[1:] - residuals[0]) / nudges[1:].sum(1)[:, None]).T
            damped = jacobian.T @ jacobian + 1e-9 * np.eye(6)
            step = -np.linalg.solve(damped, jacobian.T @ residuals[0])
            # Limit the step: the opposite profile fits nearly as well.
            step[:3] = np.clip(step[:3], -25, 25)
            step[3] = np.clip(step[3], -0.3, 0.3)
            state = state + step
            state[0] = np.clip(state[0], -MAX_YAW, MAX_YAW)
            state[1] = np.clip(state[1], -MAX_PITCH, MAX_PITCH)
        results.append((float((_residuals(state[None], keypoints, landmarks, unit)[0] ** 2).sum()), state))
    _, state = min(results, key=lambda result: result[0])
    view = View(Pose(*(float(v) for v in state[:3])), float(np.exp(state[3])), float(state[4]), float(state[5]))
    error = np.sqrt((((view.project(landmarks) - keypoints) / unit) ** 2).sum(1).mean())
    return view, float(error)


def _residuals(states: np.ndarray, keypoints: np.ndarray, landmarks: np.ndarray, unit: float) -> np.ndarray:
    """(N, 12) weighted errors of N views (N, 6), priors last."""
    yaw, pitch, roll = np.radians(states[:, :3] * (1, -1, -1)).T
    x, y, z = (landmarks - PIVOT).T
    # About the vertical axis, then the horizontal, then the line of sight, as in `Pose.rotation`.
    x, z = np.outer(np.cos(yaw), x) + np.outer(np.sin(yaw), z), np.outer(np.cos(yaw), z) - np.outer(np.sin(yaw), x)
    cos, sin = np.cos(pitch)[:, None], np.sin(pitch)[:, None]
    y, z = cos * y - sin * z, sin * y + cos * z
    cos, sin = np.cos(roll)[:, None], np.sin(roll)[:, None]
    x, y = cos * x - sin * y, sin * x + cos * y
    near = np.exp(states[:, 3:4]) * DISTANCE / (DISTANCE - z)
    errors_x = (states[:, 4:5] + x * near - keypoints[:, 0]) * WEIGHTS / unit
    errors_y = (states[:, 5:6] - y * near - keypoints[:, 1]) * WEIGHTS / unit
    return np.concatenate([errors_x, errors_y, YAW_PRIOR * states[:, :1], PITCH_PRIOR * states[:, 1:2]], axis=1)
