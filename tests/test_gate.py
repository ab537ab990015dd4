"""The gate: training starts on photographs that passed their audit, and on no others."""

import json

import pytest

from facade.errors import FacadeError
from facade.gate import data_hash, gate_path, require_passed_gate, write_gate
from tests.conftest import noise


@pytest.fixture
def photographs(make_store, tmp_path, monkeypatch):
    store = make_store({"a.jpg": (noise(20, 30), ())}, "blur")
    monkeypatch.chdir(tmp_path)
    return store


def test_photographs_that_passed_may_be_trained_on(photographs):
    write_gate("blur", photographs, passed=True)
    require_passed_gate("blur", photographs)
    content = json.loads(gate_path("blur").read_text())
    assert content == {"arm": "blur", "passed": True, "data": photographs.fingerprint()[:16]}
    assert len(data_hash(photographs)) == 16


@pytest.mark.parametrize(
    "content",
    ['{"arm": "blur", "passed": false, "data": "X"}', '{"arm": "blur", "passed": 1, "data": "X"}',
     '{"arm": "blur", "passed": "true", "data": "X"}', '{"arm": "blur", "data": "X"}', "[]", "null", "true"],
)  # fmt: skip
def test_a_gate_that_does_not_say_passed_is_closed(photographs, content):
    """Nothing but `true` opens it, even with the right data."""
    gate_path("blur").parent.mkdir()
    gate_path("blur").write_text(content.replace("X", data_hash(photographs)))
    with pytest.raises(FacadeError, match=r"refusing to train on .*blur: its privacy audit failed.*privacy/blur\.json"):
        require_passed_gate("blur", photographs)


def test_a_missing_gate_is_closed(photographs):
    with pytest.raises(FacadeError, match=r"gates/blur\.json is missing"):
        require_passed_gate("blur", photographs)


@pytest.mark.parametrize("changed", ["picture", "labels", "gate"])
def test_a_gate_of_other_photographs_is_closed(photographs, changed):
    write_gate("blur", photographs, passed=True)
    if changed == "picture":
        (photographs.images / "a.jpg").write_bytes(b"other")
    elif changed == "labels":
        photographs.annotations.write_text(photographs.annotations.read_text() + " ")
    else:
        content = json.loads(gate_path("blur").read_text())
        gate_path("blur").write_text(json.dumps({"arm": content["arm"], "passed": True}))
    with pytest.raises(FacadeError, match=r"gates/blur\.json belongs to other photographs. Run `dvc repro audit@blur`"):
        require_passed_gate("blur", photographs)


def test_the_stage_of_an_extra_arm_has_its_own_name(photographs):
    gate_path("mild").parent.mkdir()
    gate_path("mild").write_text('{"passed": true, "data": "other"}')
    with pytest.raises(FacadeError, match="Run `dvc repro audit-arm@mild`"):
        require_passed_gate("mild", photographs)
