"""Train the stand-in attacker, unless weights of face recognition are given.   (dvc repro attacker)"""

from pathlib import Path

from facade.audit.attacker import train_attacker
from facade.off import switch_off
from facade.params import Params
from facade.stage import stage


@stage
def attacker(params: Params) -> None:
    into = Path("models/attacker")
    if params.audit.recognition is None:
        train_attacker(params.audit.people, into)
    else:
        switch_off(into, "audit.recognition is given")
