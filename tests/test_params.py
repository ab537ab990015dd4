"""params.yaml is checked before any stage works."""

import pytest
from ruamel.yaml import YAML

from facade.errors import FacadeError
from facade.params import load
from tests.conftest import REPOSITORY


def write(path, **changes):
    yaml = YAML()
    values = yaml.load(REPOSITORY / "params.yaml")
    for name, value in changes.items():
        section, _, key = name.partition("__")
        values[section][key] = value
    yaml.dump(values, path / "params.yaml")
    return path / "params.yaml"


def test_the_repositorys_own_parameters_are_sound(params):
    assert params.train.seeds[0] == 0
    with pytest.raises(Exception, match="frozen"):
        params.blur.sigma = 3


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"blur__sigma": 0}, "blur.sigma: Input should be greater than 0"),
        ({"blur__sigma": float("nan")}, "blur.sigma"),
        ({"blur__strength": 3}, "blur.strength: Extra inputs are not permitted"),
        ({"blur__method": "smudge"}, "blur.method: Input should be 'gaussian', 'pixelate' or 'solid'"),
        ({"train__seeds": []}, "train.seeds"),
        ({"train__seeds": [1, 1]}, r"train: seeds \[1, 1\] holds a seed twice"),
        ({"train__scale": [2, 1]}, r"train: scale \[2.0, 1.0\] falls"),
        ({"detector__strides": [8, 32]}, r"detector: strides \[8, 32\] do not double"),
        ({"codec__quality": 101}, "codec.quality"),
        ({"ingest__max_megapixels": 1e9}, "ingest.max_megapixels"),
    ],
)
def test_a_value_that_cannot_be_is_named(tmp_path, change, sentence):
    with pytest.raises(FacadeError, match=f"values that cannot be: .*{sentence}"):
        load(write(tmp_path, **change))


@pytest.mark.parametrize("text", ["", "blur: [", "just words", "\xff", "blur: 3"])
def test_a_file_that_is_no_parameters_gets_a_sentence(tmp_path, text):
    (tmp_path / "params.yaml").write_bytes(text.encode("latin-1"))
    with pytest.raises(FacadeError, match=r"params\.yaml"):
        load(tmp_path / "params.yaml")


def test_a_missing_file_gets_a_sentence(tmp_path):
    with pytest.raises(FacadeError, match="top folder"):
        load(tmp_path / "params.yaml")
