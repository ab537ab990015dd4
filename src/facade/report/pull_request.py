"""Effect of a change on precision, recall and privacy, as a comment on its pull request.

facade review --base main   (make review)   Compares the working tree with its merge
base, from files in git only, and prints Markdown.
"""

import re
import subprocess
from collections.abc import Mapping
from typing import Any

from facade.audit.threats import ATTACKS
from facade.command import run
from facade.errors import FacadeError
from facade.measure.compare import NOT_MEASURED
from facade.params import MAIN_ARMS
from facade.report.alarms import alarms, comparisons, untreated_unlabelled
from facade.report.formatting import format_number
from facade.report.revision import Revision, merge_base, read_revision
from facade.stage_code import write_digests

# The first line of the comment, by which the next one finds and replaces it.
MARK = "<!-- facade review -->"
# Maximum number of characters of the comment; GitHub allows 65,536.
MAX_CHARACTERS = 65_000
METRICS = ("AP50", "AP", "recall", "precision")
PICTURES = {
    "plots/differences.png": "Differences between the arms, with the margin",
    "plots/slices.png": "Differences by slice",
    "plots/precision-recall.png": "Precision and recall",
}


def review(base: str, pictures: str = "", report: str = "") -> str:
    """The comment.

    Args:
        base: The target branch or commit.
        pictures: URL prefix of pictures, as in "https://host/repository/raw/<commit>/".
        report: URL of the report; "" for none.

    Raises:
        FacadeError: git or DVC fails, or a metrics file cannot be read.
    """
    commit = merge_base(base)
    then, now = read_revision(commit), read_revision(None)
    stale = stale_stages()
    head = [
        MARK,
        "## Effect of this change",
        "",
        f"Before: `{then.name}`, the merge base with `{base}`. After: {now.name}.",
        "",
        _alarm_box(then, now, stale),
        "",
        f"### Verdict\n\n{verdict_table(then, now)}",
        f"### Precision and recall on the golden set\n\n{_precision(then, now)}",
        f"### Privacy audit\n\n{_privacy(then, now)}",
        _links(pictures, report),
    ]
    text = "\n\n".join(part for part in head if part) + "\n"
    params = run(["dvc", "params", "diff", commit, "--md"]).strip()
    metrics = run(["dvc", "metrics", "diff", commit, "--md"]).strip()
    for title, table in (("Parameters", params), ("All metrics", metrics)):
        text += _folded(title, table, MAX_CHARACTERS - len(text))
    return text


