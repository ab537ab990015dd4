"""Layouts of detectors, in small networks made here, each against a decoding of its own."""

import json
import zipfile

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from facade.errors import FacadeError
from facade.networks.cards import DetectorCard
from facade.networks.open_detector import open_detector


def save(path, nodes, constants, outputs, size=(None, None), metadata=None):
    """Write an ONNX file with one input `x`, (1, 3, H, W). Outputs: {name: shape}."""
    height, width = size
    shape = [1, 3, height or "height", width or "width"]
    graph = helper.make_graph(
        nodes, "detector", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, dims) for name, dims in outputs.items()],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    for key, value in (metadata or {}).items():
        model.metadata_props.add(key=key, value=value)
    onnx.save(model, str(path))
    return path


DISTANCES = np.array([[1.0, 1.5, 2.0, 2.5]], np.float32)  # left, top, right, bottom; strides
POINTS = np.array([[-0.5, -0.5, 0.5, -0.5, 0, 0, -0.4, 0.5, 0.4, 0.5]], np.float32)
ANCHORS = {3: (1.0, 0.6), 5: (1.0,)}  # scores of a cell's anchors, over its mean red


def scrfd(path, landmarks, maps=3, size=(None, None), batched=False):
    """An SCRFD network whose score is the mean red of a cell, and whose boxes and landmarks grow with the score."""
    constants = {
        "starts": np.array([0]), "ends": np.array([1]), "axes": np.array([1]), "column": np.array([-1, 1]),
        "distances": DISTANCES, "points": POINTS, "anchors": np.array([ANCHORS[maps]], np.float32),
        "batch": np.array([0]),
    }  # fmt: skip
    nodes = [helper.make_node("Slice", ["x", "starts", "ends", "axes"], ["red"])]
    outputs: dict[str, dict[str, list]] = {"score": {}, "box": {}, "points": {}}
    number = 440
    for stride in (8, 16, 32, 64, 128)[:maps]:
        key = str(stride)
        nodes += [
            helper.make_node("AveragePool", ["red"], ["mean" + key], kernel_shape=[stride] * 2, strides=[stride] * 2),
            helper.make_node("Relu", ["mean" + key], ["bright" + key]),
            helper.make_node("Reshape", ["bright" + key, "column"], ["cells" + key]),
            helper.make_node("Mul", ["cells" + key, "anchors"], ["pairs" + key]),
            helper.make_node("Reshape", ["pairs" + key, "column"], ["flat" + key]),
        ]
        for kind, factor, width in (("score", None, 1), ("box", "distances", 4), ("points", "points", 10)):
            if kind == "points" and not landmarks:
                continue
            number += 7
            name = str(number)  # bare numbers, as in insightface's files
            made = name + "-rows" if batched else name
            if factor is None:
                nodes.append(helper.make_node("Identity", ["flat" + key], [made]))
            else:
                nodes.append(helper.make_node("Mul", ["flat" + key, factor], [made]))
            if batched:
                nodes.append(helper.make_node("Unsqueeze", [made, "batch"], [name]))
            outputs[kind][name] = [1, f"n{number}", width] if batched else [f"n{number}", width]
    # insightface's order: all scores, all boxes, all landmarks; in each, by ascending stride.
    ordered = {name: shape for group in outputs.values() for name, shape in group.items()}
    return save(path, nodes, constants, ordered, size)


def expected_scrfd(row, column, stride, landmarks, maps=3, red=255, factor=1.0):
    """What such a network says about a cell of pure red, in pixels of the picture, worked out by hand."""
    value = (red - 127.5) / 128
    rows = []
    for share in ANCHORS[maps]:
        score = value * share
        left, top, right, bottom = DISTANCES[0] * score * stride
        x, y = column * stride, row * stride
        box = [x - left, y - top, left + right, top + bottom]
        points = [number for dx, dy in POINTS[0].reshape(5, 2) * score * stride for number in (x + dx, y + dy)]
        rows.append([*(np.array(box) * factor), score, *(np.array(points) * factor if landmarks else ())])
    return np.array(rows)


