"""The calibration part: the same photographs in every arm, whatever else is there."""

from facade.dataset.calibration import calibration_files

FILES = [f"e/{number}.jpg" for number in range(200)]


def test_it_has_the_size_asked_for_and_does_not_depend_on_order():
    assert len(calibration_files(FILES, 15)) == 30
    assert calibration_files(reversed(FILES), 15) == calibration_files(FILES, 15)


def test_a_larger_part_holds_the_smaller_one():
    assert calibration_files(FILES, 5) < calibration_files(FILES, 20)


def test_none_is_none_and_a_little_is_one():
    assert calibration_files(FILES, 0) == set()
    assert len(calibration_files(FILES[:3], 1)) == 1


def test_it_is_drawn_from_everywhere():
    """Not the first, not the last: names in order are spread like by chance."""
    places = [FILES.index(file) for file in calibration_files(FILES, 25)]
    assert 70 < sum(places) / len(places) < 130
