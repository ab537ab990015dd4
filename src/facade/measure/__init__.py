"""How well detectors find faces: matching, average precision, curves."""
