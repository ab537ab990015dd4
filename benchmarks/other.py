"""Another renderer for comparison: a folder with gen.py, which renders heads, and comp.py, which composites them."""

import importlib
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
from drawing import FACE_FRACTION, Tile, Turn


class OtherRenderer:
    """The heads of the other renderer. Angles in degrees, with its own signs; colors RGB."""

    def __init__(self, folder: Path) -> None:
        if not (folder / "gen.py").is_file() or not (folder / "comp.py").is_file():
            raise SystemExit(f"--other: {folder} must hold gen.py and comp.py.")
        sys.path.insert(0, str(folder))
        self._gen: ModuleType = importlib.import_module("gen")
        self._comp: ModuleType | None = None

    def tile(self, random: np.random.Generator, back: np.ndarray, turn: Turn, rays: int) -> Tile:
        """See `drawing.Renderer`."""
        identity, expression, pose, light = self.person(random)
        pose[0] = turn(float(pose[0]))
        drawn = self._gen.render_face(identity, expression, pose, light, len(back), rays, face_frac=FACE_FRACTION)
        pixels = self._gen.finish(drawn, random, back=back[..., ::-1])[..., ::-1].astype(np.float32)
        left, top, right, bottom = (float(value) for value in drawn["box"])
        bbox = (left, top, right - left, bottom - top)
        return Tile(pixels, np.asarray(drawn["lm"]), np.asarray(drawn["vis"], bool), bbox)

    def person(self, random: np.random.Generator) -> tuple:
        """A random identity, expression, pose and light: the argument of `draw`."""
        gen = self._gen
        identity = gen.sample_identity(random)
        expression, pose, light = (
            gen.sample_expression(random, identity[0]),
            gen.sample_pose(random),
            gen.sample_light(random),
        )
        gen.expose(light, identity[0], random)
        return identity, expression, pose, light

    def draw(self, person: tuple, size: int, rays: int) -> dict:
        """Render a person whose face fills a tile of `size` pixels."""
        return self._gen.render_face(*person, size, rays, face_frac=1.0)

    def replace(self, image: np.ndarray, bbox: tuple[float, ...], keypoints: np.ndarray, seed: int) -> np.ndarray:
        """Replace one face of a photograph.

        Args:
            image: (H, W, 3) uint8, BGR.
            bbox: The face, x y w h in pixels.
            keypoints: (5, 2), x y in pixels.
            seed: Seed of the synthetic identity.

        Returns:
            (H, W, 3) uint8, BGR.
        """
        # Imported here: only compositing needs it, and it needs scikit-image.
        self._comp = self._comp or importlib.import_module("comp")
        x, y, w, h = bbox
        colors = image[..., ::-1].astype(float) / 255
        treated, _ = self._comp.composite(colors, keypoints, np.array([x, y, x + w, y + h]), seed)
        return np.ascontiguousarray(np.rint(np.clip(treated[..., ::-1], 0, 1) * 255).astype(np.uint8))
