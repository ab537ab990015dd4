"""Train the stand-in attacker, unless audit.recognition is set.   python stages/attacker.py   (dvc repro attacker)"""

from pathlib import Path

from facade.audit.attacker import train_attacker
from facade.files import write_empty_directory
from facade.params import Params
from facade.stage import stage


@stage
def attacker(params: Params) -> None:
    into = Path("models/attacker")
    if not params.audit.recognition:
        train_attacker(params.audit.identities, into)
    else:
        write_empty_directory(into)  # audit.recognition is set
