"""How near the blur comes to what bounds it.   python benchmarks/limits.py

Against reading and writing the same files, against blurring whole pictures, and one JPEG codec against others. Times
are processor seconds, in turns, as in speed.py; ratios are those of the same round.
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
from speed import in_turns, one_thread

from facade.anonymize import BlurFaces
from facade.anonymize.blur_faces import sigma_of
from facade.dataset import Face, Photograph, Photographs
from facade.dataset.records import Box
from facade.dataset.store import decode, encode
from facade.params import Blur, Codec, load
from facade.seeds import generator

SIDES = (320, 640, 1024)  # of a photograph, pixels
FACES, SHARES = 5, (0.06, 0.2)  # faces in a photograph, and their heights as shares of its side
LONE = (400.0, 380.0, 150.0, 190.0)  # the face in the picture of 1,024 px that is blurred as a whole
# The recipe for ImageNet: faces are enlarged, and blurred, by so much of the diagonal (arXiv 2103.06191, section 3).
RECIPE = 0.1


def photograph(number: int, side: int) -> tuple[np.ndarray, Photograph]:
    """A picture of textures, (side, side, 3) uint8, and boxes in it: a blur asks nothing of what it blurs."""
    random = generator("limits", number, side)
    image = np.rint(backdrop(generator("limits backdrop", number), side, side) * 255).astype(np.uint8)
    heights = random.uniform(*SHARES, FACES) * side
    faces = [(*random.uniform(0, side - height, 2), 0.8 * height, height) for height in heights]
    return image, Photograph(f"{number}.jpg", side, side, tuple(Face(tuple(map(float, box))) for box in faces))


def by_whole_pictures(image: np.ndarray, bbox: Box, sigma: float) -> np.ndarray:
    """A face blurred as for ImageNet: picture and mask are blurred whole, and the two pictures mixed by the mask."""
    x, y, w, h = bbox
    wider = RECIPE * np.hypot(w, h)
    mask = np.zeros(image.shape[:2], np.float32)
    mask[int(y - wider) : int(y + h + wider), int(x - wider) : int(x + w + wider)] = 1
    soft = cv2.GaussianBlur(mask, (0, 0), sigma)[..., None]
    blurred = cv2.GaussianBlur(image, (0, 0), sigma)
    return np.rint(blurred * soft + image * (1 - soft)).astype(np.uint8)


def told(times: dict[str, np.ndarray], other: str, own: str, count: int) -> list[str]:
    """What one core does in a second, and how many times as fast the own way is (median and range over the rounds)."""
    ratio = times[other] / times[own]
    rates = [f"{count / np.median(times[name]):.1f}" for name in (other, own)]
    return [*rates, f"{np.median(ratio):.2f} ({ratio.min():.2f} to {ratio.max():.2f})"]


def every_tenth(data: Path) -> list[tuple[bytes, Photograph]]:
    """Files and labels of a data set that Facade wrote."""
    photographs = Photographs(data)
    return [(photographs.read(one), one) for one in list(photographs)[::10]]


def against_the_codec(rounds: int, count: int, blur: Blur, codec: Codec, data: Path | None) -> None:
    """Print photographs a second, only read and written, and blurred in between."""
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
        works: dict[str, Callable[[], object]] = {
            "codec": lambda files=files: [encode(decode(content), codec) for content, _ in files],
            "blur": lambda files=files: [encode(treat(decode(content), one).pixels, codec) for content, one in files],
        }
        times = in_turns(works, rounds)
        rows.append([name, *told(times, "codec", "blur", len(files))])
        if name.startswith("640 px"):
            keep(
                "blur: of the codec's limit", times["codec"] / times["blur"], 0.85, f"{len(files)} photographs, {name}"
            )
    print_table(["photograph", "read and written, a second", "blurred, too", "of the limit"], rows)


def against_whole_pictures(rounds: int, blur: Blur) -> None:
    """Print pictures a second by the recipe for ImageNet and by Facade's, and how far they differ inside the face."""
    side = SIDES[-1]
    image, _ = photograph(0, side)
    alike = blur.model_copy(update={"method": "gaussian", "sigma": 100 * RECIPE, "vary": 1, "decoys": 0})
    one = Photograph("0.jpg", side, side, (Face(LONE),))
    sigma = sigma_of(LONE, alike.sigma)
    works = {
        "recipe": partial(by_whole_pictures, image, LONE, sigma),
        "facade": partial(BlurFaces(alike), image, one),
    }
    x, y, w, h = map(int, LONE)
    # The ellipse that the box holds, less a little: there neither way mixes in anything of the untreated face.
    inside = np.zeros(image.shape[:2], np.uint8)
    cv2.ellipse(inside, (x + w // 2, y + h // 2), (int(0.45 * w), int(0.45 * h)), 0, 0, 360, 1, -1)
    apart = np.abs(works["recipe"]().astype(int) - works["facade"]().pixels.astype(int))[inside == 1]
    difference = f"{apart.mean():.2f}, at the most {apart.max()}"
    times = in_turns(works, rounds)
    keep("blur: times as fast as on whole pictures", times["recipe"] / times["facade"], 10, f"{side} px, one face")
    rows = [[f"{side} px, 1 face", *told(times, "recipe", "facade", 1), difference]]
    print_table(["picture", "whole pictures, a second", "facade", "times as fast", "grey levels apart inside"], rows)


def codecs(rounds: int, count: int, codec: Codec) -> None:
    """Print pictures decoded and encoded a second by each codec that is installed, at the same quality."""
    rows = []
    for side in SIDES[1:]:
        pictures = [photograph(number, side)[0] for number in range(count)]
        files = [encode(image, codec) for image in pictures]
        ways = _ways(pictures, files, codec)
        times = in_turns(ways, rounds)
        for name in sorted({name.partition(":")[0] for name in ways} - {"OpenCV"}):
            for what in ("decode", "encode"):
                figures = told(times, "OpenCV:" + what, f"{name}:{what}", count)
                rows.append([f"{side} px", name, what, *figures])
    print_table(["picture", "codec", "what", "OpenCV, a second", "this one", "times as fast as OpenCV"], rows)


def _ways(pictures: Sequence[np.ndarray], files: Sequence[bytes], codec: Codec) -> dict[str, Callable[[], object]]:
    """Each codec's work. All write `codec`'s quality, and its subsampling but for torchvision, which has its own."""
    import torch
    from torchvision.io import decode_jpeg, encode_jpeg

    ways: dict[str, Callable[[], object]] = {
        "OpenCV:decode": lambda: [decode(content) for content in files],
        "OpenCV:encode": lambda: [encode(image, codec) for image in pictures],
    }
    contents = [torch.frombuffer(bytearray(content), dtype=torch.uint8) for content in files]
    tensors = [torch.from_numpy(image[..., ::-1].transpose(2, 0, 1).copy()) for image in pictures]
    ways["torchvision:decode"] = lambda: [decode_jpeg(content) for content in contents]
    ways["torchvision:encode"] = lambda: [encode_jpeg(image, codec.quality) for image in tensors]
    try:
        import simplejpeg
    except ImportError:
        print("simplejpeg is not installed: not measured.\n")
        return ways
    ways["simplejpeg:decode"] = lambda: [simplejpeg.decode_jpeg(content, "BGR") for content in files]
    ways["simplejpeg:encode"] = lambda: [
        simplejpeg.encode_jpeg(image, codec.quality, "BGR", str(codec.subsampling)) for image in pictures
    ]
    return ways


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9, help="repeats, of which the median counts")
    parser.add_argument("--count", type=int, default=12, help="photographs in each round")
    parser.add_argument("--photographs", type=Path, metavar="DATA", help="a data set of Facade's, too")
    wanted = parser.parse_args()
    params = load()
    with one_thread():
        print_header("The blur, and what bounds it", rounds=wanted.rounds, photographs=wanted.count)
        against_the_codec(wanted.rounds, wanted.count, params.blur, params.codec, wanted.photographs)
        against_whole_pictures(wanted.rounds, params.blur)
        codecs(wanted.rounds, wanted.count, params.codec)


if __name__ == "__main__":
    main()
