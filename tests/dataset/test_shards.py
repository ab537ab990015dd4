"""Sharded data sets: equal to single files, and readable by independent readers."""

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from facade.anonymize import BlurFaces, treat
from facade.anonymize.treat import Treated
from facade.audit.leaks import data_set_leaks
from facade.code_hash import code_hash
from facade.dataset import Face, Photographs, shards
from facade.dataset.ingest import ingest
from facade.dataset.records import without_landmarks
from facade.dataset.store import finish_dataset, load_coco
from facade.errors import FacadeError
from facade.seeds import generator
from tests.conftest import REPOSITORY, noise, tree

POINTS = ((1.5, 2.0), (3.0, 4.0), (5.0, 6.0), (7.0, 8.0), (9.0, 10.0))
FACES = (
    Face((1.0, 2.0, 30.0, 40.5), POINTS, False, {"blur": 1, "pose": 0}, 3, cut=True),
    Face((5.0, 6.0, 27.0, 28.0), None, True, {}),
)


@pytest.fixture
def both(make_store, monkeypatch):
    """The same photographs in files and in shards of three."""
    monkeypatch.setattr(shards, "SHARD_SIZE", 3)
    pictures = {f"{number:016x}.jpg": (noise(60, 80, number), FACES if number % 3 else ()) for number in range(8)}
    files = make_store(pictures, "files")
    other = make_store(pictures, "shards")
    content = other.content()
    other.annotations.unlink()
    finish_dataset(other.root, content, "shards")
    return files, Photographs(other.root)


def test_shards_hold_the_labels_and_photographs_of_the_files(both):
    files, sharded = both
    assert sorted(tree(sharded.root)) == [
        "annotations.parquet", "shards/000000.tar", "shards/000001.tar", "shards/000002.tar"
    ]  # fmt: skip
    assert list(sharded) == list(files)
    assert json.dumps(sharded.content()) == json.dumps(files.content()), "in the same order, too"
    assert sharded.synthetic == files.synthetic
    for one in files:
        assert sharded.read(one) == files.read(one)
        assert (sharded.pixels(one) == files.pixels(one)).all()
    assert [len(Photographs(sharded.root, shard=number)) for number in sharded.shard_numbers] == [3, 3, 2]


def test_webdataset_and_parquet_can_read_shards(both):
    import webdataset

    files, sharded = both
    reader = webdataset.WebDataset(str(sharded.root / "shards/{000000..000002}.tar"), shardshuffle=False)
    samples = {f"{sample['__key__']}.jpg": sample["jpg"] for sample in reader}
    assert samples == {one.file: files.read(one) for one in files}
    table = pq.read_table(sharded.annotations)
    assert table.column("file_name").to_pylist() == [one.file for one in files]
    for row in table.to_pylist():
        content = (sharded.root / f"shards/{row['shard']:06d}.tar").read_bytes()
        picture = cv2.imdecode(np.frombuffer(content[row["offset"] : row["offset"] + row["size"]], np.uint8), 1)
        assert picture.shape[:2] == (row["height"], row["width"])


def test_positions_of_long_names_are_correct(tmp_path, make_store):
    """Long names need more than one tar header."""
    name = "/".join(["ü" * 60] * 3) + ".jpg"
    store = make_store({name: (noise(30, 40), ()), "b.jpg": (noise(30, 40, 1), ())})
    before = {one.file: store.read(one) for one in store}
    finish_dataset(store.root, store.content(), "shards")
    after = Photographs(store.root)
    assert {one.file: after.read(one) for one in after} == before


def test_a_label_without_a_column_is_an_error(both):
    _, sharded = both
    content = sharded.content()
    content["annotations"][0]["mood"] = 3
    with pytest.raises(ValueError, match="no column for mood"):
        shards.write_index(sharded.root, content, {})


