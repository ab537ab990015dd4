"""Replacing faces as the pipeline's `synthesize` stage does, by the settings of params.yaml."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from printing import HERE

from facade.anonymize.replace_faces import ReplaceFaces
from facade.dataset import Photograph
from facade.params import load
from facade.secret_key import DEMO
from facade.sources.bank import FaceBank
from facade.sources.procedural import ProceduralHeads

# A photograph, (H, W, 3) uint8, BGR, and its labels in; a copy with its faces replaced out.
Replace = Callable[[np.ndarray, Photograph], np.ndarray]


def replacing(bank: Path | None = None, bank_weights: Path | None = None) -> Replace:
    """Replaces faces by procedural heads, or by pictures of a bank.

    Args:
        bank: A folder of pictures of synthetic faces; None for procedural heads.
        bank_weights: What finds landmarks in them; None for the publisher's.
    """
    params = load(HERE.parent / "params.yaml").synthesize
    source = FaceBank(bank, bank_weights, params.bank_recognition) if bank else ProceduralHeads(params.cover)
    treat = ReplaceFaces(params, source, DEMO)
    return lambda image, photograph: treat(image, photograph).pixels
