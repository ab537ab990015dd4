"""Other people's face detectors behind one protocol, as references for the detectors trained here."""
