"""Names of stored photographs."""

from pathlib import PurePosixPath

import pytest

from facade.dataset.names import is_neutral, neutral_name, stored_name


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("0--P/a.jpg", "0--P/a.jpg"),
        ("a.JPEG", "a.jpg"),
        ("a.png", "a.png.jpg"),
        ("./x/../a.jpg", "x/a.jpg"),
        ("/etc/a.jpg", "etc/a.jpg"),
    ],
)
def test_stored_names_stay_inside_and_end_in_jpg(name, kept):
    assert stored_name(name) == kept


def test_only_hashed_names_are_neutral():
    assert is_neutral(PurePosixPath(neutral_name("Jane Doe.jpg", b"content")))
    for name in ("Jane Doe.jpg", "e/0123456789abcdef.jpg", "0123456789abcdef.png", "0123456789abcdef.jpg.jpg"):
        assert not is_neutral(PurePosixPath(name)), name
