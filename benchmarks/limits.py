"""Blur throughput relative to its upper bounds.   python benchmarks/limits.py

Compares the blur with only decoding and encoding the same files, and with blurring whole images; and OpenCV's JPEG
codec with others. Times are processor seconds, measured in turns as in speed.py; ratios are those of the same round.
"""

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from drawing import backdrop
from keeping import keep
from printing import print_header, print_table
from speed import one_thread, time_interleaved

from facade.anonymize import BlurFaces
from facade.anonymize.blur_faces import sigma_in_pixels
from facade.dataset import Face, Photograph, Photographs
from facade.dataset.records import Box
from facade.dataset.store import decode, encode
from facade.params import Blur, Codec, load
from facade.seeds import generator

SIDES = (320, 640, 1024)  # of a photograph, pixels
FACES, FACE_SHARES = 5, (0.06, 0.2)  # faces per photograph, and the range of their heights as a share of its side
SINGLE_FACE = (400.0, 380.0, 150.0, 190.0)  # in the image of 1,024 px for the comparison with blurring whole images
# ImageNet's method: margin and blur sigma as a share of the face diagonal (arXiv 2103.06191, section 3).
IMAGENET_SHARE = 0.1


def photograph(number: int, side: int) -> tuple[np.ndarray, Photograph]:
    """A textured image, (side, side, 3) uint8, with random boxes: the time of a blur does not depend on the content."""
    random = generator("limits", number, side)
    image = np.rint(backdrop(generator("limits backdrop", number), side, side) * 255).astype(np.uint8)
    heights = random.uniform(*FACE_SHARES, FACES) * side
    faces = [(*random.uniform(0, side - height, 2), 0.8 * height, height) for height in heights]
    return image, Photograph(f"{number}.jpg", side, side, tuple(Face(tuple(map(float, box))) for box in faces))


def blur_whole_image(image: np.ndarray, bbox: Box, sigma: float) -> np.ndarray:
    """Blur a face by ImageNet's method: blur the whole image and a mask, and blend both images by the mask."""
    x, y, w, h = bbox
    margin = IMAGENET_SHARE * np.hypot(w, h)
    mask = np.zeros(image.shape[:2], np.float32)
    mask[int(y - margin) : int(y + h + margin), int(x - margin) : int(x + w + margin)] = 1
    soft = cv2.GaussianBlur(mask, (0, 0), sigma)[..., None]
    blurred = cv2.GaussianBlur(image, (0, 0), sigma)
    return np.rint(blurred * soft + image * (1 - soft)).astype(np.uint8)


def speed_cells(times: dict[str, np.ndarray], baseline: str, name: str, count: int) -> list[str]:
    """Throughput of both per second and core, and the speedup over the baseline (median and range over the rounds)."""
    ratio = times[baseline] / times[name]
    rates = [f"{count / np.median(times[key]):.1f}" for key in (baseline, name)]
    return [*rates, f"{np.median(ratio):.2f} ({ratio.min():.2f} to {ratio.max():.2f})"]


def every_tenth(data: Path) -> list[tuple[bytes, Photograph]]:
    """Files and labels of every tenth photograph of a Facade data set."""
    photographs = Photographs(data)
    return [(photographs.read(one), one) for one in list(photographs)[::10]]


def compare_with_codec(rounds: int, count: int, blur: Blur, codec: Codec, data: Path | None) -> None:
    """Print photographs per second, decoded and encoded only, and with the blur in between."""
    rows, treat = [], BlurFaces(blur).in_place
    sets = {
        f"{side} px, {FACES} faces": [
            (encode(image, codec), one) for image, one in (photograph(number, side) for number in range(count))
        ]
        for side in SIDES
    }
    if data is not None:
        sets[f"every tenth of {data}"] = every_tenth(data)
    for name, files in sets.items():
        variants: dict[str, Callable[[], object]] = {
            "codec": lambda files=files: [encode(decode(content), codec) for content, _ in files],
            "blur": lambda files=files: [encode(treat(decode(content), one).pixels, codec) for content, one in files],
        }
        times = time_interleaved(variants, rounds)
        rows.append([name, *speed_cells(times, "codec", "blur", len(files))])
        if name.startswith("640 px"):
            keep(
                "blur: of the codec's limit", times["codec"] / times["blur"], 0.85, f"{len(files)} photographs, {name}"
            )
    print_table(["photograph", "decoded and encoded per second", "also blurred", "share of the limit"], rows)


