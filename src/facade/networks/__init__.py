"""Other people's face detectors, each behind one protocol: the reference lines beside the detectors trained here."""
