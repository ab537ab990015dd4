"""Make the photographs of an arm of arms.extra.   python stages/arm.py deface   (dvc repro arm@deface)"""

from pathlib import Path

from facade.anonymize import leave_faces, treat
from facade.anonymize.blur_faces import BlurFaces
from facade.anonymize.controls import BlurDecoys, Recode, drop_photographs
from facade.anonymize.external import read_treated
from facade.anonymize.factory import build_treatment
from facade.anonymize.treat import BuiltTreatment
from facade.audit.complete import BlurUntreated
from facade.dataset import Photographs
from facade.dataset.extra_boxes import read_extra_boxes
from facade.files import scratch_directory
from facade.params import DropSettings, ExternalSettings, ExtraArm, Params
from facade.stage import arm_argument, stage


def build(extra: ExtraArm, photographs: Photographs, params: Params) -> BuiltTreatment:
    kind = extra.treatment
    if kind == "external":
        # The folder's content has no name: what was begun is not gone on with.
        read = read_treated(extra.photographs, photographs, params.ingest.max_megapixels)
        if ExternalSettings.model_validate(extra.settings).untreated == "fail":
            return BuiltTreatment(read, None)
        blur = BlurFaces(params.blur.model_copy(update={"decoys": 0}))
        return BuiltTreatment(BlurUntreated(read, blur, params.codec), None)
    if kind == "recode":
        return BuiltTreatment(Recode(params.codec), "recode")
    if kind == "decoy":
        return BuiltTreatment(BlurDecoys(params.blur), f"decoy {params.blur!r}")
    return build_treatment(kind, params, synthetic=photographs.synthetic)


@stage
def arm(params: Params) -> None:
    name = arm_argument(list(params.arms.extra))
    extra, own, into = params.arms.extra[name], params.for_arm(name), Path("data") / name
    photographs = Photographs("data/train")
    if extra.treatment == "drop":
        with scratch_directory(Path("data") / f".{name}-raw.partial") as temporary:
            raw = temporary / "raw"
            treat(photographs, leave_faces, raw, params.codec, name)
            share = DropSettings.model_validate(extra.settings).share
            drop_photographs(Photographs(raw), into, share, params.evaluate.calibration)
        return
    built = build(extra, photographs, own)
    counts = treat(
        photographs,
        built.treatment,
        into,
        params.codec,
        name,
        extra_boxes=read_extra_boxes(Path("data/extra-boxes.json")) if not extra.is_control else None,
        resume_key=built.cache_key,
    )
    if counts:
        print(f"{name}: {', '.join(f'{key} {count}' for key, count in sorted(counts.items()))}")
