"""Alarms for a reviewer, the comment that is replaced, and the permissions of the workflow."""

import itertools
import json
import os
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from facade.report.alarms import alarms
from facade.report.pull_request import MARK, verdict_table
from facade.report.revision import Revision
from tests.conftest import REPOSITORY

WORKFLOW = REPOSITORY / ".github/workflows/review.yml"
SCRIPT = REPOSITORY / ".github/comment.sh"


def attack(rate: float) -> dict[str, float]:
    return {"rank1": rate, "rank1_low": rate * 0.8, "rank1_high": rate * 1.2}


def privacy(**changes: object) -> dict[str, object]:
    return {
        "passed": True,
        "coverage": {"untreated": 0},
        "unlabelled": {"found": 3, "treated": True},
        "leaks": 0,
        "attacker": "ArcFace",
        "reidentification": {"recognition": attack(0.02), "untreated": attack(0.7)},
    } | changes


def revision(verdict="non-inferior", lock="aaaa", blur=None, report=False, iou=0.5, **audit: object) -> Revision:
    limits = {"max_reid": 5, "max_faces": 2000, "detector": "publisher", "require": ["unlabelled"],
              "min_face_height": 40, "recognition": "arcface", "identities": 400} | audit  # fmt: skip
    return Revision(
        "some",
        {
            "audit": limits,
            "evaluate": {"margin": 0.03, "metric": "AP50", "iou": iou},
            "ingest": {"golden_lock": lock},
            "report": {"show_raw": report},
        },
        {"verdict": {"metric": "AP50", "pseudo_vs_raw": {"verdict": verdict, "AP50": -0.01}}},
        {"golden_lock": lock},
        {"blur": privacy() if blur is None else blur, "pseudo": {}},
    )


def test_improvement_raises_no_alarm():
    better = revision(
        "non-inferior", max_reid=3, max_faces=4000, require=["unlabelled", "reidentification"], min_face_height=20
    )
    assert alarms(revision("inconclusive"), better) == []
    assert alarms(revision(), revision()) == []


@pytest.mark.parametrize(
    ("then", "now", "sentence"),
    [
        (revision(), revision("inconclusive"), "verdict on pseudo vs raw got worse"),
        (revision("inconclusive"), revision("inferior"), "it was inconclusive, now it is inferior"),
        (revision(), revision("one seed"), "is one seed"),
        (revision(), revision(lock="bbbb"), "golden set changed"),
        (revision(), revision(max_reid=6), "`audit.max_reid` was loosened** (5, now 6)"),
        (revision(), revision(max_faces=100), "fewer faces are attacked"),
        (revision(), revision(min_face_height=80), "`audit.min_face_height` was loosened"),
        (revision(), revision(identities=10), "trained on fewer identities"),
        (revision(), revision(recognition="tiny"), "`audit.recognition` was changed** (arcface, now tiny)"),
        (revision(), revision(iou=0.3), "`evaluate.iou` was changed** (0.5, now 0.3)"),
        (revision(), revision(iou=None), "`evaluate.iou` was changed** (0.5, now None)"),
        (revision(), revision(detector="other"), "another network detects unlabelled faces"),
        (revision(blur={}), revision(blur=privacy(passed=False, stopped_by=["a face"])), "gate of blur is closed"),
        (
            revision(),
            revision(blur=privacy(unlabelled={"found": 4, "treated": False})),
            "untreated unlabelled faces** (0, now 4)",
        ),
        (revision(), revision(blur=privacy(attacker="tiny")), "another attacker** (ArcFace; now tiny)"),
        (revision(), revision(detector=None), "unlabelled faces are not detected"),
        (revision(), revision(require=[]), "no longer requires a measurement of unlabelled"),
        (revision(), revision(report=True), "pictures may show untreated faces"),
        (revision(), revision(blur=privacy(passed=False, stopped_by=["a face"])), "gate of blur is closed**: a face"),
        (revision(), revision(blur=privacy(coverage={"untreated": 2})), "untreated labelled faces** (0, now 2)"),
        (revision(), revision(blur=privacy(leaks=1)), "metadata leaks"),
        (revision(), revision(blur=privacy(reidentification="not measured")), "re-identification is no longer"),
        (revision(), revision(blur=privacy(reidentification={"recognition": attack(0.2)})), "intervals do not overlap"),
        (revision(), revision(blur=privacy(unlabelled="not measured")), "no longer detected"),
        (revision(), revision(blur={}), "no longer measured"),
    ],
)
def test_change_raises_one_alarm(then, now, sentence):
    sentences = alarms(then, now)
    assert len(sentences) == 1
    assert sentence in sentences[0]


