"""Rendered photographs for pretraining a detector: crowds and small faces, as in real data sets."""

from dataclasses import dataclass, replace
from pathlib import Path

from facade.dataset.records import Photograph
from facade.dataset.store import encode, finish_dataset, to_coco
from facade.demo.photograph import draw_scene
from facade.demo.write import EMPTY_SHARE
from facade.files import atomic_directory
from facade.parallel import ordered_map
from facade.params import Codec, Pretrain
from facade.seeds import generator


@dataclass(frozen=True)
class _RenderPretraining:
    """Renders photograph number N. The result depends only on the seed and the number."""

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
        # Mostly occluded faces, and faces below the minimum height, are ignored in training.
        faces = tuple(
            replace(face, ignore=bool(face.attributes["invalid"]) or face.bbox[3] < self.min_face)
            for face in scene.faces
        )
        return Photograph(name, scene.pixels.shape[1], scene.pixels.shape[0], faces)


def write_pretraining_set(
    params: Pretrain, codec: Codec, min_face: float, into: Path, workers: int | None = None
) -> None:
    """Render photographs and write them as a data set in Facade's layout.

    Args:
        params: Number and size of photographs, face heights, and the seed.
        codec: JPEG settings.
        min_face: Minimum face height, pixels; smaller faces are ignored in training.
        into: Directory of the data set.
        workers: Processes; all cores by default. The result does not depend on it.
    """
    with atomic_directory(into) as root:
        images = root / "images"
        images.mkdir()
        render = _RenderPretraining(images, params, codec, min_face)
        finish_dataset(
            root, to_coco(ordered_map(render, range(params.photographs), "pretrain, draw", workers), True), "files"
        )