@pytest.mark.parametrize("damage", ["cut", "gone", "table"])
def test_damage_is_an_error(both, damage):
    _, sharded = both
    last = list(sharded)[-1]
    tar = sharded.root / "shards/000002.tar"
    if damage == "cut":
        tar.write_bytes(tar.read_bytes()[:900])
    elif damage == "gone":
        tar.unlink()
    else:
        sharded.annotations.write_bytes(sharded.annotations.read_bytes()[:500])
    with pytest.raises(FacadeError, match="dvc checkout"):
        Photographs(sharded.root).pixels(last)


def test_the_fingerprint_changes_with_any_bit(both):
    _, sharded = both
    before = sharded.fingerprint()
    for path in (sharded.annotations, *sharded.files):
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        assert sharded.fingerprint() != before
        path.write_bytes(content)
    assert sharded.fingerprint() == before


@pytest.mark.parametrize("workers", [1, 2])
def test_treatments_of_files_and_shards_are_equal(both, params, tmp_path, workers):
    files, _ = both
    extra_boxes = {list(files)[1].file: (Face((40.0, 20.0, 20.0, 25.0)),)}
    out = tmp_path / "out"
    counts = [
        treat(source, BlurFaces(params.blur), out / source.store, params.codec, "blur", extra_boxes, workers=workers)
        for source in both
    ]
    assert counts[0] == counts[1]
    one, other = Photographs(out / "files"), Photographs(out / "shards")
    assert other.sharded
    assert {p.file: one.read(p) for p in one} == {p.file: other.read(p) for p in other}
    assert one.content() == other.content()
    assert any(one.read(p) != files.read(p) for p in one)
    assert not list((out / "shards").rglob(".*"))


def test_known_misses_are_appended_as_a_separate_shard(both, params, make_store, tmp_path):
    _, sharded = both
    more = make_store({"ffffffffffffffff.jpg": (noise(40, 50, 99), FACES)}, "more")
    treat(sharded, BlurFaces(params.blur), tmp_path / "out", params.codec, "blur", known_misses=more, workers=1)
    out = Photographs(tmp_path / "out")
    assert list(out) == [without_landmarks(one) for one in (*sharded, *more)]
    assert out.read(list(out)[-1]) == more.read(next(iter(more)))
    assert out.shard_numbers == [0, 1, 2, 3]


SCRIPT = """
import json, sys
from pathlib import Path
from facade.anonymize import BlurFaces, treat
from facade.dataset import Photographs
from facade.params import load

class Counts:
    def __init__(self, blur):
        self.blur = blur

    def __call__(self, image, photograph):
        with open("notes", "a") as notes:
            notes.write(f"{photograph.file}\\n")
        if photograph.file == stop:
            import os
            os.kill(os.getpid(), 9)
        return self.blur(image, photograph)

source, out, stop, sigma = sys.argv[1:]
params = load()
blur = params.blur.model_copy(update={"sigma": float(sigma)})
treat(Photographs(source), Counts(BlurFaces(blur)), Path(out), params.codec, "blur", workers=1, resume_key=repr(blur))
"""


def test_a_killed_treatment_resumes_after_the_finished_shards(both, params, tmp_path):
    _, sharded = both
    photographs, out = list(sharded), tmp_path / "out"
    shutil.copy(REPOSITORY / "params.yaml", tmp_path)
    (tmp_path / "script.py").write_text(SCRIPT)

    def run(stop: str = "-", sigma: float = 8, source: Photographs = sharded) -> list[str]:
        """In a process of its own, as a stage is."""
        (tmp_path / "notes").write_text("")
        command = [sys.executable, "script.py", str(source.root), str(out), stop, str(sigma)]
        environment = os.environ | {"PYTHONPATH": str(REPOSITORY / "src")}
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == (0 if stop == "-" else -9), done.stderr
        return (tmp_path / "notes").read_text().split()

    last = photographs[7].file
    run(last)
    assert not out.exists()
    # Of each finished shard, the first photograph with a face is treated again, to see whether the secret is the same.
    expected = [one.file for one in (photographs[1], photographs[4], *photographs[6:])]
    assert run() == expected, "two shards were done"
    settings = params.blur.model_copy(update={"sigma": 8.0})
    treat(sharded, BlurFaces(settings), tmp_path / "through", params.codec, "blur", workers=1)
    assert tree(out) == tree(tmp_path / "through")
    # Another treatment begins anew.
    run(last)
    assert len(run(sigma=9)) == len(photographs)
    # So does a shard whose labels are others.
    run(last)
    content, positions = shards.read_index(sharded.root)
    content["annotations"][0]["bbox"] = [2.0, 2.0, 30.0, 40.0]
    shards.write_index(sharded.root, content, positions)
    assert run() == [one.file for one in (*photographs[:3], photographs[4], *photographs[6:])]


