"""Privacy audit of anonymized photographs: coverage, re-identification and metadata; and the gate of training."""
