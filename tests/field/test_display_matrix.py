"""Videos that a display matrix turns or mirrors."""

import json

import numpy as np
import pytest

from facade.dataset.pixels import upright_pixels
from facade.footage.clip import read_clip
from tests.field.cases import all_frames, anonymize, case, check_against_ffmpeg
from tests.footage.films import ffmpeg, pattern

OPTIONS = {
    1: (), 2: ("-display_hflip",), 3: ("-display_rotation", "180"), 4: ("-display_vflip",),
    5: ("-display_rotation", "90", "-display_vflip"), 6: ("-display_rotation", "270"),
    7: ("-display_rotation", "270", "-display_vflip"), 8: ("-display_rotation", "90"),
}  # fmt: skip


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
@pytest.mark.parametrize("orientation", OPTIONS)
def test_all_eight_orientations_are_shown_as_ffmpeg_shows_them(tmp_path, orientation, ending):
    plain = pattern(tmp_path / "plain.mp4", 0.2, "160x96", "-an")
    source = tmp_path / f"in.{ending}"
    ffmpeg(*OPTIONS[orientation], "-i", plain, "-c", "copy", source)
    clip = check_against_ffmpeg(source, tmp_path / "shown")
    straight = all_frames(read_clip(plain, 100))
    if ending == "mp4":  # FFmpeg's Matroska drops mirrors; both agree on what is left
        np.testing.assert_array_equal(all_frames(clip)[1], upright_pixels(straight[1], clip.orientation))
    assert clip.stored == (160, 96)


def test_an_odd_angle_is_refused(tmp_path, capsys):
    plain = pattern(tmp_path / "plain.mp4", 0.2, "160x96", "-an")
    ffmpeg("-display_rotation", "30", "-i", plain, "-c", "copy", tmp_path / "in.mp4")
    (tmp_path / "b.json").write_text(json.dumps({"images": [{"id": 1, "file_name": "in.mp4"}], "annotations": []}))
    assert anonymize(tmp_path / "in.mp4", tmp_path / "out.mp4", "--boxes", tmp_path / "b.json") == 1
    assert "no multiple of 90 degrees" in capsys.readouterr().err
    assert not (tmp_path / "out.mp4").exists()


def test_the_case_reported(tmp_path):
    folder = case("mirrored")
    assert anonymize(folder / "in.mp4", tmp_path / "out.mp4", "--boxes", folder / "boxes.json") == 0
    report = json.loads((tmp_path / "out.mp4.json").read_text())
    assert (report["counts"]["pictures"], report["counts"]["faces"]) == (75, 150)
    content = json.loads((folder / "boxes.json").read_text())
    after = all_frames(read_clip(tmp_path / "out.mp4", 100))
    numbers = {image["id"]: image["frame"] for image in content["images"]}
    for annotation in content["annotations"]:
        x, y, w, h = (round(value) for value in annotation["bbox"])
        core = after[numbers[annotation["image_id"]]][y + h // 4 : y + 3 * h // 4, x + w // 4 : x + 3 * w // 4]
        assert core.std() < 12
