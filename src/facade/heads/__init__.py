"""Where synthetic faces come from: formulas, or a folder of pictures."""

from facade.heads.head import Light, Pose, draw_light, draw_portrait
from facade.heads.identity import Identity, draw_identity
from facade.heads.portrait import Portrait

__all__ = ["Identity", "Light", "Portrait", "Pose", "draw_identity", "draw_light", "draw_portrait"]
