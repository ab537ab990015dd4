"""A diffusion model as a source of faces: a tiny untrained model in the real pipeline."""

import json
import pickle
import string
import sys
from pathlib import Path

import numpy as np
import pytest

from facade.errors import FacadeError
from facade.heads.light import Light
from facade.heads.pose import Pose, View
from facade.params import Diffusion
from facade.seeds import generator
from facade.sources.diffusion import DiffusionFaces, bare_skin_discs, describe_view, feathered_mask
from facade.sources.source import FaceRequest

FIVE_POINTS = np.array([(-3.2, 3.3, 8.5), (3.2, 3.3, 8.5), (0, 0, 11.5), (-2.5, -3.2, 9), (2.5, -3.2, 9)])


def request(number: int, height: int = 48, width: int = 40, pose: Pose | None = None) -> FaceRequest:
    """A mask in the middle of a smooth picture."""
    view = View(pose or Pose(), height / 48, width / 2, height / 2)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    mask = (np.hypot(x + 0.5 - width / 2, y + 0.5 - height / 2) < 0.3 * width).astype(np.float32)
    pixels = np.stack([x / width, y / height, np.full_like(x, number % 7 / 7)], axis=-1)
    box = (0.2 * width, height / 2 - 0.3 * width, 0.6 * width, 0.6 * width)
    random = generator("pseudonym", number)
    return FaceRequest(random, pixels, mask, view, view.project(FIVE_POINTS).astype(np.float32), box, Light())


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """A folder with an inpainting model in diffusers' layout: all parts of a real one, 1/100 as wide."""
    pytest.importorskip("diffusers", reason="requirements-diffusion.txt is not installed")
    import torch
    from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionInpaintPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    folder = tmp_path_factory.mktemp("model")
    letters = string.ascii_lowercase + ",-"
    words = [*letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({word: number for number, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    torch.manual_seed(0)
    pipeline = StableDiffusionInpaintPipeline(
        vae=AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            block_out_channels=(8,) * 4,
            norm_num_groups=4,
            latent_channels=4,
        ),
        text_encoder=CLIPTextModel(
            CLIPTextConfig(
                vocab_size=len(words), hidden_size=16, intermediate_size=16, num_hidden_layers=1,
                num_attention_heads=2, bos_token_id=len(words) - 2, eos_token_id=len(words) - 1,
            )
        ),
        tokenizer=CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=77),
        unet=UNet2DConditionModel(
            sample_size=8, in_channels=9, out_channels=4, layers_per_block=1, block_out_channels=(8, 16),
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            cross_attention_dim=16, attention_head_dim=4, norm_num_groups=4,
        ),
        scheduler=DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    pipeline.save_pretrained(folder / "tiny")
    return folder / "tiny"


def wanted(model: Path | str, **changes) -> Diffusion:
    values = {"prompt": "photo of {who}, {view}", "steps": 3, "guidance": 3, "strength": 1, "size": 64, "batch": 2}
    return Diffusion(model=str(model), **{**values, **changes})


@pytest.fixture(scope="module")
def faces(model) -> DiffusionFaces:
    return DiffusionFaces(wanted(model))


def pixels(source: DiffusionFaces, *numbers: int, **how) -> list[np.ndarray]:
    return [layer.pixels for layer in source.render(request(number, **how) for number in numbers)]


def test_layers_have_the_order_and_shapes_of_their_requests(faces):
    shapes = [(48, 40), (31, 64), (90, 33)]
    layers = list(faces.render(request(number, *shape) for number, shape in enumerate(shapes)))
    assert [layer.pixels.shape for layer in layers] == [(*shape, 3) for shape in shapes]
    for layer, shape in zip(layers, shapes, strict=True):
        assert layer.alpha.shape == layer.skin.shape == shape
        assert (layer.pixels.dtype, layer.alpha.dtype, layer.skin.dtype) == (np.float32, np.float32, bool)
        assert 0 <= layer.pixels.min() < layer.pixels.max() <= 1
        assert (layer.alpha.min(), layer.alpha.max()) == (0, 1)
        assert layer.skin.any()
        assert layer.pixels.flags.c_contiguous


def test_the_same_seed_gives_the_same_face_and_another_seed_another(faces):
    one, again, other = pixels(faces, 1, 1, 2)
    assert np.abs(one - again).max() < 1e-5
    assert np.abs(one - other).max() > 0.01
    np.testing.assert_array_equal(pixels(faces, 1, 2), pixels(faces, 1, 2), "a repeated run is byte-identical")


@pytest.mark.parametrize("batch", [1, 3, 8])
def test_the_identity_does_not_depend_on_batch_or_neighbors(model, faces, batch):
    """Equal up to the last digits, as the order of summation depends on the batch; identical one by one."""
    numbers = [5, 3, 8, 1]
    alone = [pixels(faces, number)[0] for number in numbers]
    together = pixels(DiffusionFaces(wanted(model, batch=batch)), *numbers)
    np.testing.assert_allclose(together, alone, atol=0 if batch == 1 else 1e-4, rtol=0)
    np.testing.assert_allclose(pixels(faces, *numbers[::-1])[::-1], alone, atol=1e-4)


def test_no_more_requests_are_held_than_a_batch(faces):
    taken = []
    layers = faces.render(taken.append(number) or request(number) for number in range(100))
    next(layers)
    assert taken == [0, 1]


def test_without_requests_no_model_is_loaded():
    assert list(DiffusionFaces(wanted("/no/such/model")).render([])) == []


def test_the_picture_under_the_mask_is_not_used(faces):
    """The masked area is already erased; a model that starts from noise does not use it either."""
    white = request(1)
    white.pixels[white.mask > 0] = 1
    (layer,) = faces.render([white])
    np.testing.assert_allclose(layer.pixels, pixels(faces, 1)[0], atol=1e-5)


@pytest.mark.parametrize("prompt", ["", "a face", "{who}", "{view}"])
def test_a_prompt_may_be_empty_fixed_or_described(model, faces, prompt):
    (face,) = pixels(DiffusionFaces(wanted(model, prompt=prompt)), 1)
    assert np.abs(face - pixels(faces, 1)[0]).max() > 0, "another prompt, another picture"


def test_less_strength_starts_from_the_picture_under_the_mask(model):
    source, white = DiffusionFaces(wanted(model, strength=0.5)), request(1)
    white.pixels[white.mask > 0] = 1
    (layer,) = source.render([white])
    assert np.abs(layer.pixels - pixels(source, 1)[0]).max() > 1e-3


def test_a_face_that_the_safety_checker_blacks_out_is_painted_again(model, monkeypatch):
    source, asked = DiffusionFaces(wanted(model, batch=3)), []
    expected, another = pixels(source, 1, 2, 3), source._try([source._job(request(2))], 1)[0]
    paint = source._pipeline

    def blacken(times):
        def painting(**how):
            result = paint(**how)
            asked.append(len(how["prompt"]))
            if len(asked) <= times:
                result.images[len(how["prompt"]) // 2] = 0
            return result

        asked.clear()
        monkeypatch.setitem(source.__dict__, "_pipeline", painting)

    blacken(times=1)
    first, second, third = source.render(request(number) for number in (1, 2, 3))
    assert asked == [3, 1]
    np.testing.assert_allclose([first.pixels, third.pixels], [expected[0], expected[2]], atol=1e-4)
    assert np.abs(second.pixels - expected[1]).max() > 0.01
    assert another.any()

    blacken(times=99)
    with pytest.raises(FacadeError, match="black picture 4 times.*synthesize.seed"):
        pixels(source, 1, 2, 3)


def test_a_picture_with_non_finite_values_is_reported(model, monkeypatch):
    source = DiffusionFaces(wanted(model))
    paint = source._pipeline

    def painting(**how):
        result = paint(**how)
        result.images[0, 0, 0] = np.nan
        return result

    monkeypatch.setitem(source.__dict__, "_pipeline", painting)
    with pytest.raises(FacadeError, match="not finite"):
        pixels(source, 1)


def test_before_the_first_request_a_source_can_be_pickled(model, faces):
    sent = pickle.loads(pickle.dumps(DiffusionFaces(wanted(model))))  # noqa: S301 - our own
    np.testing.assert_array_equal(pixels(sent, 4), pixels(faces, 4))


def test_without_diffusers_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(FacadeError, match=r"pip install -r requirements-diffusion\.txt"):
        pixels(DiffusionFaces(wanted("any/model")), 1)


def test_a_missing_model_is_reported(model, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "model_index.json").write_text("{")
    for name in ("nobody/has-this-model", "/no/such/folder", str(tmp_path / "empty"), str(tmp_path / "broken")):
        with pytest.raises(FacadeError, match=f"diffusion.model is {name}, which cannot be loaded"):
            pixels(DiffusionFaces(wanted(name)), 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"prompt": "{age}"}, "unknown placeholder"),
        ({"prompt": "{"}, "unknown placeholder"),
        ({"prompt": "{}"}, "unknown placeholder"),
        ({"prompt": "{who.age}"}, "unknown placeholder"),
        ({"steps": 4, "strength": 0.2}, "less than one"),
        ({"size": 500}, "multiple of 8"),
    ],
)
def test_invalid_parameters_are_reported(change, message):
    with pytest.raises(ValueError, match=message):
        wanted("any/model", **change)


