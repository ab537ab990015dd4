"""Write the demo data set in WIDER FACE layout, so that it uses the same reader as real photographs."""

from dataclasses import dataclass
from pathlib import Path

from facade.dataset import Face, encode
from facade.dataset.records import ATTRIBUTES
from facade.dataset.synthetic_marker import write_synthetic_marker
from facade.demo.photograph import draw_scene
from facade.files import atomic_directory
from facade.parallel import ordered_map
from facade.params import Codec, Demo
from facade.seeds import generator

NOTICE = (
    "Drawn by formulas; nobody in these photographs exists. Numbers measured on them prove that the pipeline works "
    "and say nothing about real faces.\n"
)
EVENTS = ("0--Square", "1--Hall", "2--Street")
# Share of photographs without people, as negatives for the detector.
EMPTY_SHARE = 0.1


@dataclass(frozen=True)
class _RenderDemo:
    """Renders photograph number N of a split. The result depends only on the seed, the split and the number."""

    root: Path
    params: Demo
    codec: Codec
    split: str

    def __call__(self, number: int) -> tuple[str, tuple[Face, ...]]:
        random = generator("demo", self.params.seed, self.split, number)
        # The first photograph always shows people, so that every split has a face.
        with_people = number == 0 or random.random() >= EMPTY_SHARE
        scene = draw_scene(random, self.params.size, with_people)
        event = EVENTS[number % len(EVENTS)]
        name = f"{event}/{event.replace('--', '_')}_{number:05d}.jpg"
        path = self.root / f"WIDER_{self.split}" / "images" / name
        path.write_bytes(encode(scene.pixels, self.codec))
        return name, scene.faces


def write_demo(params: Demo, codec: Codec, into: Path, workers: int | None = None) -> None:
    """Render the demo photographs and write them in WIDER FACE layout, with landmarks in RetinaFace's format.

    Args:
        params: Number and size of photographs, and the seed.
        codec: JPEG settings of the simulated camera.
        into: Directory of the data set.
        workers: Processes; all cores by default. The result does not depend on it.
    """
    with atomic_directory(into) as root:
        for split, count in (("train", params.train), ("val", params.golden)):
            for event in EVENTS:
                (root / f"WIDER_{split}" / "images" / event).mkdir(parents=True, exist_ok=True)
            render = _RenderDemo(root, params, codec, split)
            drawn = sorted(ordered_map(render, range(count), f"demo, {split}", workers))
            labels = "".join(_label_entry(name, faces) for name, faces in drawn)
            label_file = root / "wider_face_split" / f"wider_face_{split}_bbx_gt.txt"
            label_file.parent.mkdir(exist_ok=True)
            label_file.write_text(labels)
            landmarks = "".join(_landmark_entry(name, faces) for name, faces in drawn)
            (root / f"WIDER_{split}" / "label.txt").write_text(landmarks)
        write_synthetic_marker(root, NOTICE)


def _label_entry(name: str, faces: tuple[Face, ...]) -> str:
    lines = [
        " ".join(f"{value:g}" for value in (*face.bbox, *(face.attributes[key] for key in ATTRIBUTES))) + " "
        for face in faces
    ]
    return "\n".join([name, str(len(faces)), *(lines or ["0 0 0 0 0 0 0 0 0 0 "])]) + "\n"


def _landmark_entry(name: str, faces: tuple[Face, ...]) -> str:
    lines = [f"# {name}"]
    for face in faces:
        x, y, w, h = face.bbox
        # As in the release: landmarks outside the picture are marked as not annotated.
        points = face.keypoints or ()
        placed = points if min(min(point) for point in points) >= 0 else ((-1.0, -1.0),) * 5
        flat = " ".join(f"{px:.3f} {py:.3f} 0.0" for px, py in placed)
        lines.append(f"{x:g} {y:g} {w:g} {h:g} {flat} 0.9")
    return "\n".join(lines) + "\n"
