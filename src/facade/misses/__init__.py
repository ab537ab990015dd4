"""Known misses of the detector: recorded in anonymized photographs, reviewed, and used for training."""
