"""Drawn photographs to pretrain a detector on: crowds and small faces, as data sets of real photographs have them."""

from dataclasses import dataclass, replace
from pathlib import Path

from facade.dataset.records import Photograph
from facade.dataset.store import coco, encode, finish
from facade.demo.photograph import draw_scene
from facade.demo.write import EMPTY_SHARE
from facade.files import whole_directory
from facade.parallel import in_order
from facade.params import Codec, Pretrain
from facade.seeds import generator


@dataclass(frozen=True)
class _Artist:
    """Draws photograph number N; what it draws depends on nothing else."""

    images: Path
    params: Pretrain
    codec: Codec
    min_face: float

    def __call__(self, number: int) -> Photograph:
        random = generator("pretrain", self.params.seed, number)
        with_people = number == 0 or random.random() >= EMPTY_SHARE
        scene = draw_scene(random, self.params.size, with_people, self.params.face_height)
        name = f"{number:05d}.jpg"
        (self.images / name).write_bytes(encode(scene.pixels, self.codec))
        # What hides most of a face, or leaves fewer pixels than a detector is asked to see, is not learned from.
        faces = tuple(
            replace(face, ignore=bool(face.attributes["invalid"]) or face.bbox[3] < self.min_face)
            for face in scene.faces
        )
        return Photograph(name, scene.pixels.shape[1], scene.pixels.shape[0], faces)


def write_drawn(params: Pretrain, codec: Codec, min_face: float, into: Path, workers: int | None = None) -> None:
    """Draw photographs and write them as a data set of Facade's own.

    Args:
        params: How many, how large, which faces, and the seed.
        codec: JPEG settings.
        min_face: Height in pixels; a smaller face is ignored by training.
        into: The data set's directory.
        workers: Processes; all cores by default. The result does not depend on it.
    """
    with whole_directory(into) as root:
        images = root / "images"
        images.mkdir()
        artist = _Artist(images, params, codec, min_face)
        finish(root, coco(in_order(artist, range(params.photographs), "pretrain, draw", workers), True), "files")