def test_random_variation_raises_no_alarm():
    """Overlapping intervals, and an upper bound that no treatment changes."""
    rates = {"recognition": attack(0.022), "untreated": attack(0.95)}
    assert alarms(revision(), revision(blur=privacy(reidentification=rates))) == []


def test_base_revision_with_older_metric_names_is_not_measured():
    older = replace(revision(), golden={"verdict": {"metric": "AP50", "pseudo_against_raw": {"answer": "inferior"}}})
    assert alarms(older, revision()) == []
    assert "| pseudo vs raw | not measured | non-inferior (" in verdict_table(older, revision())


def test_first_experiment_raises_no_alarm():
    nothing = Revision("before", {}, {}, {}, {"blur": {}, "pseudo": {}})
    assert alarms(nothing, revision()) == []


# A stub of gh that works on a file of comments instead of GitHub.
GH = """#!{python}
import json, pathlib, sys
words = sys.argv[1:]
store = pathlib.Path({store!r})
comments = json.loads(store.read_text())
assert words[0] == "api"
method = words[words.index("--method") + 1] if "--method" in words else "GET"
address = next(word for word in words if word.startswith("repos/"))
if method == "GET":
    assert address == "repos/owner/name/issues/7/comments"
    mark = words[words.index("--jq") + 1].split('startswith("')[1].split('")')[0]
    for one in comments:
        if one["user"]["type"] == "Bot" and one["body"].startswith(mark):
            print(one["id"])
else:
    field = words[words.index("--field") + 1]
    body = pathlib.Path(field.removeprefix("body=@")).read_text()
    if method == "POST":
        assert address == "repos/owner/name/issues/7/comments"
        comments.append({{"id": len(comments) + 1, "body": body, "user": {{"type": "Bot"}}}})
    else:
        number = int(address.removeprefix("repos/owner/name/issues/comments/"))
        next(one for one in comments if one["id"] == number)["body"] = body
    store.write_text(json.dumps(comments))
"""


def test_only_our_own_comment_is_replaced(tmp_path):
    store, gh = tmp_path / "comments.json", tmp_path / "gh"
    others = [
        {"id": 1, "body": "Nice.", "user": {"type": "User"}},
        {"id": 2, "body": f"{MARK}\nquoted by a person", "user": {"type": "User"}},
        {"id": 3, "body": "Coverage: 90 %", "user": {"type": "Bot"}},
    ]
    store.write_text(json.dumps(others))
    gh.write_text(GH.format(python=sys.executable, store=str(store)))
    gh.chmod(gh.stat().st_mode | stat.S_IXUSR)
    environment = os.environ | {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    for text in ("first", "second"):
        (tmp_path / "review.md").write_text(f"{MARK}\n{text}\n")
        command = [str(SCRIPT), "owner/name", "7", str(tmp_path / "review.md")]
        subprocess.run(command, env=environment, check=True)
    comments = json.loads(store.read_text())
    assert comments[:3] == others
    assert [one["body"] for one in comments[3:]] == [f"{MARK}\nsecond\n"]
    (tmp_path / "review.md").write_text("no mark\n")
    assert subprocess.run(command, env=environment, check=False, capture_output=True).returncode == 1
    assert json.loads(store.read_text()) == comments


@pytest.mark.parametrize(
    "command",
    [
        ["check-jsonschema", "--builtin-schema", "vendor.github-workflows", str(WORKFLOW)],
        ["zizmor", "--offline", "--no-progress", str(WORKFLOW)],
    ],
)
def test_workflow_is_valid_and_secure(command):
    program = Path(sys.executable).parent / command[0]
    done = subprocess.run([str(program), *command[1:]], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_make_targets_of_the_workflow_exist():
    makefile = (REPOSITORY / "Makefile").read_text()
    words = WORKFLOW.read_text().replace("--silent ", "").split()
    called = {after for word, after in itertools.pairwise(words) if word == "make"}
    assert called == {"setup", "review", "test", "up-to-date"}
    assert all(f"\n{name}: " in makefile for name in called)
