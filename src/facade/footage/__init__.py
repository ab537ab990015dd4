"""Photographs and videos of somebody's own, anonymized with a trained detector: what the experiment is for."""
