"""Sweeps: what they queue, and the page that is written of what came out."""

from itertools import pairwise

import pytest
from ruamel.yaml import YAML

from facade.errors import FacadeError
from facade.experiments.sweep import SWEEPS, labelled, own_alone, page, read_sweep
from facade.params import Params
from facade.report.plane import points
from tests.conftest import REPOSITORY
from tests.report.test_plane import state

NAMES = list(YAML(typ="safe", pure=True).load((REPOSITORY / SWEEPS).read_text()))


def experiment(name: str, sigma: float, cost: float, linked: float) -> dict:
    data = state(sigma, cost, linked)
    golden = data["metrics"]["metrics/golden.json"]["data"]
    golden["verdict"] |= {"metric": "AP50", "margin": 0.03}
    golden["verdict"]["blur_against_raw"]["answer"] = "inferior"
    golden["golden"] |= {"photographs": 100, "faces": 264, "seeds": 4}
    golden |= {"blur": {"AP50": 0.7 + cost}, "pseudo": {"AP50": 0.69}}
    return {"name": name, "revs": [{"rev": "1", "data": data}]}


SHOWN = [
    {"rev": "workspace", "name": None, "data": {}, "experiments": None},
    {
        "rev": "abcdef1234", "name": "main", "data": {},
        "experiments": [
            experiment("dose-response-1-1", 2, -0.1, 0.8),
            experiment("dose-response-1-2", 16, -0.4, 0.03),
            experiment("methods-1-1", 4, -0.2, 0.5),
            {"name": "dose-response-1-3", "revs": None},
        ],
    },
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_every_sweep_sets_parameters_that_there_are(name):
    sweep = read_sweep(name, REPOSITORY / SWEEPS)
    yaml = YAML(typ="safe", pure=True)
    for command in sweep.commands:
        values = yaml.load((REPOSITORY / "params.yaml").read_text())
        assert command[:4] == ["dvc", "exp", "run", "--queue"]
        for word, setting in pairwise(command):
            if word == "-S":
                name, _, text = setting.partition("=")
                section, key = name.split(".")
                assert key in values[section]
                values[section][key] = yaml.load(text if text.startswith("[") else text.split(",")[0])
        Params.model_validate(values)


def test_a_page_has_a_row_for_each_experiment_of_the_sweep_alone():
    sweep = read_sweep("dose-response", REPOSITORY / SWEEPS)
    text = page(sweep, own_alone(sweep, SHOWN), "")
    rows = [line for line in text.splitlines() if line.startswith("| blur")]
    assert len(rows) == 2
    assert "sigma 2 %" in rows[0]
    assert "0.600" in rows[0]
    assert rows[0].endswith("| no |")
    assert rows[1].endswith("| yes |"), "0.03 times 1.5 is below five percent"
    assert "say nothing about real faces" in text
    assert "dvc exp run --queue -S blur.sigma=2,4,8,16,32" in text
    assert "**3 of 5 experiments did not come to their end**" in text


def test_points_that_are_treated_alike_are_told_apart_by_what_was_set():
    sweep = read_sweep("training-size", REPOSITORY / SWEEPS)
    alike = [experiment(f"training-size-1-{n}", 8, -0.1 * n, 0.5) for n in (1, 2)]
    for number, one in enumerate(alike):
        one["revs"][0]["data"]["params"]["params.yaml"]["data"]["demo"] = {"train": 50 * (number + 1)}
    shown = own_alone(sweep, [{**SHOWN[1], "experiments": alike}])
    drawn = labelled([one for one in points(shown) if one.arm == "blur"], sweep, shown)
    assert {one.treatment for one in drawn} == {"demo.train=50", "demo.train=100"}


def test_an_experiment_that_equals_the_baseline_is_drawn():
    sweep = read_sweep("methods", REPOSITORY / SWEEPS)
    baseline = [{**SHOWN[1], "data": experiment("methods-1-1", 4, -0.2, 0.5)["revs"][0]["data"]}]
    drawn = points(own_alone(sweep, baseline))
    assert {one.experiment for one in drawn} == {"methods-1-1"}


def test_a_sweep_that_did_not_run_gets_a_sentence():
    seeds = read_sweep("seeds", REPOSITORY / SWEEPS)
    with pytest.raises(FacadeError, match="dvc queue logs"):
        page(seeds, own_alone(seeds, SHOWN), "")
    with pytest.raises(FacadeError, match="There are dose-response"):
        read_sweep("nothing", REPOSITORY / SWEEPS)