def compare_with_whole_images(rounds: int, blur: Blur) -> None:
    """Print images per second by ImageNet's method and by Facade, and their difference inside the face."""
    side = SIDES[-1]
    image, _ = photograph(0, side)
    params = blur.model_copy(
        update={"method": "gaussian", "sigma": 100 * IMAGENET_SHARE, "sigma_jitter": 1, "decoys": 0}
    )
    one = Photograph("0.jpg", side, side, (Face(SINGLE_FACE),))
    sigma = sigma_in_pixels(SINGLE_FACE, params.sigma)
    variants = {
        "imagenet": partial(blur_whole_image, image, SINGLE_FACE, sigma),
        "facade": partial(BlurFaces(params), image, one),
    }
    x, y, w, h = map(int, SINGLE_FACE)
    # Slightly smaller than the inscribed ellipse: there neither method blends in the untreated face.
    inside = np.zeros(image.shape[:2], np.uint8)
    cv2.ellipse(inside, (x + w // 2, y + h // 2), (int(0.45 * w), int(0.45 * h)), 0, 0, 360, 1, -1)
    errors = np.abs(variants["imagenet"]().astype(int) - variants["facade"]().pixels.astype(int))[inside == 1]
    difference = f"{errors.mean():.2f}, at most {errors.max()}"
    times = time_interleaved(variants, rounds)
    keep("blur: times as fast as on whole pictures", times["imagenet"] / times["facade"], 10, f"{side} px, one face")
    rows = [[f"{side} px, 1 face", *speed_cells(times, "imagenet", "facade", 1), difference]]
    print_table(["image", "whole images per second", "facade", "speedup", "gray levels of difference inside"], rows)


def compare_codecs(rounds: int, count: int, codec: Codec) -> None:
    """Print images decoded and encoded per second by each installed codec, at the same quality."""
    rows = []
    for side in SIDES[1:]:
        pictures = [photograph(number, side)[0] for number in range(count)]
        files = [encode(image, codec) for image in pictures]
        variants = _codec_variants(pictures, files, codec)
        times = time_interleaved(variants, rounds)
        for name in sorted({name.partition(":")[0] for name in variants} - {"OpenCV"}):
            for operation in ("decode", "encode"):
                cells = speed_cells(times, "OpenCV:" + operation, f"{name}:{operation}", count)
                rows.append([f"{side} px", name, operation, *cells])
    print_table(["image", "codec", "operation", "OpenCV per second", "this codec", "speedup over OpenCV"], rows)


def _codec_variants(
    pictures: Sequence[np.ndarray], files: Sequence[bytes], codec: Codec
) -> dict[str, Callable[[], object]]:
    """The variants to time. All use the quality of `codec`, and all but torchvision its subsampling."""
    import torch
    from torchvision.io import decode_jpeg, encode_jpeg

    variants: dict[str, Callable[[], object]] = {
        "OpenCV:decode": lambda: [decode(content) for content in files],
        "OpenCV:encode": lambda: [encode(image, codec) for image in pictures],
    }
    contents = [torch.frombuffer(bytearray(content), dtype=torch.uint8) for content in files]
    tensors = [torch.from_numpy(image[..., ::-1].transpose(2, 0, 1).copy()) for image in pictures]
    variants["torchvision:decode"] = lambda: [decode_jpeg(content) for content in contents]
    variants["torchvision:encode"] = lambda: [encode_jpeg(image, codec.quality) for image in tensors]
    try:
        import simplejpeg
    except ImportError:
        print("simplejpeg is not installed: not measured.\n")
        return variants
    variants["simplejpeg:decode"] = lambda: [simplejpeg.decode_jpeg(content, "BGR") for content in files]
    variants["simplejpeg:encode"] = lambda: [
        simplejpeg.encode_jpeg(image, codec.quality, "BGR", str(codec.subsampling)) for image in pictures
    ]
    return variants


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9, help="repetitions; the median is reported")
    parser.add_argument("--count", type=int, default=12, help="photographs per round")
    parser.add_argument("--photographs", type=Path, metavar="DATA", help="also measure a Facade data set")
    args = parser.parse_args()
    params = load()
    with one_thread():
        print_header("Blur throughput and its upper bounds", rounds=args.rounds, photographs=args.count)
        compare_with_codec(args.rounds, args.count, params.blur, params.codec, args.photographs)
        compare_with_whole_images(args.rounds, params.blur)
        compare_codecs(args.rounds, args.count, params.codec)


if __name__ == "__main__":
    main()
