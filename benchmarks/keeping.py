"""Stores benchmark ratios of a commit in results/<commit>.json, with a description of the machine.

python benchmarks/keeping.py plots all of them to results/ratios.png.
"""

import json
import os
from datetime import datetime, timezone
from typing import Any

import numpy as np
from printing import HERE, commit, machine, versions

from facade.files import write_json

RESULTS = HERE / "results"
# Set by `make bench`. Single runs may use other settings and are not stored.
KEEP = "FACADE_KEEP_RESULTS"


def keep(name: str, ratios: np.ndarray | list[float], goal: float, sample: str) -> None:
    """Store a ratio if the script runs in `make bench` and `src` has no uncommitted changes.

    Args:
        name: What is compared.
        ratios: Ratios measured side by side in one run, one per round. Median and range are stored.
        goal: Minimum ratio to reach.
        sample: Description and size of the sample.
    """
    label = commit()
    if KEEP not in os.environ or label.endswith("+"):
        return
    path = RESULTS / f"{label}.json"
    content: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    content |= {"commit": label, "date": f"{datetime.now(timezone.utc):%Y-%m-%d}", "machine": machine()}
    content["versions"] = versions()
    values = [float(f"{value:.4g}") for value in (np.median(ratios), np.min(ratios), np.max(ratios))]
    entry = dict(zip(("median", "low", "high"), values, strict=True)) | {"goal": goal, "sample": sample}
    content.setdefault("ratios", {})[name] = entry
    write_json(path, content)


def draw() -> None:
    """Plot every ratio over the commits, ordered by date, with its goal."""
    from matplotlib.figure import Figure

    contents = (json.loads(path.read_text()) for path in RESULTS.glob("*.json"))
    # anonymize.json holds tables, and no ratios.
    results = sorted((one for one in contents if "ratios" in one), key=lambda one: one["date"])
    if not results:
        raise SystemExit("No results yet. Run `make bench` on a commit.")
    names = list(dict.fromkeys(name for one in results for name in one["ratios"]))
    machines = list(dict.fromkeys(one["machine"] for one in results))
    rows = -(-len(names) // 2)
    figure = Figure(figsize=(10, 1.9 * rows + 0.8), layout="constrained")
    for axes, name in zip(figure.subplots(rows, 2, squeeze=False).flat, [*names, *[None] * (2 * rows - len(names))]):  # noqa: B905
        if name is None:
            axes.axis("off")
            continue
        for number, computer in enumerate(machines):
            own = [
                (index, one["ratios"][name])
                for index, one in enumerate(results)
                if one["machine"] == computer and name in one["ratios"]
            ]
            indices = [index for index, _ in own]
            medians = np.array([entry["median"] for _, entry in own])
            errors = np.abs(np.array([[entry["low"], entry["high"]] for _, entry in own]).T - medians)
            axes.errorbar(indices, medians, errors, fmt="o", color=f"C{number}", capsize=3, label=computer)
            goal = own[-1][1]["goal"] if own else None
        axes.axhline(goal, color="grey", linestyle="--", linewidth=1)
        axes.set_title(name, fontsize=9)
        axes.set_xticks(range(len(results)), [one["commit"] for one in results], fontsize=7)
        axes.set_xlim(-0.5, len(results) - 0.5)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    title = "Medians and ranges over the rounds of one run; dashed: goal"
    figure.suptitle(title, fontsize=10)
    figure.legend(handles, labels, loc="outside lower center", fontsize=8)
    figure.savefig(RESULTS / "ratios.png", dpi=100, metadata={"Software": None})


if __name__ == "__main__":
    draw()