@pytest.mark.parametrize(
    ("pose", "words"),
    [
        (Pose(), "frontal view"),
        (Pose(-40), "three-quarter view facing left"),
        (Pose(40, 20), "three-quarter view facing right, looking up"),
        (Pose(80, -20, 15), "profile view facing right, looking down"),
    ],
)
def test_a_view_is_described_in_words(pose, words):
    assert describe_view(pose) == words


def test_the_mask_is_covered_and_the_edge_is_soft():
    mask = np.zeros((40, 40), np.float32)
    mask[15:25, 10:30] = 1
    mask[14, 10:30] = 0.1
    alpha = feathered_mask(mask, 5)
    assert (alpha[mask > 0] == 1).all()
    np.testing.assert_array_equal(alpha[23:26, 20], 1, "one pixel more, for interpolated edges")
    assert (np.diff(alpha[25:31, 20]) < 0).all()
    assert not alpha[30:].any()
    assert not feathered_mask(np.zeros_like(mask), 5).any()


@pytest.mark.parametrize(("yaw", "left", "right"), [(0, True, True), (45, True, False), (-45, False, True)])
def test_skin_is_expected_on_the_visible_cheeks(yaw, left, right):
    place = request(0, 96, 96, Pose(yaw))
    skin = bare_skin_discs(place)
    assert not (skin & (place.mask == 0)).any()
    for eye, mouth, seen in ((0, 3, left), (1, 4, right)):
        x, y = ((place.keypoints[eye] + place.keypoints[mouth]) / 2).astype(int)
        assert skin[y, x] == seen
