"""The source of synthetic faces that params.yaml asks for."""

from facade.params import Synthesize
from facade.sources.bank import FaceBank
from facade.sources.diffusion import DiffusionFaces
from facade.sources.procedural import ProceduralHeads
from facade.sources.source import FaceSource


def source_of(params: Synthesize) -> FaceSource:
    """The source by its name.

    Raises:
        FacadeError: It cannot be made: a folder or a model is missing.
    """
    if params.source == "bank":
        return FaceBank(params.bank, params.bank_weights, params.bank_recognition)
    if params.source == "diffusion":
        return DiffusionFaces(params.diffusion)
    return ProceduralHeads(params.cover)
