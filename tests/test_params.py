"""params.yaml is validated before a stage starts."""

import pytest
from pydantic import ValidationError
from ruamel.yaml import YAML

from facade.errors import FacadeError
from facade.params import Params, Section, load, load_or_default, stage_of
from tests.conftest import REPOSITORY


def write(path, **changes):
    yaml = YAML()
    values = yaml.load(REPOSITORY / "params.yaml")
    for name, value in changes.items():
        section, _, key = name.partition("__")
        values[section][key] = value
    yaml.dump(values, path / "params.yaml")
    return path / "params.yaml"


def test_the_repositorys_parameters_are_valid_and_immutable(params):
    assert params.train.seeds[0] == 0
    with pytest.raises(Exception, match="frozen"):
        params.blur.sigma = 3


def test_the_defaults_equal_params_yaml(params):
    assert Params() == params
    # Cache keys hash the text: 4 and 4.0 must not differ.
    assert repr(Params()) == repr(params)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"blur__sigma": 0}, "blur.sigma: Input should be greater than 0"),
        ({"blur__sigma": float("nan")}, "blur.sigma"),
        ({"blur__strength": 3}, "blur.strength: Extra inputs are not permitted"),
        ({"blur__method": "smudge"}, "blur.method: Input should be 'gaussian', 'pixelate' or 'solid'"),
        ({"train__seeds": []}, "train.seeds"),
        ({"train__seeds": [1, 1]}, r"train: seeds \[1, 1\] has a duplicate"),
        ({"train__scale": [2, 1]}, r"train: scale \[2.0, 1.0\] is reversed"),
        ({"detector__strides": [8, 32]}, r"detector: strides \[8, 32\] must each be twice the previous"),
        ({"codec__quality": 101}, "codec.quality"),
        (
            {"arms__extra": {"blur": {"treatment": "blur", "photographs": "data/train"}}},
            "extra.blur: the name is taken",
        ),
        ({"arms__extra": {"x": {"treatment": "blur", "photographs": "/data"}}}, "extra.x: blur is made of data/train"),
        ({"arms__extra": {"x": {"treatment": "blur"}}}, r"arms\.extra\.x\.photographs: Field required"),
        (
            {"arms__extra": {"x": {"treatment": "blur", "photographs": "data/train", "settings": {"sigma": 0}}}},
            r"arms\.extra\.x\.settings\.sigma: Input should be greater than 0",
        ),
        (
            {"arms__extra": {"x": {"treatment": "drop", "photographs": "data/train", "settings": {"part": 1}}}},
            r"arms\.extra\.x\.settings\.part: Extra inputs are not permitted",
        ),
        (
            {"arms__raw": False, "arms__extra": {"x": {"treatment": "decoy", "photographs": "data/train"}}},
            "extra.x is a control, and compared with raw, which is off",
        ),
        ({"ingest__max_megapixels": 1e9}, "ingest.max_megapixels"),
        (
            {"arms__extra": {"x": {"treatment": "external", "photographs": "/d", "settings": {"untreated": "leave"}}}},
            r"arms\.extra\.x\.settings\.untreated: Input should be 'fail' or 'blur'",
        ),
        (
            {"arms__extra": {"x": {"treatment": "recode", "photographs": "data/train", "settings": {"share": 50}}}},
            "extra.x: recode has no settings",
        ),
    ],
)
def test_an_invalid_value_is_reported_with_its_name(tmp_path, change, message):
    with pytest.raises(FacadeError, match=f"invalid values: .*{message}"):
        load(write(tmp_path, **change))


@pytest.mark.parametrize(
    ("section", "key", "name"),
    [("blur", "sigma", "blur.sigma"), ("blur", None, "blur"), ("ingest.domain", "shake", "ingest.domain.shake")],
)
def test_a_missing_parameter_is_reported_with_its_name(tmp_path, section, key, name):
    """DVC tracks no value that the file lacks, so a default must not take its place."""
    yaml = YAML()
    values = yaml.load(REPOSITORY / "params.yaml")
    *parents, last = [*section.split("."), *([key] if key else [])]
    parent = values
    for part in parents:
        parent = parent[part]
    del parent[last]
    yaml.dump(values, tmp_path / "params.yaml")
    with pytest.raises(FacadeError, match=f"params.yaml lacks {name}\\. Add"):
        load(tmp_path / "params.yaml")


