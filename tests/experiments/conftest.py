"""Small studies, written as the detect stage writes them."""

from tests.measure.conftest import write_study

__all__ = ["write_study"]
