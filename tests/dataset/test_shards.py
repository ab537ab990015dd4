"""A data set in shards: what independent readers see in it, and the same as one in files."""

import io
import json
import tarfile

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

from facade.anonymize import BlurFaces, treat
from facade.audit.leaks import data_set_leaks
from facade.dataset import Face, Photographs, shards
from facade.dataset.ingest import ingest
from facade.dataset.store import content_of, finish
from facade.errors import FacadeError
from tests.conftest import noise, tree

POINTS = ((1.5, 2.0), (3.0, 4.0), (5.0, 6.0), (7.0, 8.0), (9.0, 10.0))
FACES = (
    Face((1.0, 2.0, 30.0, 40.5), POINTS, False, {"blur": 1, "pose": 0}, 3, cut=True),
    Face((5.0, 6.0, 27.0, 28.0), None, True, {}),
)


@pytest.fixture
def both(make_store, monkeypatch):
    """The same photographs in files and in shards of three."""
    monkeypatch.setattr(shards, "SHARD", 3)
    pictures = {f"{number:016x}.jpg": (noise(60, 80, number), FACES if number % 3 else ()) for number in range(8)}
    files = make_store(pictures, "files")
    other = make_store(pictures, "shards")
    content = other.content()
    other.annotations.unlink()
    finish(other.root, content, "shards")
    return files, Photographs(other.root)


def test_labels_and_photographs_are_those_of_the_files(both):
    files, sharded = both
    assert sorted(tree(sharded.root)) == [
        "annotations.parquet", "shards/000000.tar", "shards/000001.tar", "shards/000002.tar"
    ]  # fmt: skip
    assert list(sharded) == list(files)
    assert sharded.content() == files.content()
    assert sharded.synthetic == files.synthetic
    for one in files:
        assert sharded.read(one) == files.read(one)
        assert (sharded.pixels(one) == files.pixels(one)).all()
    assert [len(Photographs(sharded.root, shard=number)) for number in sharded.shard_numbers] == [3, 3, 2]


def test_webdataset_and_parquet_readers_open_them(both):
    import webdataset

    files, sharded = both
    seen = webdataset.WebDataset(str(sharded.root / "shards/{000000..000002}.tar"), shardshuffle=False)
    samples = {f"{sample['__key__']}.jpg": sample["jpg"] for sample in seen}
    assert samples == {one.file: files.read(one) for one in files}
    table = pq.read_table(sharded.annotations)
    assert table.column("file_name").to_pylist() == [one.file for one in files]
    for row in table.to_pylist():
        content = (sharded.root / f"shards/{row['shard']:06d}.tar").read_bytes()
        picture = cv2.imdecode(np.frombuffer(content[row["offset"] : row["offset"] + row["size"]], np.uint8), 1)
        assert picture.shape[:2] == (row["height"], row["width"])


def test_long_names_lie_where_the_table_says(tmp_path, make_store):
    """They need more than one header in a tar."""
    name = "/".join(["ü" * 60] * 3) + ".jpg"
    store = make_store({name: (noise(30, 40), ()), "b.jpg": (noise(30, 40, 1), ())})
    before = {one.file: store.read(one) for one in store}
    finish(store.root, store.content(), "shards")
    after = Photographs(store.root)
    assert {one.file: after.read(one) for one in after} == before


def test_a_column_that_is_not_there_is_no_silent_loss(both):
    _, sharded = both
    content = sharded.content()
    content["annotations"][0]["mood"] = 3
    with pytest.raises(ValueError, match="no column for mood"):
        shards.write_index(sharded.root, content, {})


@pytest.mark.parametrize("damage", ["cut", "gone", "table"])
def test_damage_gets_a_sentence(both, damage):
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


def test_the_fingerprint_changes_with_a_bit(both):
    _, sharded = both
    before = sharded.fingerprint()
    for path in (sharded.annotations, *sharded.files):
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        assert sharded.fingerprint() != before
        path.write_bytes(content)
    assert sharded.fingerprint() == before


@pytest.mark.parametrize("workers", [1, 2])
def test_a_treatment_makes_the_same_of_either(both, params, tmp_path, workers):
    files, _ = both
    also = {list(files)[1].file: (Face((40.0, 20.0, 20.0, 25.0)),)}
    out = tmp_path / "out"
    counts = [
        treat(source, BlurFaces(params.blur), out / source.store, params.codec, "blur", also, workers=workers)
        for source in both
    ]
    assert counts[0] == counts[1]
    one, other = Photographs(out / "files"), Photographs(out / "shards")
    assert other.sharded
    assert {p.file: one.read(p) for p in one} == {p.file: other.read(p) for p in other}
    assert one.content() == other.content()
    assert any(one.read(p) != files.read(p) for p in one)
    assert not list((out / "shards").rglob(".*"))


def test_known_misses_come_behind_in_a_shard_of_their_own(both, params, make_store, tmp_path):
    _, sharded = both
    more = make_store({"ffffffffffffffff.jpg": (noise(40, 50, 99), FACES)}, "more")
    treat(sharded, BlurFaces(params.blur), tmp_path / "out", params.codec, "blur", more=more, workers=1)
    out = Photographs(tmp_path / "out")
    assert list(out) == [*sharded, *more]
    assert out.read(list(out)[-1]) == more.read(next(iter(more)))
    assert out.shard_numbers == [0, 1, 2, 3]