@pytest.mark.parametrize("text", ["", "blur: [", "just words", "\xff", "blur: 3"])
def test_a_file_without_parameters_is_refused(tmp_path, text):
    (tmp_path / "params.yaml").write_bytes(text.encode("latin-1"))
    with pytest.raises(FacadeError, match=r"params\.yaml"):
        load(tmp_path / "params.yaml")


def test_a_missing_file_is_reported(tmp_path):
    with pytest.raises(FacadeError, match="top folder"):
        load(tmp_path / "params.yaml")


def test_defaults_apply_only_where_there_is_no_file(tmp_path):
    assert load_or_default(tmp_path / "params.yaml") == Params()
    assert load_or_default(write(tmp_path, blur__sigma=3)).blur.sigma == 3
    (tmp_path / "params.yaml").write_text("blur: [")
    with pytest.raises(FacadeError, match="not valid YAML"):
        load_or_default(tmp_path / "params.yaml")


@pytest.mark.parametrize(
    ("verb", "arm", "stage"),
    [("train", "raw", "train-raw"), ("audit", "blur", "audit@blur"), ("detect", "pseudo", "detect@pseudo"),
     ("train", "mild", "train-arm@mild"), ("audit", "mild", "audit-arm@mild")],
)  # fmt: skip
def test_messages_name_the_stages_of_dvc_yaml(verb, arm, stage):
    defined = YAML(typ="safe").load(REPOSITORY / "dvc.yaml")["stages"]
    name, _, key = stage.partition("@")
    assert stage_of(verb, arm) == stage
    assert "foreach" in defined[name] if name.endswith("-arm") else not key or key in defined[name]["matrix"]["arm"]


def test_an_extra_arm_has_settings_of_its_own(params):
    extra = {"mild": {"treatment": "blur", "photographs": "data/train", "settings": {"sigma": 4}}}
    values = params.model_dump() | {"arms": {"raw": True, "extra": extra}}
    own = Params.model_validate(values)
    assert own.for_arm("mild").blur == params.blur.model_copy(update={"sigma": 4.0})
    assert own.for_arm("blur").blur == params.blur
    assert own.arm_names == ["raw", "blur", "pseudo", "mild"]
    assert own.anonymized_arms == ["blur", "pseudo", "mild"]


# The smallest and largest accepted values, each with a value beyond; None where there is no end.
BOUNDS = {
    "demo.seed": (0, -1, 2**31 - 1, 2**31),
    "demo.train": (1, 0, None, None),
    "demo.golden": (1, 0, None, None),
    "demo.size": (64, 63, 4096, 4097),
    "ingest.golden_share": (0.1, 0, 99.9, 100),
    "ingest.min_face": (0, -0.1, None, None),
    "ingest.max_unreadable": (0, -0.1, 100, 100.1),
    "ingest.max_megapixels": (0.1, 0, 178, 178.1),
    "ingest.duplicate_distance": (0, -1, 32, 33),
    "ingest.misses_repeat": (1, 0, 100, 101),
    "codec.quality": (1, 0, 100, 101),
    "blur.sigma": (0.1, 0, 100, 100.1),
    "blur.cells": (1, 0, 64, 65),
    "blur.widen": (0, -0.1, 100, 100.1),
    "blur.feather": (0, -0.1, 100, 100.1),
    "blur.sigma_jitter": (1, 0.9, 8, 8.1),
    "blur.decoys": (0, -1, 8, 9),
    "synthesize.feather": (0, -0.1, 100, 100.1),
    "synthesize.diffusion.steps": (1, 0, None, None),
    "synthesize.diffusion.guidance": (1, 0.9, None, None),
    "synthesize.diffusion.strength": (0.1, 0, 1, 1.1),
    "synthesize.diffusion.size": (64, 56, None, None),
    "synthesize.diffusion.batch": (1, 0, None, None),
    "audit.min_score": (0.01, 0, 0.99, 1),
    "audit.identities": (4, 3, None, None),
    "audit.min_face_height": (8, 7.9, None, None),
    "audit.max_faces": (2, 1, None, None),
    "audit.max_untreated": (0, -1, None, None),
    "audit.max_unlabelled": (0, -1, None, None),
    "audit.max_reid": (0, -0.1, 100, 100.1),
    "audit.max_parrot": (0, -0.1, 100, 100.1),
    "audit.max_learned": (0, -0.1, 100, 100.1),
    "patches.sigma": (0.1, 0, 100, 100.1),
    "detector.channels": (1, 0, None, None),
    "detector.convs": (1, 0, None, None),
    "pretrain.photographs": (1, 0, None, None),
    "pretrain.seed": (0, -1, 2**31 - 1, 2**31),
    "pretrain.size": (64, 63, 4096, 4097),
    "pretrain.epochs": (1, 0, None, None),
    "train.epochs": (1, 0, None, None),
    "train.batch": (1, 0, None, None),
    "train.learning_rate": (1e-9, 0, None, None),
    "train.weight_decay": (0, -0.1, None, None),
    "train.warmup": (0, -0.1, 0.99, 1),
    "train.crop": (64, 32, None, None),
    "train.face_crops": (0, -1, 100, 100.1),
    "train.min_visible": (0, -1, 100, 100.1),
    "train.ema_decay": (0, -0.1, 0.999, 1),
    "train.val_interval": (0, -1, None, None),
    "train.devices": (1, 0, None, None),
    "train.runs_per_gpu": (1, 0, None, None),
    "train.threads": (1, 0, None, None),
    "detect.size": (64, 63, None, None),
    "detect.min_score": (0, -0.1, 0.99, 1),
    "detect.nms": (0.1, 0, 1, 1.1),
    "detect.max_detections": (1, 0, None, None),
    "evaluate.calibration": (0, -0.1, 50, 50.1),
    "evaluate.iou": (0.01, 0, 0.99, 1),
    "evaluate.margin": (0.01, 0, 0.99, 1),
    "evaluate.alpha": (0.01, 0, 0.49, 0.5),
    "evaluate.bootstrap_samples": (100, 99, 100_000, 100_001),
}
PAIRS = {
    "ingest.domain.field_of_view": (10, 9.9, 170, 170.1),
    "ingest.domain.electrons": (0.1, 0, 1e5, 1.1e5),
    "ingest.domain.shake": (0.1, 0, 25, 25.1),
    "ingest.domain.shrink": (1, 0.9, 32, 32.1),
    "pretrain.face_height": (2, 1.9, None, None),
    "train.scale": (0.01, 0, None, None),
}


