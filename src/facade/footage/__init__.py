"""Anonymize photographs and videos of your own with a trained detector."""
