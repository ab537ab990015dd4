"""Small evaluations, in the format of the detect stage."""

from tests.measure.conftest import write_evaluation

__all__ = ["write_evaluation"]
