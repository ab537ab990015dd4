"""Contact sheets of synthetic faces, for docs/.   facade sheets docs/faces   (make faces)"""

from collections.abc import Callable
from pathlib import Path
from typing import get_args

import cv2
import numpy as np

from facade.anonymize.replace_faces import ReplaceFaces
from facade.dataset import Photograph
from facade.demo.photograph import draw_scene
from facade.heads import (
    Expression,
    Light,
    Pose,
    View,
    develop,
    expose,
    render_head,
    sample_expression,
    sample_identity,
    sample_light,
    sample_pose,
)  # fmt: skip
from facade.params import Attribute, load
from facade.secret_key import DEMO
from facade.seeds import generator
from facade.sources.procedural import ProceduralHeads

# The face's height as a share of its tile: room for hair and shoulders.
SHARE = 0.62
# A soft studio light.
STUDIO = Light((0.35, 0.5, 0.9), (0.6, 0.6, 0.6), (0.4, 0.4, 0.4), (0.25, 0.25, 0.25))
LIGHTS = {
    "flash": Light((0.0, 0.15, 1.0), (0.75,) * 3, (0.2,) * 3, (0.12,) * 3),
    "lamp from the left": Light((-0.9, 0.4, 0.5), (0.9, 0.85, 0.75), (0.15, 0.16, 0.18), (0.1,) * 3),
    "noon": Light((0.2, 1.0, 0.25), (0.8, 0.78, 0.72), (0.22, 0.24, 0.28), (0.2, 0.19, 0.17)),
    "overcast": Light((0.0, 1.0, 0.3), (0.1,) * 3, (0.6, 0.62, 0.66), (0.35,) * 3),
    "window on the right": Light((1.0, 0.3, 0.25), (0.75, 0.77, 0.82), (0.16,) * 3, (0.12,) * 3),
    "evening": Light((-0.6, 0.1, 0.6), (0.85, 0.55, 0.3), (0.14, 0.16, 0.24), (0.08,) * 3),
}
WALL = np.array([0.62, 0.60, 0.58], np.float32)


def portrait(number: int, size: int, light: Light | None = None, **changes: Pose | Expression) -> np.ndarray:
    """A portrait of person `number`, (size, size, 3) uint8, BGR; with a random light if none is given."""
    random = generator("sheet", number)
    identity, expression, pose, random_light = (
        sample_identity(random),
        sample_expression(random),
        sample_pose(random),
        sample_light(random),
    )
    expression, pose = changes.get("expression", expression), changes.get("pose", pose)  # type: ignore[assignment]
    view = View.of_face(pose, SHARE * size, size / 2, size / 2)
    head = render_head(
        identity, expression, view, expose(light or random_light, identity, generator("exposure")), (size, size), rays=2
    )
    alpha = head.alpha[..., None]
    return (255 * np.clip(develop(head.linear) * alpha + WALL * (1 - alpha), 0, 1)).astype(np.uint8)


def identities() -> np.ndarray:
    """48 identities."""
    return grid([portrait(number, 128) for number in range(48)], 8)


def poses() -> np.ndarray:
    """Three people from profile to profile, and looking down and up."""
    angles = [*(Pose(yaw) for yaw in (-85, -60, -30, 0, 30, 60, 85)), Pose(0, -25), Pose(0, 25), Pose(20, 5, 25)]
    return grid([portrait(number, 112, STUDIO, pose=pose) for number in (6, 15, 41) for pose in angles], len(angles))


def lights() -> np.ndarray:
    """Four people in six lights."""
    straight = Pose(12, 3, 0)
    return grid([portrait(n, 128, light, pose=straight) for n in (3, 9, 22, 30) for light in LIGHTS.values()], 6)


def expressions() -> np.ndarray:
    """Three people with six expressions."""
    shown = [
        Expression(), Expression(smile=0.7), Expression(smile=1.0, open=0.7, jaw=0.4), Expression(open=1.4, jaw=1.2),
        Expression(lid=0.97), Expression(brow_raise=0.5, gaze_x=0.35, lid=0.0),
    ]  # fmt: skip
    return grid(
        [portrait(n, 128, STUDIO, pose=Pose(), expression=one) for n in (6, 12, 30) for one in shown], len(shown)
    )


def sizes() -> np.ndarray:
    """The same people at face heights of 16 to 256 px; the small ones are enlarged 4, 3 and 2 times."""
    rows = []
    for height, scale, count in ((16, 4, 16), (24, 3, 14), (40, 2, 12), (72, 1, 8)):
        tiles = [portrait(number, round(height / SHARE), None) for number in range(count)]
        rows.append(
            np.hstack([cv2.resize(t, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST) for t in tiles])
        )
    large = np.hstack([portrait(number, round(256 / SHARE), STUDIO) for number in (22, 3)])
    width = min(row.shape[1] for row in (*rows, large))
    return np.vstack([row[:, :width] for row in (*rows, large)])


def replaced() -> np.ndarray:
    """Faces of the demo; below them, pseudonyms that take nothing from them, and some that take all. None exists."""
    synthesize = load().synthesize
    replacements = [
        ReplaceFaces(synthesize.model_copy(update={"keep": keep}), ProceduralHeads(synthesize.cover), DEMO)
        for keep in ((), get_args(Attribute))
    ]
    columns: list[np.ndarray] = []
    number = 0
    while len(columns) < 16:
        scene = draw_scene(generator("sheet of pseudonyms", number), 360, with_people=True)
        height, width = scene.pixels.shape[:2]
        photograph = Photograph(f"{number}.jpg", width, height, scene.faces)
        versions = [scene.pixels, *(replace(scene.pixels, photograph).pixels for replace in replacements)]
        for face in scene.faces:
            x, y, w, h = face.bbox
            middle, half = (int(x + w / 2), int(y + h / 2)), int(0.75 * h)
            left, top = middle[0] - half, middle[1] - half
            if h > 45 and left >= 0 and top >= 0 and left + 2 * half <= width and top + 2 * half <= height:
                parts = [p[top : top + 2 * half, left : left + 2 * half] for p in versions]
                columns.append(
                    np.vstack([cv2.resize(part, (120, 120), interpolation=cv2.INTER_AREA) for part in parts])
                )
        number += 1
    return grid(columns[:16], 8)


def grid(tiles: list[np.ndarray], columns: int) -> np.ndarray:
    """Tiles of equal size, arranged in rows."""
    return np.vstack([np.hstack(tiles[start : start + columns]) for start in range(0, len(tiles), columns)])


SHEETS: tuple[Callable[[], np.ndarray], ...] = (identities, poses, lights, expressions, sizes, replaced)


def write_sheets(folder: Path) -> None:
    """Write every sheet into a folder, as JPEG, which is small enough for git."""
    folder.mkdir(parents=True, exist_ok=True)
    for sheet in SHEETS:
        _, content = cv2.imencode(".jpg", sheet(), (cv2.IMWRITE_JPEG_QUALITY, 88))
        (folder / f"{sheet.__name__}.jpg").write_bytes(content.tobytes())
