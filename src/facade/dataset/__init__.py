"""Labelled photographs: reading external data sets, and storing our own."""

from facade.dataset.records import Face, Labelled, Photograph
from facade.dataset.store import Photographs, encode

__all__ = ["Face", "Labelled", "Photograph", "Photographs", "encode"]