@pytest.mark.parametrize("landmarks", [False, True])
@pytest.mark.parametrize("maps", [3, 5])
@pytest.mark.parametrize("batched", [False, True])
def test_scrfd_of_any_size_is_decoded(tmp_path, landmarks, maps, batched):
    image = np.zeros((100, 150, 3), np.uint8)  # no multiples of the strides
    image[40:48, 104:112, 2] = 255  # BGR: row 5, column 13 at stride 8
    image[:, :, :2] = 200  # other colors say nothing
    detector = open_detector(scrfd(tmp_path / "det.onnx", landmarks, maps, batched=batched))
    assert detector.name == "SCRFD"
    np.testing.assert_allclose(detector.detect(image, 0.3), expected_scrfd(5, 13, 8, landmarks, maps), atol=1e-4)
    assert len(detector.detect(image, 0.8)) == 1


def test_scrfd_takes_each_stride_from_its_own_outputs(tmp_path):
    image = np.zeros((128, 128, 3), np.uint8)
    image[32:64, 96:128, 2] = 255  # row 1, column 3 at stride 32; four cells at 16, sixteen at 8
    found = open_detector(scrfd(tmp_path / "det.onnx", True)).detect(image, 0.9)
    (large,) = expected_scrfd(1, 3, 32, True)[:1]
    assert min(np.abs(row - large).max() for row in found) < 1e-4
    # The other cells, at strides of 16 and 8, that no larger box covers.
    assert {round(row[2] / row[4] / 3) for row in found} == {8, 16, 32}


def test_scrfd_of_a_fixed_size_has_pictures_resized_to_fit(tmp_path):
    image = np.zeros((300, 640, 3), np.uint8)
    image[80:96, 208:224, 2] = 255  # half of it is row 5, column 13
    detector = open_detector(scrfd(tmp_path / "det.onnx", True, size=(320, 320)))
    np.testing.assert_allclose(detector.detect(image, 0.3), expected_scrfd(5, 13, 8, True, factor=2), atol=1e-3)
    with pytest.raises(FacadeError, match="fixed size"):
        open_detector(tmp_path / "det.onnx", size=640)


BOXES = np.array([[10, 20, 40, 60], [50, 20, 70, 50], [-5, 5, 30, 25]], np.float32)
SCORED = ((30, 20), (10, 15), (40, 5))  # x, y of the pixel that each score is read from
MARKS = np.arange(30, dtype=np.float32).reshape(3, 10)


def plain(path, channel=0, size=(None, None), batched=False, landmarks=False, metadata=None):
    """A network with three fixed boxes, each with the score of one input value."""
    constants = {
        "fixed": BOXES, "marks": MARKS,
        "at": np.array([[0, channel, y, x] for x, y in SCORED], np.int64), "batch": np.array([0]),
    }  # fmt: skip
    nodes = [helper.make_node("GatherND", ["x", "at"], ["values"])]
    if batched:
        nodes += [helper.make_node("Unsqueeze", ["fixed", "batch"], ["boxes"])]
        nodes += [helper.make_node("Unsqueeze", ["values", "batch"], ["scores"])]
    else:
        nodes += [
            helper.make_node("Identity", ["fixed"], ["boxes"]),
            helper.make_node("Identity", ["values"], ["scores"]),
        ]
    outputs = {"boxes": [1, 3, 4], "scores": [1, 3]} if batched else {"boxes": ["n", 4], "scores": ["n"]}
    if landmarks:
        nodes.append(helper.make_node("Identity", ["marks"], ["landmarks"]))
        outputs["landmarks"] = ["n", 10]
    return save(path, nodes, constants, outputs, size, metadata)


