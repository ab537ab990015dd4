"""Data sets as DVC links them: `cache.type symlink` and `hardlink`, which large data is set up with."""

import hashlib
import os
from pathlib import Path

import pytest

from tests.conftest import tree
from tests.field.label_writers import WRITERS
from tests.field.labels_drawing import draw, run_ingest


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
    assert set(result.quarantine.values()) == {"its path leaves the data set"}
    assert len(result.quarantine) == 2
