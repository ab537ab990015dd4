"""Video containers that are written. A module of its own: the plan of a run needs it, and not FFmpeg."""

# FFmpeg's names of containers for H.264 and the usual audio codecs; Matroska takes any codec.
CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}
