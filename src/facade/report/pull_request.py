"""What a change does to precision, recall and privacy, for its pull request.

python -m facade.report.pull_request --base main   (make review)   Compares the working tree with the commit at which it left
the base branch, from what git keeps alone, and prints Markdown.
"""

import argparse
import re
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from facade.audit.threats import ATTACKS
from facade.command import run
from facade.errors import FacadeError
from facade.measure.compare import NOT_MEASURED
from facade.report.alarms import alarms, answers, unlabelled_left
from facade.report.formatting import told
from facade.report.revision import Revision, branching_point, read_revision
from facade.stage import MAIN_ARMS

# A comment that begins so is this one, and is replaced by the next.
MARK = "<!-- facade review -->"
# Characters that GitHub takes in a comment, and what the tables of DVC may take of them.
MOST_CHARACTERS = 65_000
METRICS = ("AP50", "AP", "recall", "precision")
PICTURES = {
    "plots/differences.png": "Differences between the arms, with the margin",
    "plots/slices.png": "Where the loss falls",
    "plots/precision-recall.png": "Precision and recall",
}


def review(base: str, pictures: str = "", report: str = "") -> str:
    """The comment.

    Args:
        base: The branch or commit that the change goes into.
        pictures: What addresses of pictures begin with, as in "https://host/repository/raw/<commit>/".
        report: Address of the report that goes with it; "" for none.

    Raises:
        FacadeError: git or DVC refuses, or a file of metrics cannot be read.
    """
    commit = branching_point(base)
    then, now = read_revision(commit), read_revision(None)
    stale = not_up_to_date()
    head = [
        MARK,
        "## What this change does",
        "",
        f"Then: `{then.name}`, where this left `{base}`. Now: {now.name}.",
        "",
        _told_first(then, now, stale),
        "",
        f"### Verdict\n\n{_verdict(then, now)}",
        f"### Precision and recall on the golden set\n\n{_precision(then, now)}",
        f"### Who is still there\n\n{_privacy(then, now)}",
        _links(pictures, report),
    ]
    text = "\n\n".join(part for part in head if part) + "\n"
    params = run(["dvc", "params", "diff", commit, "--md"]).strip()
    metrics = run(["dvc", "metrics", "diff", commit, "--md"]).strip()
    for title, table in (("Parameters", params), ("All metrics", metrics)):
        text += _folded(title, table, MOST_CHARACTERS - len(text))
    return text


