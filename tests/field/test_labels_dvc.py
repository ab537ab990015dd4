"""Data sets as DVC links them: `cache.type symlink` and `hardlink`, which large data is set up with."""

import hashlib
import json
import os
import re
import shutil
from pathlib import Path

import pytest

from facade.dataset import Photographs
from facade.params import load
from tests.conftest import tree
from tests.field.label_writers import WRITERS
from tests.field.labels_drawing import draw, run_ingest
from tests.test_pipeline import Clone


def into_cache(root: Path, cache: Path, link: str) -> None:
    """Move every file into a DVC cache and link it back, as `dvc checkout --relink` does."""
    for path in sorted(root.rglob("*")):
        if path.is_file():
            digest = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
            cached = cache / "files" / "md5" / digest[:2] / digest[2:]
            cached.parent.mkdir(parents=True, exist_ok=True)
            path.replace(cached)
            cached.chmod(0o444)
            if link == "symlink":
                path.symlink_to(cached)
            else:
                os.link(cached, path)


@pytest.mark.parametrize("link", ["symlink", "hardlink"])
@pytest.mark.parametrize("name", ["wider", "coco", "yolo", "voc"])
def test_linked_data_sets_give_the_same_bytes(tmp_path, params, link, name):
    drawn = draw()
    WRITERS[name](tmp_path / "in", drawn)
    run_ingest(tmp_path / "in", tmp_path / "files", params)
    into_cache(tmp_path / "in", tmp_path / "elsewhere" / "cache", link)
    result = run_ingest(tmp_path / "in", tmp_path / "links", params)
    assert result.counts["quarantined"] == 0
    assert tree(tmp_path / "links") == tree(tmp_path / "files")


def test_links_to_other_files_still_leave_the_data_set(tmp_path, params):
    """A link into something that only looks like a cache is one to a file that the labels must not reach."""
    drawn = draw(train=12, golden=4)
    WRITERS["coco"](tmp_path / "in", drawn)
    first, second = (tmp_path / "in" / "train2017" / f"{drawn[number].name}.jpg" for number in (0, 1))
    secret = tmp_path / "files" / "md5" / "ab" / ("c" * 30)
    secret.parent.mkdir(parents=True)
    first.replace(secret)
    first.symlink_to(secret)
    plain = second.replace(tmp_path / "plain.jpg")
    second.symlink_to(plain)
    result = run_ingest(tmp_path / "in", tmp_path / "out", params, max_unreadable=20)
    assert all("a link in its path leads out of the data set" in reason for reason in result.quarantine.values())
    assert len(result.quarantine) == 2


def digests(clone: Clone) -> dict[str, bytes]:
    return {name: tree(clone.root / "data" / name) for name in ("train", "golden")}


@pytest.fixture(scope="module")
def ingested(tmp_path_factory) -> Clone:
    """A tiny experiment up to ingest, its golden set accepted."""
    clone = Clone(tmp_path_factory.mktemp("links"))
    clone.run("git", "config", "core.quotepath", "off")
    lock = re.search(r"golden_lock=([0-9a-f]{16})", clone.run("dvc", "repro", "ingest", fails=True))
    assert lock
    clone.change(ingest={"golden_lock": lock[1]})
    clone.run("dvc", "repro", "ingest")
    clone.commit()
    return clone


@pytest.mark.slow
@pytest.mark.parametrize("link", ["symlink", "hardlink"])
@pytest.mark.parametrize("external", [False, True])
def test_the_demo_is_ingested_from_the_links_of_a_cache(ingested, tmp_path, link, external):
    expected = digests(ingested)
    ingested.run("dvc", "config", "--local", "cache.type", link)
    if external:
        shutil.copytree(ingested.root / ".dvc" / "cache", tmp_path / "our cache")
        ingested.run("dvc", "config", "--local", "cache.dir", str(tmp_path / "our cache"))
    try:
        ingested.run("dvc", "checkout", "--relink", "data/demo", "data/train", "data/golden")
        photograph = next((ingested.root / "data" / "demo").rglob("*.jpg"))
        cached = photograph.resolve().is_relative_to(tmp_path if external else ingested.root / ".dvc")
        assert cached if link == "symlink" else photograph.stat().st_nlink > 1
        assert "Traceback" not in ingested.run("dvc", "repro", "--force", "--single-item", "ingest")
        assert digests(ingested) == expected
    finally:
        ingested.run("dvc", "config", "--local", "--unset", "cache.type")
        if external:
            ingested.run("dvc", "config", "--local", "--unset", "cache.dir")
        ingested.run("dvc", "checkout", "--relink", "data/demo", "data/train", "data/golden")


def other_data(folder: Path, params) -> str:
    """Labelled photographs of somebody's own; the fingerprint of their golden set."""
    WRITERS["coco"](folder, draw(train=4, golden=4))
    return run_ingest(folder, folder.parent / "out", params).counts["golden_lock"]


@pytest.mark.slow
def test_paths_with_every_odd_character_in_an_experiment(ingested, tmp_path, params):
    """Quoted as docs/data.md says: Hydra reads what stands inside of the inner quotes as it is."""
    folder = tmp_path / "Fotos (für uns), #1 [it's] a=b"
    lock = other_data(folder, params)
    quoted = str(folder).replace("'", "\\'")
    output = ingested.run(
        "dvc", "exp", "run", "ingest", "-S", f"ingest.path='{quoted}'", "-S", f"ingest.golden_lock={lock}",
        "-S", "ingest.duplicate_distance=0",
    )  # fmt: skip
    assert "Running stage 'ingest'" in output
    assert load(ingested.root / "params.yaml").ingest.path == folder
    assert len(Photographs(ingested.root / "data" / "golden")) == 4
    ingested.run("git", "checkout", "-q", ".")
    ingested.run("dvc", "checkout", "-q", "--force", "data/train", "data/golden")


@pytest.mark.slow
def test_a_queued_experiment_with_data_outside_of_the_repository(ingested, tmp_path, params):
    lock = other_data(tmp_path / "mine", params)
    ingested.run(
        "dvc", "exp", "run", "ingest", "--queue", "--name", "queued", "-S", f"ingest.path={tmp_path / 'mine'}",
        "-S", f"ingest.golden_lock={lock}", "-S", "ingest.duplicate_distance=0",
    )  # fmt: skip
    output = ingested.run("dvc", "exp", "run", "--run-all")
    assert "Traceback" not in output
    names = ingested.run("git", "for-each-ref", "--format=%(refname)", "refs/exps").split()
    queued = next(name for name in names if name.endswith("/queued"))
    counts = json.loads(ingested.run("git", "show", f"{queued}:metrics/ingest.json"))
    assert counts["golden"]["photographs"] == 4


@pytest.mark.slow
@pytest.mark.parametrize("link", ["copy", "symlink"])
def test_a_worktree_with_the_cache_of_its_repository(ingested, tmp_path, link):
    worktree = Clone.__new__(Clone)
    worktree.root, worktree.environment = tmp_path / "worktree", ingested.environment | {"PYTHONPATH": "src"}
    ingested.run("git", "worktree", "add", "-q", "--detach", str(worktree.root))
    worktree.run("dvc", "config", "--local", "cache.dir", str(ingested.root / ".dvc" / "cache"))
    worktree.run("dvc", "config", "--local", "cache.type", link)
    worktree.run("dvc", "checkout", "data/demo", "code-digests")
    worktree.run("dvc", "repro", "--force", "--single-item", "ingest")
    assert digests(worktree) == digests(ingested)
    ingested.run("git", "worktree", "remove", "--force", str(worktree.root))
