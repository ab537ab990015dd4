"""params.yaml is validated before a stage starts."""

import pytest
from ruamel.yaml import YAML

from facade.errors import FacadeError
from facade.params import Params, load, load_or_default, stage_of
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
