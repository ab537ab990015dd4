"""What a reviewer is told first; that the comment is replaced, not repeated; and what the workflow lets others do."""

import itertools
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from facade.report.alarms import alarms
from facade.report.pull_request import MARK
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


def revision(answer="non-inferior", lock="aaaa", blur=None, report=False, iou=0.5, **audit: object) -> Revision:
    limits = {"max_reid": 5, "most": 2000, "detector": "publisher", "require": ["unlabelled"], "least": 40,
              "recognition": "arcface", "people": 400} | audit  # fmt: skip
    return Revision(
        "some",
        {
            "audit": limits,
            "evaluate": {"margin": 0.03, "metric": "AP50", "iou": iou},
            "ingest": {"golden_lock": lock},
            "report": {"show_raw": report},
        },
        {"verdict": {"metric": "AP50", "pseudo_against_raw": {"answer": answer, "AP50": -0.01}}},
        {"golden_lock": lock},
        {"blur": privacy() if blur is None else blur, "pseudo": {}},
    )


def test_a_change_for_the_better_raises_no_alarm():
    better = revision("non-inferior", max_reid=3, most=4000, require=["unlabelled", "reidentification"], least=20)
    assert alarms(revision("inconclusive"), better) == []
    assert alarms(revision(), revision()) == []


@pytest.mark.parametrize(
    ("then", "now", "sentence"),
    [
        (revision(), revision("inconclusive"), "verdict on pseudo against raw got worse"),
        (revision("inconclusive"), revision("inferior"), "it was inconclusive, and is inferior"),
        (revision(), revision("one seed"), "is one seed"),
        (revision(), revision(lock="bbbb"), "golden set changed"),
        (revision(), revision(max_reid=6), "`audit.max_reid` was loosened** (5, now 6)"),
        (revision(), revision(most=100), "fewer faces are attacked"),
        (revision(), revision(least=80), "`audit.least` was loosened"),
        (revision(), revision(people=10), "learns from fewer people"),
        (revision(), revision(recognition="tiny"), "`audit.recognition` was changed** (arcface, now tiny)"),
        (revision(), revision(iou=0.3), "`evaluate.iou` was changed** (0.5, now 0.3)"),
        (revision(), revision(iou=None), "`evaluate.iou` was changed** (0.5, now None)"),
        (revision(), revision(detector="other"), "another network looks for faces"),
        (revision(blur={}), revision(blur=privacy(passed=False, stopped_by="a face")), "gate of blur is shut"),
        (revision(), revision(blur=privacy(unlabelled={"found": 4, "treated": False})), "as they were** (0, now 4)"),
        (revision(), revision(blur=privacy(attacker="tiny")), "another attacker** (ArcFace; now tiny)"),
        (revision(), revision(detector=None), "nobody looks for faces"),
        (revision(), revision(require=[]), "no longer needs to know of unlabelled"),
        (revision(), revision(report=True), "pictures may show untreated faces"),
        (revision(), revision(blur=privacy(passed=False, stopped_by="a face")), "gate of blur is shut**: a face"),
        (revision(), revision(blur=privacy(coverage={"untreated": 2})), "left as they were** (0, now 2)"),
        (revision(), revision(blur=privacy(leaks=1)), "tell more than the picture"),
        (revision(), revision(blur=privacy(reidentification="not measured")), "who can be known again is no longer"),
        (revision(), revision(blur=privacy(reidentification={"recognition": attack(0.2)})), "the intervals lie apart"),
        (revision(), revision(blur=privacy(unlabelled="not measured")), "no longer looked for"),
        (revision(), revision(blur={}), "no longer measured"),
    ],
)
def test_what_a_reviewer_must_decide_on_is_told(then, now, sentence):
    told = alarms(then, now)
    assert len(told) == 1
    assert sentence in told[0]


def test_chance_alone_raises_no_alarm():
    """A rate within the interval of the one before, and the upper bound, which no treatment changes."""
    rates = {"recognition": attack(0.022), "untreated": attack(0.95)}
    assert alarms(revision(), revision(blur=privacy(reidentification=rates))) == []


def test_the_first_experiment_has_nothing_to_be_worse_than():
    nothing = Revision("before", {}, {}, {}, {"blur": {}, "pseudo": {}})
    assert alarms(nothing, revision()) == []


# What gh does for the script, on a file of comments in place of GitHub.
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


def test_the_comment_is_replaced_and_nobody_elses(tmp_path):
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
def test_the_workflow_is_one_and_gives_strangers_no_rights(command):
    program = Path(sys.executable).parent / command[0]
    done = subprocess.run([str(program), *command[1:]], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_targets_that_the_workflow_calls_are_there():
    makefile = (REPOSITORY / "Makefile").read_text()
    words = WORKFLOW.read_text().replace("--silent ", "").split()
    called = {after for word, after in itertools.pairwise(words) if word == "make"}
    assert called == {"setup", "review", "test", "up-to-date"}
    assert all(f"\n{name}: " in makefile for name in called)
