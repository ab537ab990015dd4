"""The dossier: what a finished experiment did to faces and what it found, in one signed folder (docs/dossier.md)."""
