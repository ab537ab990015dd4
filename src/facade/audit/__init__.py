"""Who is still there: what anonymized photographs still show, measured; and the gate in front of training."""
