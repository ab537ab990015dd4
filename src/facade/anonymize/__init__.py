"""Treatments of faces: blur, pixelate, blank, or replace by a synthetic face."""

from facade.anonymize.blur_faces import BlurFaces
from facade.anonymize.treat import leave_faces, treat

__all__ = ["BlurFaces", "leave_faces", "treat"]
