"""Damaged label files of every layout are read or refused: no traceback, no hang, and every annotation accounted for.

`make test` tries some thousand damaged files, `make test-slow` ten thousand.
"""

import copy
import json
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facade.dataset.check import check_data_set, report_lines
from facade.errors import FacadeError
from facade.params import Params
from tests.conftest import tree
from tests.field.label_writers import WRITERS
from tests.field.labels_drawing import Drawn, coco_content, draw
from tests.test_untrusted import TIMEOUT, damaged

DAMAGES = 10_000
SMALL = draw(train=2, golden=2, size=(96, 64))
EMPTY = Drawn("train_empty", "train", SMALL[0].pixels // 2, ())


class Hang(BaseException):
    """A reader took too long. No reader catches it, as it would a TimeoutError, which is an OSError."""


def hangs(*_: object) -> None:
    raise Hang


ODD = [None, True, -1, 0, 1e308, float("nan"), 10**30, "x", "", "1", "../../x", [], {}, [[]], [None] * 4, {"id": 1}]


def odd_json(content: bytes, random: np.random.Generator) -> bytes:
    """JSON that is valid, in which one to three values are others or missing."""
    tree = json.loads(content)
    for _ in range(random.integers(1, 4)):
        nodes: list[tuple[Any, Any]] = []
        pending = [tree]
        while pending:
            node = pending.pop()
            keys = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
            nodes += [(node, key) for key in keys]
            pending += [node[key] for key in keys]
        if not nodes:
            break
        node, key = nodes[int(random.integers(len(nodes)))]
        if random.integers(4) == 0:
            del node[key]
        else:
            node[key] = copy.deepcopy(ODD[int(random.integers(len(ODD)))])  # else it could come to hold itself
    return json.dumps(tree).encode()


def try_damages(name: str, count: int, root: Path, params: Params) -> tuple[int, int]:
    """Damage one label file at a time; how many data sets were read as a whole, and how many sentences were given."""
    WRITERS[name](root, [*SMALL, EMPTY])
    labels = [path for path in sorted(root.rglob("*")) if path.is_file() and path.suffix.lower() != ".jpg"]
    before, random = tree(root), np.random.default_rng(sorted(WRITERS).index(name))
    settings = params.ingest.model_copy(update={"path": root})
    read, sentences = 0, []
    signal.signal(signal.SIGALRM, hangs)
    for _ in range(count):
        path = labels[int(random.integers(len(labels)))]
        valid = path.read_bytes()
        damage = odd_json if path.suffix == ".json" and random.integers(3) else damaged
        path.write_bytes(damage(valid, random))
        signal.alarm(TIMEOUT)
        try:
            checked = check_data_set(settings)
            signal.alarm(0)
            found = checked.labels
            assert found.annotations == found.others + sum(len(one.faces) + one.dropped for one in checked.taken) + sum(
                one.labels for one in checked.refused
            ) + without_box(checked)
            assert "Traceback" not in "\n".join(report_lines(checked))
            read += not checked.refused
            sentences += [one.reason for one in checked.refused]
        except FacadeError as error:
            sentences.append(str(error))
        finally:
            signal.alarm(0)
            path.write_bytes(valid)
    assert tree(root) == before, "nothing is written"
    assert all(5 < len(sentence) < 3000 for sentence in sentences)
    return read, len(sentences)


def without_box(checked) -> int:
    refused = {one.name for one in checked.refused}
    return sum(len(one.without_box) for one in checked.labels.photographs if one.name not in refused)


@pytest.mark.parametrize("name", WRITERS)
def test_damaged_labels_are_read_or_refused(tmp_path, params, name):
    _, refused = try_damages(name, DAMAGES // 10 // len(WRITERS), tmp_path, params)
    assert refused > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", WRITERS)
def test_ten_thousand_damaged_labels_are_read_or_refused(tmp_path, params, name):
    read, refused = try_damages(name, DAMAGES // len(WRITERS) + 1, tmp_path, params)
    assert read > 0
    assert refused > 0


@pytest.mark.parametrize("name", ["../secret.jpg", "/etc/hostname", "a\0b.jpg", "n" * 5000, "..", "", "\udcff.jpg"])
def test_names_that_are_no_photograph_of_the_data_set_are_refused(tmp_path, params, name):
    (tmp_path / "in" / "e").mkdir(parents=True)
    SMALL[0].save(tmp_path / "secret.jpg")
    content = coco_content(SMALL)
    content["images"][0]["file_name"] = name
    for one in SMALL:
        one.save(tmp_path / "in" / "images" / f"{one.name}.jpg")
    (tmp_path / "in" / "annotations.json").write_text(json.dumps(content))
    checked = check_data_set(params.ingest.model_copy(update={"path": tmp_path / "in"}))
    assert [one.labels for one in checked.refused] == [len(SMALL[0].boxes)]
    assert "photograph" in "\n".join(report_lines(checked)).encode().decode(), "the report can be printed"