class Pseudonyms:
    """Fills faces with a color that depends on a secret, and stops at a photograph."""

    def __init__(self, secret: str, stop: str) -> None:
        self.secret, self.stop = secret, stop

    def __call__(self, image, photograph):
        if photograph.file == self.stop:
            raise InterruptedError
        for face in photograph.faces:
            x, y, w, h = map(int, face.bbox)
            image[y : y + h, x : x + w] = generator(self.secret, photograph.file).integers(0, 256, 3)
        return Treated(image)


def hashes(partial: Path) -> dict[str, str]:
    """What an interrupted treatment knows about its inputs; positions in shards depend on the sizes of pictures."""
    records = {path.name: json.loads(path.read_text())["made_from"] for path in partial.rglob(".*.json")}
    return records | {"key": (partial / "made-from").read_text()}


def test_an_interrupted_treatment_with_another_secret_starts_anew_and_leaves_no_hash_of_it(both, params, tmp_path):
    _, sharded = both
    last = list(sharded)[7].file

    def run(secret: str, out: str, stop: str = "") -> dict[str, bytes]:
        own = Pseudonyms(secret, stop)
        treat(sharded, own, tmp_path / out, params.codec, "", workers=1, resume_key="same parameters")
        return tree(tmp_path / out)

    with pytest.raises(InterruptedError):
        run("one secret of a user", "out", stop=last)
    one = hashes(tmp_path / ".out.partial")
    with pytest.raises(InterruptedError):
        run("another secret of a user", "other", stop=last)
    assert hashes(tmp_path / ".other.partial") == one, "what is written beside the photographs tells nothing of it"
    assert len(one) == 3, "the key, and two finished shards"
    assert (tmp_path / ".out.partial").stat().st_mode & 0o077 == 0
    fresh = run("another secret of a user", "fresh")
    assert run("another secret of a user", "out") == fresh


def test_leftovers_of_an_interrupted_treatment_are_removed(both, params, tmp_path):
    """Of a source that had more shards, or that a worker without a parent has left half-written."""
    _, sharded = both
    out = tmp_path / "out"
    temporary = out.with_name(".out.partial") / "content"
    (temporary / "shards").mkdir(parents=True)
    (temporary.parent / "made-from").write_text(f"a key {params.codec!r} {code_hash()}")
    for name in ("shards/000007.tar", "shards/.000001.tar.beef", ".000007.json", "raw.jpg"):
        (temporary / name).write_bytes(b"of another time")
    treat(sharded, BlurFaces(params.blur), out, params.codec, "blur", workers=1, resume_key="a key")
    assert sorted(tree(out)) == sorted(tree(sharded.root))


