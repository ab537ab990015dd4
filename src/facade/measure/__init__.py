"""Metrics of detectors on the golden set: matching, average precision, bootstrap and verdict."""
