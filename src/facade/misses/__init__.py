"""What the detector is known to miss: recorded without keeping anybody's face, reviewed, and trained on."""
