"""A head that is a formula: who, doing what, held how, in what light; and the picture of it."""

from facade.heads.develop import develop, exposed
from facade.heads.expression import Expression, draw_expression
from facade.heads.head import Head, draw_head
from facade.heads.identity import Identity, draw_identity
from facade.heads.light import Light, draw_light
from facade.heads.pose import Pose, View, draw_pose

__all__ = [
    "Expression", "Head", "Identity", "Light", "Pose", "View", "develop", "draw_expression", "draw_head",
    "draw_identity", "draw_light", "draw_pose", "exposed",
]  # fmt: skip
