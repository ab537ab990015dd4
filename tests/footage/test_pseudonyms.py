"""Pseudonyms in footage: held as the person is, steady in video, and nothing of the face left."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from facade.anonymize.head_pose import estimate_pose
from facade.errors import FacadeError
from facade.footage.anonymize_video import anonymize_video
from facade.footage.clip import read_clip
from facade.footage.face_columns import complete_rows
from facade.footage.job import Job, labelled_photograph
from facade.footage.labelled_boxes import LabelledBoxes, read_boxes
from facade.footage.video import read_frames
from facade.heads import Expression, Pose, View, develop, render_head, sample_identity
from facade.heads.identity import MAX_AGE
from facade.heads.light import Light
from facade.networks.landmarks import find_landmarks
from facade.seeds import generator
from facade.sources.procedural import ProceduralHeads
from facade.sources.source import FaceRequest
from tests.footage.films import TurningHead, film_of_turning_head, settings

COUNT = 48


class Recorder:
    """A source that records the pose of each face."""

    def __init__(self) -> None:
        self.poses: list[Pose] = []

    def render(self, requests):
        for request in requests:
            self.poses.append(request.view.pose)
            yield from ProceduralHeads(ageless=True).render([request])


@pytest.fixture(scope="module")
def turning(tmp_path_factory) -> tuple[Path, TurningHead]:
    path = tmp_path_factory.mktemp("turning") / "turning.mp4"
    return path, film_of_turning_head(path, COUNT)


def detected(source: Path, film: TurningHead, keypoints: bool = False) -> LabelledBoxes:
    """Boxes, and landmarks if wanted, as jittery as a detector's: 3 % of the face."""
    random = np.random.default_rng(0)
    jitter = 0.03 * film.boxes[:, 3].mean()
    boxes = film.boxes + random.normal(0, jitter, film.boxes.shape)
    marks = (film.keypoints + random.normal(0, jitter, film.keypoints.shape)).reshape(-1, 1, 10)
    return LabelledBoxes(
        {(source.name, number): boxes[number : number + 1] for number in range(len(boxes))},
        frozenset([source.name]),
        Path("boxes.json"),
        keypoints={(source.name, number): marks[number] for number in range(len(boxes))} if keypoints else {},
    )


def anonymized(source: Path, target: Path, boxes: LabelledBoxes, workers: int = 1, segment: int = 20) -> list[Pose]:
    own = settings({}, method="pseudonym", box_source=boxes)
    recorder = Recorder()
    treatment = replace(own.treatment, source=recorder) if workers == 1 else own.treatment
    anonymize_video(Job(source, source.name, target), replace(own, treatment=treatment), workers, segment)
    return recorder.poses


def luminance_steps(path: Path, boxes: np.ndarray) -> np.ndarray:
    """Changes of the mean luminance of the face from frame to frame."""
    means = []
    for frame, (x, y, w, h) in zip(read_frames(read_clip(path, 100), 0, len(boxes)), boxes, strict=True):
        across = (np.arange(frame.pixels.shape[1]) + 0.5 - x - w / 2) / (0.4 * w)
        down = (np.arange(frame.pixels.shape[0]) + 0.5 - y - h / 2) / (0.4 * h)
        face = across[None] ** 2 + down[:, None] ** 2 < 1
        means.append(float((frame.pixels[face] @ (0.114, 0.587, 0.299)).mean()))
    return np.abs(np.diff(means))


def test_the_pseudonym_turns_with_the_head_without_landmarks_from_the_detector(tmp_path, turning):
    source, film = turning
    poses = anonymized(source, tmp_path / "out.mp4", detected(source, film))
    yaws = np.array([pose.yaw for pose in poses])
    assert np.abs(yaws - film.yaws).mean() < 10, "by its box alone, it would look straight ahead: 32 degrees"
    assert np.abs(np.diff(yaws, 2)).mean() < 0.6
    # In the pixels, too: landmarks found in the pseudonym's face.
    shown = []
    for frame, box in zip(read_frames(read_clip(tmp_path / "out.mp4", 100), 0, COUNT), film.boxes, strict=True):
        points, _ = find_landmarks(frame.pixels, box[None])
        shown.append(estimate_pose(points[0]).yaw)
    assert np.corrcoef(shown, film.yaws)[0, 1] > 0.9


def test_landmarks_of_the_boxes_file_are_used_and_light_does_not_flicker(tmp_path, turning):
    source, film = turning
    poses = anonymized(source, tmp_path / "out.mp4", detected(source, film, keypoints=True))
    assert np.abs(np.array([pose.yaw for pose in poses]) - film.yaws).mean() < 4
    before, after = (np.quantile(luminance_steps(path, film.boxes), 0.95) for path in (source, tmp_path / "out.mp4"))
    assert after < 1.5 * before, "without smoothing it is six times the source's"


def test_the_same_bytes_whatever_the_number_of_workers(tmp_path, turning):
    source, film = turning
    boxes = detected(source, film)
    written = []
    for workers in (1, 2):
        own = settings({}, method="pseudonym", box_source=boxes)
        target = tmp_path / f"{workers}.mp4"
        anonymize_video(Job(source, source.name, target), own, workers, segment=20)
        written.append(target.read_bytes())
    assert written[0] == written[1]


