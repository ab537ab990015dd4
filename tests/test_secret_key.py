"""The secret key of pseudonyms: where it is read from, and that it never leaks."""

import pytest

from facade.anonymize import treat
from facade.anonymize.replace_faces import ReplaceFaces
from facade.dataset import Face
from facade.dataset.store import decode
from facade.errors import FacadeError
from facade.files import write_json
from facade.secret_key import read_key
from facade.sources.procedural import ProceduralHeads
from tests.conftest import noise, tree

SECRET = "correct horse battery staple"  # noqa: S105


@pytest.fixture(autouse=True)
def no_key(monkeypatch):
    monkeypatch.delenv("FACADE_KEY", raising=False)
    monkeypatch.delenv("FACADE_KEY_FILE", raising=False)


def test_the_public_key_is_for_synthetic_photographs_only():
    assert read_key("demo", synthetic=True) == "demo"
    with pytest.raises(FacadeError, match="synthesize.key is demo, the public key"):
        read_key("demo", synthetic=False)


def test_a_secret_comes_from_the_environment_or_from_a_file(monkeypatch, tmp_path):
    path = tmp_path / "key"
    path.write_text(f"{SECRET}\n")
    monkeypatch.setenv("FACADE_KEY_FILE", str(path))
    assert read_key("mine", synthetic=False) == SECRET
    monkeypatch.setenv("FACADE_KEY", "another secret of many letters")
    assert read_key("mine", synthetic=True) == "another secret of many letters"


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe\x00"], ids=["missing", "empty", "no text"])
def test_a_missing_secret_is_an_error(monkeypatch, tmp_path, content):
    path = tmp_path / "key"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv("FACADE_KEY_FILE", str(path))
    with pytest.raises(FacadeError, match="openssl rand"):
        read_key("mine", synthetic=False)


def test_a_short_secret_is_refused_and_not_printed(monkeypatch):
    monkeypatch.setenv("FACADE_KEY", "hunter2")
    with pytest.raises(FacadeError, match="fewer than 16 characters") as caught:
        read_key("mine", synthetic=False)
    assert "hunter2" not in str(caught.value)


def test_pseudonyms_depend_on_the_key_and_not_on_the_person(make_store, tmp_path, params):
    """With the same file name and boxes, other people get the same pseudonyms, and another key gives other ones."""
    face = Face((40, 30, 60, 70), ((55, 55), (85, 55), (70, 70), (58, 84), (82, 84)))
    settings = params.synthesize.model_copy(update={"keep": ()})

    def pseudonym(key, seed):
        image = noise(140, 160, 5)
        image[30:100, 40:100] = noise(70, 60, seed)
        store = make_store({"0123456789abcdef.jpg": (image, (face,))}, f"{key}-{seed}")
        out = tmp_path / "out" / f"{key}-{seed}"
        treat(store, ReplaceFaces(settings, ProceduralHeads(), key), out, params.codec, "t", workers=1)
        seen = (out / "images" / "0123456789abcdef.jpg").read_bytes()
        return decode(seen)[50:90, 52:88].astype(float)

    mine = pseudonym(SECRET, 1)
    # Grain and sharpness are the photograph's own; the face is the same.
    assert abs(mine - pseudonym(SECRET, 2)).mean() < 12
    assert abs(mine - pseudonym("another key of many letters", 1)).mean() > 20


def test_the_key_is_in_no_output_and_in_no_message(make_store, tmp_path, params):
    store = make_store({"0123456789abcdef.jpg": (noise(140, 160), (Face((40, 30, 60, 70)),))})
    replaces = ReplaceFaces(params.synthesize, ProceduralHeads(), SECRET)
    counts = treat(store, replaces, tmp_path / "out" / "pseudo", params.codec, "t", workers=1)
    write_json(tmp_path / "out" / "metrics.json", dict(counts))
    assert not any(SECRET.encode() in content for content in tree(tmp_path / "out").values())
    assert SECRET not in repr(replaces)
    with pytest.raises(ValueError, match="outside") as caught:
        replaces(noise(40, 40), next(iter(store)))
    assert SECRET not in str(caught.getrepr(showlocals=False))
