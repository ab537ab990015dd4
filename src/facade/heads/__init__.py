"""Procedural heads: identity, expression, pose and light, and the renderer."""

from facade.heads.develop import develop, expose
from facade.heads.expression import Expression, sample_expression
from facade.heads.head import Head, render_head
from facade.heads.identity import Identity, sample_identity
from facade.heads.light import Light, sample_light
from facade.heads.pose import Pose, View, sample_pose

__all__ = [
    "Expression",
    "Head",
    "Identity",
    "Light",
    "Pose",
    "View",
    "develop",
    "expose",
    "render_head",
    "sample_expression",
    "sample_identity",
    "sample_light",
    "sample_pose",
]  # fmt: skip