def stale_stages() -> list[str]:
    """Stages that `dvc repro` would re-run, as their committed results are not those of the code.

    Raises:
        FacadeError: DVC fails.
    """
    # Deps of the stages, computed here: a clone without data has none. An edit of a comment changes none of them.
    write_digests()
    # A changed stage whose data are missing locally is reported by DVC as one that it failed to reproduce.
    command = ["dvc", "repro", "--dry", "--allow-missing", "--keep-going"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    stale = [name for name in re.findall(r"Running stage '([^']+)'", done.stdout) if name != "code"]
    if failed := re.search(r"failed to reproduce(?: stages?:)? (.*)", done.stderr):
        stale += re.findall(r"'([\w@-]+)'", failed[1])
    if done.returncode and not stale:
        raise FacadeError(f"`dvc repro --dry` failed: {' '.join(done.stderr.split())[-300:]}")
    return list(dict.fromkeys(stale))


def _alarm_box(then: Revision, now: Revision, stale: list[str]) -> str:
    sentences = alarms(then, now)
    if stale:
        named = ", ".join(f"`{name}`" for name in stale[:6]) + (" and others" if len(stale) > 6 else "")
        sentences.insert(
            0,
            f"**The committed results are stale**: {named} would re-run, so the figures below are not those of this "
            "code. Run `dvc repro`, and commit `dvc.lock`, `metrics/` and `plots/`.",
        )
    if not sentences:
        return (
            "> [!NOTE]\n> No verdict got worse, the golden set is the same, no limit was loosened, and the committed "
            "results are up to date."
        )
    return "> [!CAUTION]\n" + "\n".join(f"> - {sentence}" for sentence in sentences)


def verdict_table(then: Revision, now: Revision) -> str:
    """The verdicts of both revisions, as a Markdown table."""
    before, after = (one.golden.get("verdict", {}) for one in (then, now))
    if not after and not before:
        return f"{NOT_MEASURED}."
    settings = after or before
    rows = [
        [name, _cell(comparisons(before).get(name), before), _cell(comparisons(after).get(name), after)]
        for name in dict.fromkeys((*comparisons(after), *comparisons(before)))
    ]
    caption = f"In {settings.get('metric')}, at a margin of {settings.get('margin')}, with one-sided limits:\n\n"
    return caption + _table(["comparison", "before", "after"], rows)


def _cell(entry: Mapping[str, Any] | None, verdict: Mapping[str, Any]) -> str:
    if entry is None:
        return NOT_MEASURED
    metric = verdict.get("metric", "")
    value, low, high = (_number(entry.get(key), True) for key in (metric, f"{metric}_low", f"{metric}_high"))
    return f"{entry.get('verdict')} ({value}; {low} to {high})"


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
    limited = [name for name, attack in ATTACKS.items() if attack.limit]
    rows = []
    for arm, after in now.privacy.items():
        before = then.privacy.get(arm, {})
        if not before and not after:
            continue
        for when, one in (("before", before), ("after", after)):
            gate = _gate(one.get("passed"))
            coverage = one.get("coverage")
            untreated = coverage.get("untreated") if isinstance(coverage, dict) else NOT_MEASURED
            left = untreated_unlabelled(one)
            rows.append([arm, when, gate, untreated, left, *(_linked(one, name) for name in limited)])
    if not rows:
        return f"{NOT_MEASURED}."
    titles = [
        "arm",
        "",
        "gate",
        "labelled faces untreated",
        "unlabelled faces untreated",
        *(f"linked: {ATTACKS[name].description}" for name in limited),
    ]
    return _table(titles, rows) + "\n\nShare of faces linked to their source at rank 1, with 95 % intervals."


def _gate(passed: Any) -> str:
    return NOT_MEASURED if passed is None else "open" if passed else "closed"


def _linked(privacy: Mapping[str, Any], attack: str) -> str:
    measured = privacy.get("reidentification")
    if not isinstance(measured, dict):
        return NOT_MEASURED
    one = measured.get(attack)
    return (
        f"{format_number(one['rank1'])} ({format_number(one['rank1_low'])} to {format_number(one['rank1_high'])})"
        if one
        else "-"
    )


def _links(pictures: str, report: str) -> str:
    shown = "\n".join(f"![{name}]({pictures}{path})" for path, name in PICTURES.items())
    return shown + (f"\n\n[Report]({report}), with slices and all missed golden faces." if report else "")


def _folded(title: str, table: str, room: int) -> str:
    """A collapsed table, truncated to the remaining room."""
    if table.count("\n") < 2:  # header only
        return f"\n**{title}**: no changes.\n"
    lines, kept = table.splitlines(), []
    for line in lines:
        room -= len(line) + 1
        if room < 500:
            break
        kept.append(line)
    left = f"\n\n{len(lines) - len(kept)} more rows omitted." if len(kept) < len(lines) else ""
    return f"\n<details><summary>{title}</summary>\n\n" + "\n".join(kept) + left + "\n\n</details>\n"


def _change(then: Any, now: Any) -> str:
    before, after = _number(then), _number(now)
    return after if before == after else f"{before} → {after}"


def _number(value: Any, signed: bool = False) -> str:
    return format_number(value, signed) if isinstance(value, int | float) else NOT_MEASURED


def _table(titles: list[str], rows: list[list[Any]]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)