def accepts(name: str, value: object) -> bool:
    content: object = value
    for key in reversed(name.split(".")):
        content = {key: content}
    try:
        Params.model_validate(content)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize("name", BOUNDS)
def test_every_number_has_the_bounds_that_it_is_meant_for(name):
    low, below, high, above = BOUNDS[name]
    assert accepts(name, low)
    assert not accepts(name, below)
    assert high is None or (accepts(name, high) and not accepts(name, above))


@pytest.mark.parametrize("name", PAIRS)
def test_both_ends_of_a_range_have_their_bounds_and_their_order(name):
    low, below, high, above = PAIRS[name]
    top = 1000 if high is None else high
    assert accepts(name, [low, top])
    assert accepts(name, [low, low])
    assert not accepts(name, [below, top])
    assert not accepts(name, [below, below])
    assert not accepts(name, [top, low]), "reversed"
    assert high is None or (not accepts(name, [low, above]) and not accepts(name, [above, above]))


def test_the_tables_name_every_number():
    """A new parameter gets its bounds here, too."""

    def numbers(section, prefix=""):
        for name in type(section).model_fields:
            value = getattr(section, name)
            if isinstance(value, Section):
                yield from numbers(value, f"{prefix}{name}.")
            elif type(value) in (int, float):
                yield prefix + name

    choices = {"codec.subsampling"}
    assert set(numbers(Params())) - choices == set(BOUNDS) - {"train.devices"}


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("evaluate.looks", [2, 3], [3, 3]),
        ("evaluate.looks", [2], [1]),
        ("evaluate.further_margins", [0.01, 0.99], [1]),
        ("evaluate.further_margins", [], [0]),
        ("evaluate.relative_margins", [0.1, 99.9], [100]),
        ("evaluate.relative_margins", [], [0]),
        ("train.seeds", [0], []),
        ("train.seeds", [0, 2**31 - 1], [0, 2**31]),
        ("detector.strides", [4, 8, 16, 32, 64], [2, 4, 8, 16, 32, 64]),
        ("detector.strides", [8], []),
        ("synthesize.diffusion.size", 72, 68),
        ("train.crop", 96, 80),
        ("codec.subsampling", 420, 422),
    ],
)
def test_lists_and_steps_have_their_rules(name, good, bad):
    assert accepts(name, good)
    assert not accepts(name, bad)
