"""Facade: train a face detector on raw, blurred and pseudonymized photographs, and measure what it loses."""