def test_keypoints_of_a_coco_file_become_landmarks(tmp_path):
    points = [50, 50, 2, 70, 50, 2, 60, 60, 2, 52, 68, 1, 68, 68, 2]
    annotations = [
        {"image_id": 1, "bbox": [40, 30, 40, 50], "keypoints": points},
        {"image_id": 1, "bbox": [140, 30, 40, 50]},
        {"image_id": 1, "bbox": [240, 30, 40, 50], "keypoints": [0] * 15},
        {"image_id": 2, "bbox": [40, 30, 40, 50]},
    ]
    path = tmp_path / "boxes.json"
    images = [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "b.jpg"}]
    path.write_text(json.dumps({"images": images, "annotations": annotations}))
    image = np.zeros((100, 300, 3), np.uint8)
    (rows,) = read_boxes(path).faces("a.jpg", 0, [image])
    assert rows.shape == (3, 15)
    photograph = labelled_photograph("a", image, rows)
    assert photograph.faces[0].keypoints == ((50, 50), (70, 50), (60, 60), (52, 68), (68, 68))
    assert [face.keypoints for face in photograph.faces[1:]] == [None, None]
    assert read_boxes(path).faces("b.jpg", 0, [image])[0].shape == (1, 5)
    annotations[0]["keypoints"] = ["a"] * 15
    path.write_text(json.dumps({"images": images, "annotations": annotations}))
    with pytest.raises(FacadeError, match="no COCO file of boxes"):
        read_boxes(path)


def test_a_treatment_of_boxes_alone_is_given_boxes_alone():
    rows = np.concatenate([[[40.0, 30, 40, 50, 0.9]], [[1.0] * 10]], axis=1)
    blur = settings({}).treatment
    assert complete_rows(blur, np.zeros((100, 100, 3), np.uint8), rows, 0.5, in_video=True).shape == (1, 5)


def test_only_faces_are_looked_at_and_not_each_candidate():
    image, keypoints, box = portrait(0, Pose(10))
    rows = np.array([[*box, 0.9], [*(box + 2), 0.2]])
    treatment = settings({}, method="pseudonym").treatment
    complete = complete_rows(treatment, image, rows, 0.5, in_video=True)
    assert np.isfinite(complete[0]).all()
    assert np.abs(complete[0, 5:15].reshape(5, 2) - keypoints).max() < 8
    np.testing.assert_array_equal(complete[1, :5], rows[1])
    assert np.isnan(complete[1, 5:]).all()


def portrait(number: int, pose: Pose) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A drawn person on gray, (160, 160, 3) uint8; landmarks and box."""
    view = View.of_face(pose, 64, 80, 80)
    identity = sample_identity(generator("portrait", number))
    head = render_head(identity, Expression(), view, Light(), (160, 160))
    cover = head.alpha[..., None]
    shown = develop(head.linear) * cover + 0.5 * (1 - cover)
    return np.rint(255 * shown).astype(np.uint8), head.keypoints, np.array(head.bbox)


class Requests:
    """A source that records what it is asked for."""

    def __init__(self) -> None:
        self.seen: list[FaceRequest] = []

    def render(self, requests):
        for request in requests:
            self.seen.append(request)
            yield from ProceduralHeads().render([request])


@pytest.mark.parametrize("yaw", [-70, -35, 0, 35, 70])
@pytest.mark.parametrize("cut", ["none", "chin", "brows", "side"])
def test_no_feature_survives_beside_a_box_that_cuts_the_face(yaw, cut):
    """A detector's box may end above the mouth: eyes, nose and mouth are erased all the same."""
    treatment = settings({}, method="pseudonym").treatment
    left = []
    for number in range(4):
        image, keypoints, (x, y, w, h) = portrait(number, Pose(yaw, -5, 4))
        if cut == "chin":
            h *= 0.72
        elif cut == "brows":
            y, h = y + 0.25 * h, 0.75 * h
        elif cut == "side":
            w *= 0.8
        box = np.array([[x, y, w, h, 0.9]])
        photograph = labelled_photograph("a", image, complete_rows(treatment, image, box, 0.5))
        source = Requests()
        replace(treatment, source=source)(image, photograph)
        (request,) = source.seen
        # The request's crop: found by its offset to the box.
        offset = np.array([x, y]) - request.bbox[:2]
        where = np.rint(keypoints - offset).astype(int)
        left += (request.mask[where[:, 1], where[:, 0]] < 0.5).tolist()
    assert not any(left)


def test_pseudonyms_in_footage_go_with_any_hair_and_an_arm_has_all_kinds(params):
    people = [sample_identity(generator("people", number)) for number in range(1500)]
    assert any(person.beard for person in people)
    for person in people:
        plain = person.ageless()
        assert (plain.beard, plain.moustache, plain.stubble, plain.makeup) == (0, 0, 0, 0)
        assert plain.age <= MAX_AGE
        assert (plain.jaw_width, plain.eye_x, plain.nose_tip_y) == (person.jaw_width, person.eye_x, person.nose_tip_y)
    assert settings({}, method="pseudonym").treatment.source == ProceduralHeads("face", ageless=True)
    assert settings({}, method="pseudo").treatment.source == ProceduralHeads("face")


def test_no_child_has_a_beard_or_an_old_face():
    people = [sample_identity(generator("people", number)) for number in range(3000)]
    children = [person for person in people if person.age == 0]
    assert 200 < len(children) < 400
    for child in children:
        assert (child.beard, child.moustache, child.stubble, child.makeup) == (0, 0, 0, 0)
        assert child.fold < 0.1


def test_a_wrong_landmark_far_from_the_box_is_not_used(params):
    image = np.full((120, 160, 3), 128, np.uint8)
    cv2.ellipse(image, (60, 55), (20, 25), 0, 0, 360, (120, 150, 190), -1)
    row = np.concatenate([[40, 30, 40, 50, 0.9], np.tile([150, 100], 5)])[None]
    treated = settings({}, method="pseudonym").treatment(image, labelled_photograph("a", image, row))
    assert treated.counts["posed_by_box"] == 1
    assert (treated.pixels[45:65, 50:70] != image[45:65, 50:70]).any()