def not_up_to_date() -> list[str]:
    """Stages that `dvc repro` would run again: what was committed is not what the code makes.

    Raises:
        FacadeError: DVC refuses.
    """
    # A stage that changed, and whose data are not here, is one that DVC says it could not reproduce.
    command = ["dvc", "repro", "--dry", "--allow-missing", "--keep-going"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    stale = re.findall(r"Running stage '([^']+)'", done.stdout)
    if failed := re.search(r"failed to reproduce(?: stages?:)? (.*)", done.stderr):
        stale += re.findall(r"'([\w@-]+)'", failed[1])
    if done.returncode and not stale:
        raise FacadeError(f"`dvc repro --dry` failed: {' '.join(done.stderr.split())[-300:]}")
    return list(dict.fromkeys(stale))


def _told_first(then: Revision, now: Revision, stale: list[str]) -> str:
    sentences = alarms(then, now)
    if stale:
        named = ", ".join(f"`{name}`" for name in stale[:6]) + (" and others" if len(stale) > 6 else "")
        sentences.insert(
            0,
            f"**What was committed is not up to date**: {named} would run again, so that the figures below are not "
            "those of this code. Run `dvc repro`, and commit `dvc.lock`, `metrics/` and `plots/`.",
        )
    if not sentences:
        return (
            "> [!NOTE]\n> No verdict got worse, the golden set is the same, no limit was loosened, and what was "
            "committed is up to date."
        )
    return "> [!CAUTION]\n" + "\n".join(f"> - {sentence}" for sentence in sentences)


def _verdict(then: Revision, now: Revision) -> str:
    before, after = (one.golden.get("verdict", {}) for one in (then, now))
    if not after and not before:
        return f"{NOT_MEASURED}."
    about = after or before
    rows = [
        [name, _answer(answers(before).get(name), before), _answer(answers(after).get(name), after)]
        for name in dict.fromkeys((*answers(after), *answers(before)))
    ]
    margin = f"In {about.get('metric')}, at a margin of {about.get('margin')}, with one-sided limits:\n\n"
    return margin + _table(["comparison", "then", "now"], rows)


def _answer(entry: Mapping[str, Any] | None, verdict: Mapping[str, Any]) -> str:
    if entry is None:
        return NOT_MEASURED
    metric = verdict.get("metric", "")
    value, low, high = (_number(entry.get(key), True) for key in (metric, f"{metric}_low", f"{metric}_high"))
    return f"{entry.get('answer')} ({value}; {low} to {high})"


def _precision(then: Revision, now: Revision) -> str:
    rows = []
    for arm in MAIN_ARMS:
        before, after = then.golden.get(arm, {}), now.golden.get(arm, {})
        if before or after:
            rows.append([arm, *(_change(before.get(metric), after.get(metric)) for metric in METRICS)])
    seeds = now.golden.get("golden", {}).get("seeds")
    deviations = ", ".join(f"{arm} {_number(now.golden[arm].get('AP50_sd'))}" for arm in MAIN_ARMS if arm in now.golden)
    note = "\n\nMeans over the seeds; precision and recall at the operating threshold."
    if seeds and deviations:
        note += f" Standard deviation of AP50 over {seeds} seeds: {deviations}."
    return _table(["arm", *METRICS], rows) + note if rows else f"{NOT_MEASURED}."


def _privacy(then: Revision, now: Revision) -> str:
    asked = [name for name, attack in ATTACKS.items() if attack.limit]
    rows = []
    for arm, after in now.privacy.items():
        before = then.privacy.get(arm, {})
        if not before and not after:
            continue
        for when, one in (("then", before), ("now", after)):
            gate = _gate(one.get("passed"))
            coverage = one.get("coverage")
            untreated = coverage.get("untreated") if isinstance(coverage, dict) else NOT_MEASURED
            left = unlabelled_left(one)
            rows.append([arm, when, gate, untreated, left, *(_linked(one, name) for name in asked)])
    if not rows:
        return f"{NOT_MEASURED}."
    titles = [
        "arm",
        "",
        "gate",
        "labelled faces untreated",
        "unlabelled faces left",
        *(f"linked: {ATTACKS[name].told}" for name in asked),
    ]
    return _table(titles, rows) + "\n\nShare of faces linked to their source at rank 1, with 95 % intervals."


def _gate(passed: Any) -> str:
    return NOT_MEASURED if passed is None else "open" if passed else "shut"


def _linked(privacy: Mapping[str, Any], attack: str) -> str:
    measured = privacy.get("reidentification")
    if not isinstance(measured, dict):
        return NOT_MEASURED
    one = measured.get(attack)
    return f"{told(one['rank1'])} ({told(one['rank1_low'])} to {told(one['rank1_high'])})" if one else "-"


def _links(pictures: str, report: str) -> str:
    shown = "\n".join(f"![{name}]({pictures}{path})" for path, name in PICTURES.items())
    return shown + (f"\n\n[The report]({report}), with slices and every golden face that is missed." if report else "")


def _folded(title: str, table: str, room: int) -> str:
    """A table that opens on a click, cut where it would be too long."""
    if table.count("\n") < 2:  # titles and a line
        return f"\n**{title}**: none changed.\n"
    lines, kept = table.splitlines(), []
    for line in lines:
        room -= len(line) + 1
        if room < 500:
            break
        kept.append(line)
    left = f"\n\n{len(lines) - len(kept)} further rows are left out." if len(kept) < len(lines) else ""
    return f"\n<details><summary>{title}</summary>\n\n" + "\n".join(kept) + left + "\n\n</details>\n"


def _change(then: Any, now: Any) -> str:
    before, after = _number(then), _number(now)
    return after if before == after else f"{before} → {after}"


def _number(value: Any, signed: bool = False) -> str:
    return told(value, signed) if isinstance(value, int | float) else NOT_MEASURED


def _table(titles: list[str], rows: list[list[Any]]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)


def main() -> int:
    """Print the comment, or check that what was committed is up to date; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m facade.report.pull_request", description=__doc__.splitlines()[0])
    parser.add_argument("--base", default="main", help="branch or commit that the change goes into (main)")
    parser.add_argument("--pictures", default="", help="what addresses of pictures begin with")
    parser.add_argument("--report", default="", help="address of the report")
    parser.add_argument("--check", action="store_true", help="fail if what was committed is not up to date")
    wanted = parser.parse_args()
    if not wanted.check:
        print(review(wanted.base, wanted.pictures, wanted.report), end="")
        return 0
    stale = not_up_to_date()
    print(f"dvc.lock is not up to date: {', '.join(stale)} would run." if stale else "dvc.lock is up to date.")
    return 1 if stale else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except FacadeError as error:
        sys.exit(f"facade: {error}")
