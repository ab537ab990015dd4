"""Sweeps: the commands that they queue, and the page of results."""

from itertools import pairwise

import pytest
from ruamel.yaml import YAML

from facade.errors import FacadeError
from facade.experiments.sweep import SWEEPS, own_experiments, page, read_sweep, with_parameter_labels
from facade.params import Params
from facade.report.plane import experiment_points
from tests.conftest import REPOSITORY
from tests.report.test_plane import state

NAMES = list(YAML(typ="safe", pure=True).load((REPOSITORY / SWEEPS).read_text()))


def experiment(name: str, sigma: float, cost: float, linked: float) -> dict:
    data = state(sigma, cost, linked)
    golden = data["metrics"]["metrics/golden.json"]["data"]
    golden["verdict"] |= {"metric": "AP50", "margin": 0.03}
    golden["verdict"]["blur_vs_raw"]["verdict"] = "inferior"
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
def test_every_sweep_sets_existing_parameters(name):
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


def test_page_has_a_row_for_each_experiment_of_the_sweep_only():
    sweep = read_sweep("dose-response", REPOSITORY / SWEEPS)
    text = page(sweep, own_experiments(sweep, SHOWN), "")
    rows = [line for line in text.splitlines() if line.startswith("| blur")]
    assert len(rows) == 2
    assert "sigma 2 %" in rows[0]
    assert "0.600" in rows[0]
    assert rows[0].endswith("| no |")
    assert rows[1].endswith("| yes |"), "0.03 times 1.5 is below 5 %"
    assert "say nothing about real faces" in text
    assert "dvc exp run --queue -S blur.sigma=2,4,8,16,32" in text
    assert "**3 of 5 experiments did not finish**" in text


def test_points_with_the_same_treatment_are_labelled_by_their_parameters():
    sweep = read_sweep("training-size", REPOSITORY / SWEEPS)
    alike = [experiment(f"training-size-1-{n}", 8, -0.1 * n, 0.5) for n in (1, 2)]
    for number, one in enumerate(alike):
        one["revs"][0]["data"]["params"]["params.yaml"]["data"]["demo"] = {"train": 50 * (number + 1)}
    shown = own_experiments(sweep, [{**SHOWN[1], "experiments": alike}])
    drawn = with_parameter_labels([one for one in experiment_points(shown) if one.arm == "blur"], sweep, shown)
    assert {one.treatment for one in drawn} == {"demo.train=50", "demo.train=100"}


def test_experiment_equal_to_the_baseline_is_shown():
    sweep = read_sweep("methods", REPOSITORY / SWEEPS)
    baseline = [{**SHOWN[1], "data": experiment("methods-1-1", 4, -0.2, 0.5)["revs"][0]["data"]}]
    drawn = experiment_points(own_experiments(sweep, baseline))
    assert {one.experiment for one in drawn} == {"methods-1-1"}


def test_unknown_or_unfinished_sweep_is_rejected():
    seeds = read_sweep("seeds", REPOSITORY / SWEEPS)
    with pytest.raises(FacadeError, match="dvc queue logs"):
        page(seeds, own_experiments(seeds, SHOWN), "")
    with pytest.raises(FacadeError, match="Choose one of dose-response"):
        read_sweep("nothing", REPOSITORY / SWEEPS)
