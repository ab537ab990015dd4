"""What is done to faces: blurred, pixelated, blanked, or replaced by a synthetic face."""

from facade.anonymize.blur_faces import BlurFaces
from facade.anonymize.treat import keep, treat

__all__ = ["BlurFaces", "keep", "treat"]
