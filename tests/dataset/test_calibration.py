"""The calibration split is the same in every arm."""

from facade.dataset.calibration import calibration_files

FILES = [f"e/{number}.jpg" for number in range(200)]


def test_the_split_has_the_given_size_and_does_not_depend_on_order():
    assert len(calibration_files(FILES, 15)) == 30
    assert calibration_files(reversed(FILES), 15) == calibration_files(FILES, 15)


def test_a_larger_split_contains_a_smaller_one():
    assert calibration_files(FILES, 5) < calibration_files(FILES, 20)


def test_zero_percent_is_empty_and_a_small_percentage_is_one_photograph():
    assert calibration_files(FILES, 0) == set()
    assert len(calibration_files(FILES[:3], 1)) == 1


def test_the_split_is_spread_over_all_names():
    """Neither the first nor the last names are preferred."""
    indices = [FILES.index(file) for file in calibration_files(FILES, 25)]
    assert 70 < sum(indices) / len(indices) < 130
