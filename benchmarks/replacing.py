"""Replace faces as the stage `synthesize` does, with the settings of params.yaml."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from printing import HERE

from facade.anonymize.pseudonyms import build_pseudonyms
from facade.dataset import Photograph
from facade.params import load
from facade.secret_key import DEMO

# From a photograph, (H, W, 3) uint8, BGR, and its labels to a copy with replaced faces.
Replace = Callable[[np.ndarray, Photograph], np.ndarray]


def replacing(bank: Path | None = None, bank_weights: Path | None = None) -> Replace:
    """A function that replaces faces by procedural heads, or by pictures of a face bank.

    Args:
        bank: A folder of pictures of synthetic faces; None for procedural heads.
        bank_weights: Weights that detect landmarks in them; None for the publisher's.
    """
    params = load(HERE.parent / "params.yaml").synthesize
    source = {"source": "bank", "bank": bank, "bank_weights": bank_weights} if bank else {"source": "procedural"}
    treat = build_pseudonyms(params.model_copy(update=source), key=DEMO).treatment
    return lambda image, photograph: treat(image, photograph).pixels
