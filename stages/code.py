"""Write a digest of the code of each stage, which comments and docstrings do not change.   (dvc repro code)"""

from facade.params import Params
from facade.stage import stage
from facade.stage_code import write_digests


@stage
def code(params: Params) -> None:
    del params
    write_digests()
