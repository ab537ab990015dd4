"""The layout of a dossier: names of its files, and the version of its description."""

# Changes with the keys of dossier.json. docs/dossier.md lists them.
SCHEMA = "facade-dossier/1"
DOSSIER, PAGE = "dossier.json", "index.html"
# Copies of the files that the figures come from, byte for byte as `dvc.lock` records them; and of the figures.
EVIDENCE, PICTURES = "evidence", "pictures"