def test_leaks_in_shards_are_found(both):
    _, sharded = both
    assert data_set_leaks(sharded, {"/home/jane"}) == []
    tar = sharded.root / "shards/000001.tar"
    clean = tar.read_bytes()
    with tarfile.open(tar, "a") as into:
        member = tarfile.TarInfo("raw.jpg")
        member.size = 4
        into.addfile(member, io.BytesIO(b"jane"))
    assert [str(leak) for leak in data_set_leaks(sharded, set())] == [
        f"{tar.as_posix()} holds data besides its photographs"
    ]
    for note in ({"uname": "jane"}, {"mtime": 1_700_000_000}, {"pax_headers": {"comment": "Jane"}}):
        with tarfile.open(tar, "w", format=tarfile.PAX_FORMAT) as into:
            for one in Photographs(sharded.root, shard=1):
                member = tarfile.TarInfo(one.file)
                member.size = len(content := Photographs(both[0].root).read(one))
                for name, value in note.items():
                    setattr(member, name, value)
                into.addfile(member, io.BytesIO(content))
        assert "data besides its photographs" in str(data_set_leaks(sharded, set())[-1]), note
    tar.write_bytes(clean[:-1] + b"j")
    assert "data besides its photographs" in str(data_set_leaks(sharded, set())[0])
    tar.write_bytes(clean)
    table = pq.read_table(sharded.annotations)
    metadata = {**table.schema.metadata, b"owner": b"Jane"}
    pq.write_table(table.replace_schema_metadata(metadata), sharded.annotations, row_group_size=3)
    assert "metadata owner" in str(data_set_leaks(Photographs(sharded.root), set())[0])
    fields = [field.with_metadata({b"owner": b"Jane"}) if field.name == "width" else field for field in table.schema]
    noted = table.cast(pa.schema(fields, table.schema.metadata))
    pq.write_table(noted, sharded.annotations, row_group_size=3)
    assert "metadata owner on a column" in str(data_set_leaks(Photographs(sharded.root), set())[0])


def test_names_and_metadata_of_photographs_in_shards_are_found(make_store, tmp_path):
    store = make_store({"jane.jpg": (noise(30, 40), FACES[:0])})
    path = store.images / "jane.jpg"
    path.write_bytes(path.read_bytes()[:2] + b"\xff\xfe\x00\x06jane" + path.read_bytes()[2:])
    finish_dataset(store.root, store.content(), "shards")
    leaks = [leak.what for leak in data_set_leaks(Photographs(store.root), set())]
    assert leaks == ["data that no label lists", "a comment (jane.jpg)", "a file name that is not neutral (jane.jpg)"]


def test_ingest_writes_files_or_shards(write_wider, params, tmp_path):
    line = "10 10 30 40 0 0 0 0 0 0"
    root = write_wider(
        train={f"a/{n}.jpg": (noise(80, 100, n), [line]) for n in range(5)},
        val={f"b/{n}.jpg": (noise(80, 100, 50 + n), [line]) for n in range(3)},
    )
    stores = {}
    for form in ("files", "shards"):
        settings = params.ingest.model_copy(update={"path": root, "store": form, "golden_lock": ""})
        try:
            ingest(settings, params.codec, tmp_path / form / "train", tmp_path / form / "golden", tmp_path / "q.csv", 1)
        except FacadeError as error:
            settings = settings.model_copy(update={"golden_lock": error.fingerprint})
        ingest(settings, params.codec, tmp_path / form / "train", tmp_path / form / "golden", tmp_path / "q.csv", 1)
        stores[form] = settings.golden_lock
    assert stores["files"] == stores["shards"], "the lock does not depend on the form"
    for part in ("train", "golden"):
        one, other = (Photographs(tmp_path / form / part) for form in ("files", "shards"))
        assert other.sharded
        assert one.content() == other.content()
        assert {p.file: one.read(p) for p in one} == {p.file: other.read(p) for p in other}
        assert not (tmp_path / "shards" / part / "images").exists()


def test_an_empty_data_set_is_valid(tmp_path):
    content = {"info": {"synthetic": True}, "images": [], "annotations": [], "categories": []}
    finish_dataset(tmp_path, content, "shards")
    assert len(Photographs(tmp_path)) == 0
    assert json.loads(json.dumps(load_coco(tmp_path))) == content
