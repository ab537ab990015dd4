"""Render the demo photographs.   python stages/demo.py   (dvc repro demo)"""

from pathlib import Path

from facade.demo import write_demo
from facade.params import Params
from facade.stage import stage


@stage
def demo(params: Params) -> None:
    write_demo(params.demo, params.codec, Path("data/demo"))