def spotted(values, color):
    """A picture of 100 x 70 pixels with a value in one color (BGR) at the pixels that the scores are read from."""
    image = np.zeros((70, 100, 3), np.uint8)
    for (x, y), value in zip(SCORED, values, strict=True):
        image[y, x, color] = value
    return image


@pytest.mark.parametrize("batched", [False, True])
@pytest.mark.parametrize("landmarks", [False, True])
def test_plain_boxes_and_scores_are_read(tmp_path, batched, landmarks):
    path = plain(tmp_path / "mine.onnx", 0, batched=batched, landmarks=landmarks, metadata={"scale": str(1 / 255)})
    detector = open_detector(path)
    assert detector.name == "mine"
    found = detector.detect(spotted((102, 204, 51), 0), 0.3)
    expected = [[50, 20, 20, 30, 0.8, *MARKS[1]], [10, 20, 30, 40, 0.4, *MARKS[0]]]
    np.testing.assert_allclose(found, np.array(expected)[:, : 15 if landmarks else 5], atol=1e-5)
    # Boxes end at the border of the picture.
    np.testing.assert_allclose(detector.detect(spotted((0, 0, 255), 0), 0.3)[0, :5], [0, 5, 30, 20, 1], atol=1e-5)


def test_metadata_of_the_plain_layout_names_order_mean_and_scale(tmp_path):
    metadata = {"color": "RGB", "mean": "10, 20, 30", "scale": "0.004"}
    found = open_detector(plain(tmp_path / "a.onnx", 0, metadata=metadata)).detect(spotted((110, 235, 60), 2), 0.1)
    np.testing.assert_allclose(found[:, 4], [0.9, 0.4, 0.2], atol=1e-6)  # (red - 10) * 0.004
    found = open_detector(plain(tmp_path / "b.onnx", 2, metadata=metadata)).detect(spotted((130, 230, 80), 0), 0.1)
    np.testing.assert_allclose(found[:, 4], [0.8, 0.4, 0.2], atol=1e-6)  # (blue - 30) * 0.004


def test_a_plain_network_of_fixed_size_gives_boxes_in_the_pictures_pixels(tmp_path):
    path = plain(tmp_path / "a.onnx", 1, size=(64, 96), metadata={"scale": "0.00392156862"})
    image = np.zeros((96, 192, 3), np.uint8)  # shrunk by half, and padded below from row 48 on
    image[40:42, 60:62, 1] = 255
    found = open_detector(path).detect(image, 0.1)
    np.testing.assert_allclose(found[0], [20, 40, 60, 56, 1], atol=1e-4)  # ends at the picture's last row
    with pytest.raises(FacadeError, match="fixed size"):
        open_detector(path, size=640)


@pytest.mark.parametrize(
    "metadata",
    [{"color": "GRAY"}, {"mean": "1,2"}, {"mean": "dark"}, {"scale": "0"}, {"multiple": "0"}, {"nms": "2"}],
    ids=lambda one: "-".join(next(iter(one.items()))),
)
def test_metadata_that_the_plain_layout_does_not_allow_is_refused(tmp_path, metadata):
    with pytest.raises(FacadeError, match="which the plain layout does not allow"):
        open_detector(plain(tmp_path / "a.onnx", metadata=metadata))


def test_an_export_carries_its_threshold_size_and_fitness(tmp_path):
    content = {"min_score": 0.35, "size": 200, "fit_for_real_people": False, "card": "Learned from pseudonyms."}
    path = plain(tmp_path / "a.onnx", metadata={"facade": json.dumps(content), "scale": "0.004"})
    resized = open_detector(path)
    assert resized.detector.card == DetectorCard("a", "", 0.35, 200, False, "Learned from pseudonyms.")
    # The picture is enlarged to 200 pixels, so boxes shrink by half on the way back.
    found = resized.detect(np.full((70, 100, 3), 200, np.uint8), 0.5)
    np.testing.assert_allclose(found[found[:, 0] == 5, :4], [[5, 10, 15, 20]])


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"min_score": 2}', '{"size": -1}', '{"size": "640"}', '{"fit_for_real_people": "yes"}']
)
def test_a_damaged_card_is_refused(tmp_path, content):
    with pytest.raises(FacadeError, match="Export it again"):
        open_detector(plain(tmp_path / "a.onnx", metadata={"facade": content}))


