"""Camera simulation: optics against independent formulas, and points that follow their pixels."""

import cv2
import numpy as np
import pytest

from facade.camera import fisheye as fisheye_module
from facade.camera.camera import simulate
from facade.camera.fisheye import Fisheye
from facade.camera.sensor import READ_NOISE, downsample, grayscale, low_light
from facade.camera.shake import motion_blur, motion_blur_kernel
from facade.color import decode_gamma, encode_gamma
from facade.params import DOMAINS
from tests.conftest import noise


def dot(width: int, height: int, x: float, y: float, radius: int = 5) -> np.ndarray:
    picture = np.zeros((height, width, 3), np.uint8)
    return cv2.circle(picture, (int(x), int(y)), radius, (255, 255, 255), -1)


def middle(picture: np.ndarray) -> tuple[float, float]:
    """Centre of what is bright, x y, pixels."""
    weight = picture[..., 0].astype(float)
    rows, columns = np.indices(weight.shape) + 0.5
    return float((weight * columns).sum() / weight.sum()), float((weight * rows).sum() / weight.sum())


@pytest.mark.parametrize("degrees", [60, 120, 160])
def test_the_fisheye_is_equidistant(degrees):
    """Against OpenCV's fisheye model, which without distortion is the equidistant projection."""
    lens = Fisheye(640, 480, degrees)
    points = np.random.default_rng(0).uniform((0, 0), (640, 480), (200, 2))
    half = np.radians(degrees) / 2
    straight, bent = 320 / np.tan(half), 320 / half
    rays = ((points - (320, 240)) / straight)[:, None]
    camera = np.array([[bent, 0, lens.size[0] / 2], [0, bent, lens.size[1] / 2], [0, 0, 1]])
    expected = cv2.fisheye.distortPoints(rays, camera, np.zeros(4))[:, 0]
    np.testing.assert_allclose(lens.map_points(points), expected, atol=1e-6)


@pytest.mark.parametrize(("x", "y"), [(320, 240), (60, 50), (600, 300), (200, 440)])
def test_points_follow_pixels_through_the_fisheye(x, y):
    lens = Fisheye(640, 480, 120)
    where = middle(dot(640, 480, x, y)), middle(lens.picture(dot(640, 480, x, y)))
    assert lens.map_points(np.array([where[0]]))[0] == pytest.approx(where[1], abs=0.35)


def test_the_fisheye_shows_the_whole_photograph():
    lens = Fisheye(640, 480, 140)
    border = np.array([(x, y) for x in np.linspace(0, 640, 41) for y in (0, 480)] + [(0, y) for y in range(481)])
    moved = lens.map_points(border)
    assert (moved >= -0.5).all()
    assert (moved <= np.array(lens.size) + 0.5).all()
    assert lens.picture(np.full((480, 640, 3), 255, np.uint8)).shape == (lens.size[1], lens.size[0], 3)


def test_tiles_have_no_seams(monkeypatch):
    lens, photo = Fisheye(300, 200, 120), noise(200, 300)
    whole = lens.picture(photo)
    monkeypatch.setattr(fisheye_module, "TILE", 64)
    assert (lens.picture(photo) == whole).all()


@pytest.mark.parametrize("length", [3.0, 9.5, 40.0])
def test_the_motion_blur_kernel_has_the_given_length_and_is_centered(length):
    kernel = motion_blur_kernel(length, 0.7)
    rows, columns = np.indices(kernel.shape) - kernel.shape[0] // 2
    assert kernel.sum() == pytest.approx(1, abs=1e-5)
    assert (kernel * columns).sum() == pytest.approx(0, abs=1e-3)
    assert (kernel * rows).sum() == pytest.approx(0, abs=1e-3)
    along = columns * np.cos(0.7) + rows * np.sin(0.7)
    # A uniform distribution of that length has this variance; interpolation adds at most a sixth.
    assert (kernel * along**2).sum() == pytest.approx(length**2 / 12, abs=0.25 + 0.1 * length)


def test_motion_blur_preserves_the_mean_light():
    photo = noise(90, 120)
    before, after = decode_gamma(photo / 255), decode_gamma(motion_blur(photo, 12, 0.3) / 255)
    assert after.mean() == pytest.approx(before.mean(), rel=0.03)
    assert after.std() < 0.8 * before.std()


def test_grayscale_is_the_luminance_of_linear_light():
    blue, green, red = np.eye(3, dtype=np.uint8)[:, None, None] * 255
    assert [int(grayscale(one)[0, 0, 0]) for one in (red, green, blue)] == [
        round(255 * float(encode_gamma(np.array(share)))) for share in (0.2126, 0.7152, 0.0722)
    ]
    neutral = np.repeat(noise(40, 40)[..., :1], 3, axis=2)
    assert np.abs(grayscale(neutral).astype(int) - neutral).max() <= 1


@pytest.mark.parametrize("electrons", [20.0, 200.0])
def test_low_light_noise_has_the_variance_of_shot_and_read_noise(electrons):
    """Shot noise has the variance of the number of electrons; read noise adds to it."""
    flat = np.full((400, 400, 3), 235, np.uint8)
    simulated = decode_gamma(low_light(flat, electrons, np.random.default_rng(0))[..., 0] / 255)
    light = float(decode_gamma(np.array(235 / 255))) * np.random.default_rng(0).uniform(0.25, 0.5)
    assert simulated.mean() == pytest.approx(light, rel=0.05)
    assert simulated.var() == pytest.approx(light / electrons + (READ_NOISE / electrons) ** 2, rel=0.12)


def test_colors_survive_the_bayer_filter():
    for channel in range(3):
        photo = np.full((64, 64, 3), 60, np.uint8)
        photo[..., channel] = 220
        simulated = low_light(photo, 1e5, np.random.default_rng(1))[8:-8, 8:-8].reshape(-1, 3).mean(0)
        assert simulated.argmax() == channel
        assert simulated[channel] > 1.8 * np.delete(simulated, channel).max()


def test_downsampled_pixels_are_means():
    photo = noise(120, 160)
    small = downsample(photo, 4)
    expected = photo.reshape(30, 4, 40, 4, 3).mean((1, 3))
    assert small.shape == (30, 40, 3)
    assert np.abs(small - expected).max() <= 1


@pytest.mark.parametrize("domain", ["plain", *DOMAINS, "fisheye+low_resolution+motion_blur", "grey+low_light+fisheye"])
def test_points_follow_pixels_in_every_domain(params, domain):
    settings = params.ingest.domain
    bright = dot(640, 480, 500, 120, radius=14)
    simulated = simulate(domain, bright, settings, np.random.default_rng(3))
    # Noise on black has no center: smoothed, and thresholded at half of the maximum.
    smooth = cv2.GaussianBlur(simulated.pixels, (0, 0), 3)
    shown = np.where(smooth > smooth.max() / 2, 255, 0)
    assert middle(shown) == pytest.approx(tuple(simulated.map_points(np.array([middle(bright)]))[0]), abs=0.8)


def test_plain_returns_the_photograph_unchanged(params):
    photo = noise(60, 80)
    assert simulate("plain", photo, params.ingest.domain, np.random.default_rng(0)).pixels is photo


def test_the_order_of_joined_domains_does_not_matter(params):
    photo, settings = noise(60, 80), params.ingest.domain
    one = simulate("grey+fisheye+low_light", photo, settings, np.random.default_rng(5)).pixels
    other = simulate("low_light+fisheye+grey", photo, settings, np.random.default_rng(5)).pixels
    assert (one == other).all()
    assert (one[..., 0] == one[..., 2]).all()
