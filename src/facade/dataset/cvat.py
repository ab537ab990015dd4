"""Reading CVAT's own export, "CVAT for images 1.1": `annotations.xml`, and photographs in `images/`.

Source of the format: https://docs.cvat.ai/docs/manual/advanced/formats/format-cvat/
"""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element

from facade.dataset.categories import face_categories
from facade.dataset.label_text import finite_numbers
from facade.dataset.label_xml import read_label_xml
from facade.dataset.labels import Labels
from facade.dataset.pictures import PictureFinder
from facade.dataset.records import Box, Labelled, Split
from facade.dataset.segmentation import box_of_points, rotated_box
from facade.dataset.shapes import OUTSIDE, UNNAMED, Shape, box_of_ellipse, face_boxes
from facade.dataset.splits import NO_SPLIT, has_both, split_of, with_suffix
from facade.errors import FacadeError

# Elements of an image that are no shapes.
OTHER_ELEMENTS = ("attribute",)


@dataclass(frozen=True)
class _Image:
    name: str
    subset: str
    size: tuple[int, int] | None
    shapes: tuple[Shape, ...]

    @property
    def split(self) -> Split | None:
        return split_of(self.subset)


def cvat_files(root: Path) -> list[Path]:
    """CVAT's files at the root of a data set, valid or not."""
    return [path for path in with_suffix([root], ".xml") if _is_cvat(path)]


def read_cvat(root: Path, categories: Collection[str] = ()) -> Labels:
    """Read the labels of a data set that CVAT exported. Subsets called after a split are its splits.

    Args:
        root: The data set.
        categories: Names of the labels that are faces; empty to take those that are called a face.

    Raises:
        FacadeError: A file is malformed, or is of a video.
    """
    images = [(path, image) for path in cvat_files(root) for image in _images(path)]
    counts = Counter(shape.category for _, image in images for shape in image.shapes)
    faces = face_categories(counts, categories, str(root))
    both = has_both(image.split for _, image in images)
    finder, photographs = PictureFinder(), []
    for path, image in images:
        folders = [root / "images" / image.subset, root / "images", root]
        folder, name = finder.find([one for one in folders if one.is_relative_to(root)], image.name) or (
            root, image.name or f"an image without a name in {path.name}",
        )  # fmt: skip
        boxes, without_box = face_boxes(image.shapes, faces, "shape")
        photographs.append(
            Labelled(
                name, folder, image.split if both else None, boxes, image.size, labels=path.name,
                without_box=without_box, refused=NO_SPLIT if both and image.split is None else "",
            )
        )  # fmt: skip
    return Labels("CVAT", tuple(photographs), counts, faces)


def _is_cvat(path: Path) -> bool:
    try:
        return read_label_xml(path).tag == "annotations"
    except FacadeError:
        return False  # of which tool a damaged file is, nobody can tell


def _images(path: Path) -> list[_Image]:
    tree = read_label_xml(path)
    if tree.find("track") is not None:
        raise FacadeError(
            f"{path} is CVAT's export of a video, in which frames have no files. Export the task as "
            "'CVAT for images 1.1', with 'Save images'."
        )
    try:
        return [_image(element) for element in tree.findall("image")]
    except (ValueError, OverflowError) as error:
        raise FacadeError(f"{path} is not a valid export of CVAT ({error}). Fix the file.") from None


def _image(element: Element) -> _Image:
    size = None
    if element.get("width") and element.get("height"):
        size = (int(_number(element, "width")), int(_number(element, "height")))
    shapes = tuple(_shape(one) for one in element if one.tag not in OTHER_ELEMENTS)
    return _Image((element.get("name") or "").strip(), (element.get("subset") or "").strip(), size, shapes)


def _shape(element: Element) -> Shape:
    if element.get("outside") == "1":
        return Shape(OUTSIDE, None)
    return Shape((element.get("label") or "").strip() or UNNAMED, _box(element))


def _box(element: Element) -> Box | None:
    """The box of a shape, in pixels; None of points, skeletons and tags."""
    degrees = _number(element, "rotation") if element.get("rotation") else 0.0
    if element.tag == "box":
        left, top, right, bottom = (_number(element, key) for key in ("xtl", "ytl", "xbr", "ybr"))
        return rotated_box((left, top, right - left, bottom - top), degrees)
    if element.tag in ("polygon", "polyline"):
        return box_of_points([_numbers(pair, ",") for pair in (element.get("points") or "").split(";") if pair])
    if element.tag == "ellipse":
        x, y, across, down = (_number(element, key) for key in ("cx", "cy", "rx", "ry"))
        return box_of_ellipse(x, y, across, down, degrees)
    if element.tag == "mask":
        x, y, width, height = (_number(element, key) for key in ("left", "top", "width", "height"))
        return x, y, width, height
    if element.tag == "cuboid":
        corners = [f"{side}{edge}{number}" for side in "xy" for edge in ("tl", "bl", "tr", "br") for number in (1, 2)]
        values = [_number(element, key) for key in corners]
        return box_of_points(list(zip(values[:8], values[8:], strict=True)))
    return None


def _number(element: Element, key: str) -> float:
    return _numbers(element.get(key) or "", None)[0]


def _numbers(text: str, separator: str | None) -> list[float]:
    words = text.split(separator)
    numbers = finite_numbers(words)
    if not numbers or (separator is not None and len(numbers) != 2):
        raise ValueError(f"expected numbers, found {text[:60]!r}")
    return numbers
