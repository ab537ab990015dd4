"""COCO: one or more files of instances, and the pictures that they name.

Looked for: `annotations/*train*.json` with `annotations/*val*.json` (or golden, test), else one single file
`annotations.json` or `annotations/*.json`, whose photographs Facade splits itself.
"""

import re
from pathlib import Path
from typing import Any

from facade.dataset.records import ATTRIBUTES, Face, Labelled, Split
from facade.errors import FacadeError
from facade.files import read_json

GOLDEN_NAMES = ("golden", "val", "test")
# Names of domains go into labels and reports: no sentence, and nobody's name with a date.
DOMAIN = re.compile(r"[a-z0-9_+-]{1,40}")


def annotation_files(root: Path) -> dict[Split | None, Path]:
    """The COCO files of a data set by part; under None where it has one file for all.

    Raises:
        FacadeError: There are several files, and their names do not tell which part each is.
    """
    files = sorted([*root.glob("*.json"), *root.glob("annotations/*.json")])
    if not files:
        return {}
    if len(files) == 1:
        return {None: files[0]}
    train = [file for file in files if "train" in file.stem]
    golden = [file for name in GOLDEN_NAMES for file in files if name in file.stem and file not in train]
    if len(train) == 1 and golden:
        return {"train": train[0], "golden": golden[0]}
    names = ", ".join(file.name for file in files)
    raise FacadeError(
        f"{root} holds several COCO files ({names}), and their names do not say which is for training and which is "
        "golden. Leave one with 'train' and one with 'val' in its name, or a single one."
    )


def read_coco(root: Path) -> list[Labelled]:
    """Read the labels of a data set in COCO's layout.

    Raises:
        FacadeError: A file is malformed, or has no category of faces.
    """
    return [entry for split, path in annotation_files(root).items() for entry in _read(root, path, split)]


def _read(root: Path, path: Path, split: Split | None) -> list[Labelled]:
    content = read_json(path)
    try:
        categories = _face_categories(path, content["categories"])
        faces: dict[Any, list[Face]] = {image["id"]: [] for image in content["images"]}
        if len(faces) < len(content["images"]):
            raise FacadeError(f"{path} gives two images the same id. Number them anew.")
        for annotation in content["annotations"]:
            if annotation["category_id"] in categories:
                faces[annotation["image_id"]].append(_face(annotation))
        return [
            Labelled(
                str(image["file_name"]),
                _folder(root, path, str(image["file_name"])),
                split,
                tuple(faces[image["id"]]),
                (int(image["width"]), int(image["height"])) if "width" in image and "height" in image else None,
                _domain(path, image.get("domain")),
            )
            for image in content["images"]
        ]
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        fault = f"{type(error).__name__}: {error}"
        raise FacadeError(f"{path} is not laid out as COCO instances ({fault[:120]}). Mend the file.") from None


def _domain(path: Path, named: Any) -> str:
    """Which camera an image is by, where its labels say so."""
    if named is None:
        return ""
    if not (isinstance(named, str) and DOMAIN.fullmatch(named)):
        raise FacadeError(
            f"{path} gives an image the domain {str(named)[:40]!r}: a domain has up to 40 letters (a to z), digits, "
            "_, + and -, as it stands in reports. Rename it."
        )
    return named


def _face_categories(path: Path, categories: list[dict[str, Any]]) -> set[Any]:
    faces = {category["id"] for category in categories if str(category["name"]).lower() == "face"}
    if faces:
        return faces
    if len(categories) == 1:
        return {categories[0]["id"]}
    names = ", ".join(str(category["name"]) for category in categories)[:200]
    raise FacadeError(f"{path} has no category 'face' (it has: {names}). Rename the one that holds faces.")


def _folder(root: Path, path: Path, name: str) -> Path:
    """Where COCO data sets keep pictures; the first place that has this one, else the data set's own folder."""
    part = "train" if "train" in path.stem else "val"
    places = [root / "images", *sorted(root.glob(f"{part}*")), *sorted(root.glob(f"images/{part}*")), path.parent, root]
    try:
        return next((place for place in places if (place / name).is_file()), root)
    except (OSError, ValueError):  # a name that no file can have; ingest says so
        return root


def _face(annotation: dict[str, Any]) -> Face:
    x, y, width, height = map(float, annotation["bbox"])
    flat = annotation.get("keypoints") or []
    points = None
    # Visibility 0 says "not labelled". With fewer than all five points an alignment would be a guess.
    if len(flat) == 15 and all(flat[2::3]):
        points = tuple((float(px), float(py)) for px, py in zip(flat[::3], flat[1::3], strict=True))
    attributes = {name: int(annotation[name]) for name in ATTRIBUTES if name in annotation}
    ignore = bool(annotation.get("iscrowd", 0)) or bool(attributes.get("invalid", 0))
    return Face((x, y, width, height), points, ignore, attributes)