class Counts:
    """A blur that counts its calls in a file, and may stop."""

    def __init__(self, blur, notes, stop=None):
        self.blur, self.notes, self.stop = blur, notes, stop

    def __call__(self, image, photograph):
        with self.notes.open("a") as notes:
            notes.write(f"{photograph.file}\n")
        if photograph.file == self.stop:
            raise FacadeError("the plug was pulled")
        return self.blur(image, photograph)

    def __getstate__(self):
        return self.blur, self.notes  # where it stops is no other treatment

    def __setstate__(self, state):
        self.blur, self.notes = state
        self.stop = None


def test_what_was_done_before_it_stopped_is_not_done_again(both, params, tmp_path):
    _, sharded = both
    everybody, notes, blur = list(sharded), tmp_path / "notes", BlurFaces(params.blur)
    out = tmp_path / "out"

    def run(treatment, source=sharded) -> list[str]:
        notes.write_text("")
        treat(source, treatment, out, params.codec, "blur", workers=1)
        return notes.read_text().split()

    with pytest.raises(FacadeError, match="plug"):
        run(Counts(blur, notes, everybody[7].file))
    assert not out.exists()
    assert run(Counts(blur, notes)) == [one.file for one in everybody[6:]], "two shards were done"
    treat(sharded, Counts(blur, notes), tmp_path / "through", params.codec, "blur", workers=1)
    assert tree(out) == tree(tmp_path / "through")
    # Another treatment begins anew; so does a shard whose photographs, or labels, are others.
    with pytest.raises(FacadeError, match="plug"):
        run(Counts(blur, notes, everybody[7].file))
    stronger = BlurFaces(params.blur.model_copy(update={"sigma": 9.0}))
    assert len(run(Counts(stronger, notes))) == len(everybody)
    with pytest.raises(FacadeError, match="plug"):
        run(Counts(blur, notes, everybody[7].file))
    content = sharded.content()
    content["annotations"][0]["bbox"] = [2.0, 2.0, 30.0, 40.0]
    positions = shards.read_index(sharded.root)[1]
    shards.write_index(sharded.root, content, positions)
    changed = Photographs(sharded.root)
    assert run(Counts(blur, notes), changed) == [one.file for one in (*everybody[:3], *everybody[6:])]


def test_the_audit_looks_into_shards(both):
    _, sharded = both
    assert data_set_leaks(sharded, {"/home/jane"}) == []
    tar = sharded.root / "shards/000001.tar"
    clean = tar.read_bytes()
    with tarfile.open(tar, "a") as into:
        member = tarfile.TarInfo("raw.jpg")
        member.size = 4
        into.addfile(member, io.BytesIO(b"jane"))
    assert [str(leak) for leak in data_set_leaks(sharded, set())] == [
        f"{tar.as_posix()} holds something besides its photographs"
    ]
    tar.write_bytes(clean.replace(b"ustar\x00", b"ustar\x00", 1)[:-1] + b"j")
    assert "something besides its photographs" in str(data_set_leaks(sharded, set())[0])
    tar.write_bytes(clean)
    table = pq.read_table(sharded.annotations)
    metadata = {**table.schema.metadata, b"owner": b"Jane"}
    pq.write_table(table.replace_schema_metadata(metadata), sharded.annotations, row_group_size=3)
    assert "a note owner" in str(data_set_leaks(Photographs(sharded.root), set())[0])


def test_names_and_metadata_in_shards_are_found(make_store, tmp_path):
    store = make_store({"jane.jpg": (noise(30, 40), FACES[:0])})
    path = store.images / "jane.jpg"
    path.write_bytes(path.read_bytes()[:2] + b"\xff\xfe\x00\x06jane" + path.read_bytes()[2:])
    finish(store.root, store.content(), "shards")
    told = [leak.what for leak in data_set_leaks(Photographs(store.root), set())]
    assert told == ["what no label names", "a comment (jane.jpg)", "a name that is somebody's own (jane.jpg)"]


def test_ingest_writes_either_form(write_wider, params, tmp_path):
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
            settings = settings.model_copy(update={"golden_lock": error.found})
        ingest(settings, params.codec, tmp_path / form / "train", tmp_path / form / "golden", tmp_path / "q.csv", 1)
        stores[form] = settings.golden_lock
    assert stores["files"] == stores["shards"], "the lock does not depend on the form"
    for part in ("train", "golden"):
        one, other = (Photographs(tmp_path / form / part) for form in ("files", "shards"))
        assert other.sharded
        assert one.content() == other.content()
        assert {p.file: one.read(p) for p in one} == {p.file: other.read(p) for p in other}
        assert not (tmp_path / "shards" / part / "images").exists()


def test_an_empty_data_set_is_one(tmp_path):
    content = {"info": {"synthetic": True}, "images": [], "annotations": [], "categories": []}
    finish(tmp_path, content, "shards")
    assert len(Photographs(tmp_path)) == 0
    assert json.loads(json.dumps(content_of(tmp_path))) == content