def test_networks_that_are_no_detectors_are_refused(tmp_path):
    none = save(tmp_path / "none.onnx", [helper.make_node("Relu", ["x"], ["y"])], {}, {"y": [1, 3, "h", "w"]})
    with pytest.raises(FacadeError, match=r"has outputs \['y'\], unlike any supported face detector"):
        open_detector(none)
    uneven = plain(tmp_path / "uneven.onnx", landmarks=False)
    model = onnx.load(str(uneven))
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(BOXES[:2], "fixed"))
    onnx.save(model, str(uneven))
    with pytest.raises(FacadeError, match="8 coordinates of boxes for 3 scores"):
        open_detector(uneven).detect(np.zeros((70, 100, 3), np.uint8), 0.5)
    with pytest.raises(FacadeError, match=r"fails on an input of shape \(1, 3, 32, 32\)"):
        open_detector(plain(tmp_path / "a.onnx")).detect(np.zeros((20, 20, 3), np.uint8), 0.5)


class EgoBlurLike(torch.nn.Module):
    """EgoBlur's layout: (3, H, W) uint8 BGR; boxes, labels, scores, size. The first score is the blue of a corner."""

    def __init__(self, boxes: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("boxes", boxes)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        assert image.dtype == torch.uint8
        assert image.dim() == 3
        scores = image[:, 0, 0].float() / 255
        return self.boxes, torch.zeros(3, dtype=torch.long), scores, torch.tensor([image.shape[1], image.shape[2]])


class OneTensor(torch.nn.Module):
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image.float()


def test_torchscript_in_egoblurs_layout_is_decoded(tmp_path):
    boxes = torch.tensor([[10.0, 20, 40, 60], [11, 21, 41, 61], [50, 20, 70, 50]])
    torch.jit.script(EgoBlurLike(boxes)).save(str(tmp_path / "ego_blur_face.jit"))
    image = np.zeros((70, 100, 3), np.uint8)
    image[0, 0] = (102, 204, 51)  # blue, green, red
    detector = open_detector(tmp_path / "ego_blur_face.jit")
    found = detector.detect(image, 0.1)
    # The first box duplicates the second, which scores higher.
    np.testing.assert_allclose(found, [[11, 21, 30, 40, 0.8], [50, 20, 20, 30, 0.2]], atol=1e-6)
    assert len(detector.detect(image, 0.5)) == 1
    np.testing.assert_array_equal(found, detector.detect(image, 0.1))


def test_torchscript_of_another_layout_or_damaged_is_refused(tmp_path):
    torch.jit.script(OneTensor()).save(str(tmp_path / "other.pt"))
    with pytest.raises(FacadeError, match="as EgoBlur's first generation does"):
        open_detector(tmp_path / "other.pt").detect(np.zeros((8, 8, 3), np.uint8), 0.5)
    with zipfile.ZipFile(tmp_path / "other.pt") as whole, zipfile.ZipFile(tmp_path / "half.pt", "w") as half:
        for name in whole.namelist():
            half.writestr(name, whole.read(name)[: 20 if "/code/" in name else None])
    with pytest.raises(FacadeError, match="torch cannot read .*half.pt as TorchScript"):
        open_detector(tmp_path / "half.pt")
    (tmp_path / "cut.pt").write_bytes((tmp_path / "other.pt").read_bytes()[:200])
    with pytest.raises(FacadeError, match="holds no weights that are safe to load"):
        open_detector(tmp_path / "cut.pt")
