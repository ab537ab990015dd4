"""Who is still there? Audit an anonymized arm, and open its gate or not.   python stages/audit.py blur

dvc repro audit@blur
"""

from pathlib import Path

from facade.anonymize import BlurFaces
from facade.anonymize.replace_faces import ReplaceFaces
from facade.anonymize.treat import Treatment
from facade.audit.attacker import WEIGHTS, about
from facade.audit.audit_arm import Attacker, look
from facade.audit.criteria import Audited, for_people, summary
from facade.audit.leaks import data_set_leaks, paths_in
from facade.audit.unlabelled import read_unlabelled
from facade.dataset import Photographs
from facade.dataset.concatenate import is_concatenation
from facade.dataset.extra_boxes import read_extra_boxes
from facade.errors import FacadeError
from facade.files import write_json
from facade.gate import write_gate
from facade.params import Params
from facade.sources.from_params import source_of
from facade.stage import ANONYMIZED, arm, stage

FOUND, ALSO = Path("data/unlabelled.json"), Path("data/also-treat.json")
# The key of somebody who knows the method, and not the key.
ANOTHER_KEY = "audit"


def treatment(name: str, params: Params) -> Treatment:
    if name == "blur":
        return BlurFaces(params.blur)
    return ReplaceFaces(params.synthesize, source_of(params.synthesize), ANOTHER_KEY)


def attacker(params: Params, synthetic: bool) -> Attacker | None:
    if params.audit.recognition is not None:
        return Attacker(params.audit.recognition, False, f"face recognition by {params.audit.recognition.name}")
    # The stand-in knows drawn faces alone: that it does not know a real one says nothing.
    stand_in = Path("models/attacker")
    return Attacker(stand_in / WEIGHTS, True, about(stand_in)) if synthetic else None


@stage
def audit(params: Params) -> None:
    name = arm(ANONYMIZED)
    source, treated = Photographs("data/train"), Photographs(Path("data") / name)
    if not is_concatenation(source, Photographs(Path("data/misses") / name), treated):
        raise FacadeError(f"data/{name} is not data/train with the known misses behind it. Run `dvc repro` again.")
    who = attacker(params, source.synthetic)
    audited = Audited(
        synthetic=source.synthetic,
        seen=look(
            source,
            treated,
            read_extra_boxes(ALSO),
            treatment(name, params),
            params.blur if name == "blur" else None,
            who,
            params.audit,
            params.codec,
        ),
        attacker=who,
        unlabelled=read_unlabelled(FOUND, ALSO),
        leaks=data_set_leaks(treated, paths_in(params.model_dump())),
    )
    told = summary(audited, params.audit)
    # Written in any case: whoever is stopped wants to know why.
    write_json(Path("metrics/privacy") / f"{name}.json", told)
    write_gate(name, treated, told["passed"])
    if not told["passed"]:
        raise FacadeError(
            f"the {name} arm still shows somebody, or that is not known: {told['stopped_by']}. "
            "What to do: docs/privacy.md, Where the gate is shut."
        )
    for shortfall in for_people(audited, params.audit):
        print(f"audit {name}: with real people this would stop training: {shortfall}")
