"""Cost against linkage rate, from the output of `dvc exp show`."""

import csv
import io

from facade.report.plane import draw_plane, experiment_points, plane_table
from facade.report.style import save


def state(sigma, cost, linked, parrot=0.9, method="gaussian"):
    def rate(value):
        return {"rank1": value, "rank1_low": value / 2, "rank1_high": min(1.0, value * 1.5)}

    attacks = {"recognition": rate(linked / 2), "reversed": rate(linked), "parrot": rate(parrot)}
    verdict = {
        "blur_vs_raw": {"AP50": cost, "AP50_low": cost - 0.05, "AP50_high": cost + 0.05},
        "pseudo_vs_raw": {"AP50": -0.01, "AP50_low": -0.04, "AP50_high": 0.02},
    }
    privacy = {"attacker": "a network", "reidentification": {"chance_rank1": 0.005, **attacks}}
    pseudonyms = {"attacker": "a network", "reidentification": {"chance_rank1": 0.005, "recognition": rate(0.02)}}
    return {
        "metrics": {
            "metrics/golden.json": {"data": {"verdict": verdict, "golden": {"synthetic": True}}},
            "metrics/privacy/blur.json": {"data": privacy},
            "metrics/privacy/pseudo.json": {"data": pseudonyms},
        },
        "params": {
            "params.yaml": {
                "data": {"blur": {"method": method, "sigma": sigma, "cells": 6},
                         "synthesize": {"source": "procedural", "keep": ["pose"]}}
            }
        },
    }  # fmt: skip


SHOWN = [
    {"rev": "workspace", "name": None, "data": state(8, -0.3, 0.1), "experiments": None},
    {
        "rev": "abcdef1234", "name": "main", "data": state(8, -0.3, 0.1),
        "experiments": [
            {"name": "weak", "revs": [{"rev": "1", "data": state(2, -0.1, 0.8)}]},
            {"name": "worse", "revs": [{"rev": "2", "data": state(4, -0.4, 0.5)}]},
            {"name": "mosaic", "revs": [{"rev": "3", "data": state(4, -0.2, 0.3, method="pixelate")}]},
            {"name": "failed", "revs": None},
            {"name": "unmeasured", "revs": [{"rev": "4", "data": {"metrics": {}, "params": {}}}]},
        ],
    },
]  # fmt: skip


def test_each_treatment_is_one_point_per_attack():
    points = experiment_points(SHOWN)
    blurred = {(one.treatment, one.attack) for one in points if one.arm == "blur"}
    assert blurred == {
        (treatment, attack)
        for treatment in ("sigma 8 %", "sigma 2 %", "sigma 4 %", "6 cells")
        for attack in ("recognition", "reversed", "parrot")
    }
    assert [one.treatment for one in points if one.arm == "pseudo"] == ["procedural, keeps pose"]


def test_table_has_the_values_of_the_points():
    rows = list(csv.DictReader(io.StringIO(plane_table(experiment_points(SHOWN)))))
    weak = next(row for row in rows if row["experiment"] == "weak" and row["attack"] == "reversed")
    assert (float(weak["AP50"]), float(weak["rank1"]), weak["attacker"]) == (-0.1, 0.8, "a network")


def test_pareto_front_excludes_dominated_points_and_figure_is_repeatable(tmp_path):
    figure = draw_plane(experiment_points(SHOWN))
    front = figure.axes[0].lines
    stepped = next(line for line in front if line.get_linestyle() == ":")
    costs = list(stepped.get_ydata())
    assert -0.4 not in costs, "sigma 4 costs more than pixelation and links more faces"
    assert costs == sorted(costs)
    for name in ("a.png", "b.png"):
        save(draw_plane(experiment_points(SHOWN)), tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_experiments_without_measurements_have_no_points():
    assert experiment_points([{"rev": "workspace", "name": None, "data": {}, "experiments": []}]) == []
