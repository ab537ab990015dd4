"""Audit the privacy of an arm, and write its gate.   python stages/audit.py blur   (dvc repro audit@blur)"""

from pathlib import Path

from facade.anonymize.factory import build_treatment
from facade.anonymize.treat import Treatment
from facade.audit.attacker import WEIGHTS, describe_attacker
from facade.audit.audit_arm import Attacker, audit_arm
from facade.audit.criteria import AuditResult, audit_metrics, audit_report, exceeded_limits
from facade.audit.leaks import data_set_leaks, paths_in
from facade.audit.unlabelled import read_unlabelled
from facade.dataset import Photographs
from facade.dataset.concatenate import is_concatenation
from facade.dataset.extra_boxes import read_extra_boxes
from facade.dataset.records import without_landmarks
from facade.errors import FacadeError
from facade.files import write_json
from facade.gate import write_gate
from facade.params import Params
from facade.stage import arm_argument, stage

UNLABELLED, EXTRA_BOXES = Path("data/unlabelled.json"), Path("data/extra-boxes.json")
# The attacker knows the method but not the secret key, and uses this one.
ATTACKER_KEY = "audit"


def attackers_treatment(name: str, params: Params) -> Treatment | None:
    kind = params.treatment_of(name)
    return None if kind == "external" else build_treatment(kind, params.for_arm(name), key=ATTACKER_KEY).treatment


def attacker(params: Params, synthetic: bool) -> Attacker | None:
    if params.audit.recognition:
        names = " and ".join(path.name for path in params.audit.recognition)
        return Attacker(params.audit.recognition, False, f"face recognition by {names}")
    # The stand-in is trained on drawn faces only, so its failure on real faces would prove nothing.
    stand_in = Path("models/attacker")
    return Attacker((stand_in / WEIGHTS,), True, describe_attacker(stand_in)) if synthetic else None


def known_misses(name: str) -> Photographs | None:
    """Those that follow the training photographs: the ledger has them for blur and pseudo."""
    folder = Path("data/misses") / name
    return Photographs(folder) if folder.is_dir() else None


def check_same_photographs(name: str, source: Photographs, treated: Photographs) -> None:
    misses = known_misses(name)
    if misses is None:
        same = list(treated) == [without_landmarks(one) for one in source]
    else:
        same = is_concatenation(source, misses, treated)
    if not same:
        raise FacadeError(f"data/{name} is not data/train followed by the known misses. Run `dvc repro` again.")


@stage
def audit(params: Params) -> None:
    name = arm_argument([arm for arm in params.arm_names if arm != "raw"])
    source, treated = Photographs("data/train"), Photographs(Path("data") / name)
    report_path, metrics_path = Path("privacy") / f"{name}.json", Path("metrics/privacy") / f"{name}.json"
    if params.is_control(name):
        # It shows every face on purpose, as raw does.
        write_json(report_path, {"control": params.treatment_of(name)})
        write_json(metrics_path, {"control": params.treatment_of(name)})
        write_gate(name, treated, passed=True)
        return
    check_same_photographs(name, source, treated)
    network = attacker(params, source.synthetic)
    result = AuditResult(
        synthetic=source.synthetic,
        arm=audit_arm(
            source,
            treated,
            read_extra_boxes(EXTRA_BOXES),
            attackers_treatment(name, params),
            params.for_arm(name).blur if params.treatment_of(name) == "blur" else None,
            network,
            params.audit,
            params.codec,
        ),
        attacker=network,
        unlabelled=read_unlabelled(UNLABELLED, EXTRA_BOXES),
        leaks=data_set_leaks(treated, paths_in(params.model_dump())),
    )
    report = audit_report(result, params.audit)
    # Written even if the audit fails, so that the reasons can be inspected.
    write_json(report_path, report)
    write_json(metrics_path, audit_metrics(report))
    write_gate(name, treated, report["passed"])
    if not report["passed"]:
        raise FacadeError(
            f"the privacy audit of {name} failed: {'; '.join(report['stopped_by'])}. "
            "What to do: docs/privacy.md, When the gate is closed."
        )
    for failure in exceeded_limits(result, params.audit):
        print(f"audit {name}: with real people this would fail the audit: {failure}")
