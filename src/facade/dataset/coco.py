"""Reading data sets in COCO layout: one or more instance files, and the images that they name.

Supported: `annotations/*train*.json` with `annotations/*val*.json` (or golden, test), or a single file
`annotations.json` or `annotations/*.json`, whose photographs Facade splits itself.
"""

import re
from pathlib import Path
from typing import Any

from facade.dataset.records import ATTRIBUTES, Face, Labelled, Split
from facade.errors import FacadeError
from facade.files import read_json

GOLDEN_NAMES = ("golden", "val", "test")
# Domain names appear in labels and reports: short identifiers only, so that they cannot hold personal data.
DOMAIN = re.compile(r"[a-z0-9_+-]{1,40}")


def annotation_files(root: Path) -> dict[Split | None, Path]:
    """The COCO files of a data set by split; key None if there is a single file.

    Raises:
        FacadeError: There are several files whose names do not identify their split.
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
        f"{root} holds several COCO files ({names}) whose names do not identify the training and golden splits. Keep "
        "one with 'train' and one with 'val' in its name, or a single file."
    )


def read_coco(root: Path) -> list[Labelled]:
    """Read the labels of a data set in COCO layout.

    Raises:
        FacadeError: A file is malformed or has no face category.
    """
    return [entry for split, path in annotation_files(root).items() for entry in _read(root, path, split)]


def _read(root: Path, path: Path, split: Split | None) -> list[Labelled]:
    content = read_json(path)
    try:
        categories = _face_categories(path, content["categories"])
        faces: dict[Any, list[Face]] = {image["id"]: [] for image in content["images"]}
        if len(faces) < len(content["images"]):
            raise FacadeError(f"{path} gives two images the same id. Make image ids unique.")
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
        reason = f"{type(error).__name__}: {error}"
        raise FacadeError(f"{path} is not a valid COCO instances file ({reason[:120]}). Fix the file.") from None


def _domain(path: Path, value: Any) -> str:
    """The domain (camera) of an image, if its labels give one."""
    if value is None:
        return ""
    if not (isinstance(value, str) and DOMAIN.fullmatch(value)):
        raise FacadeError(
            f"{path} gives an image the domain {str(value)[:40]!r}. A domain consists of up to 40 characters out of "
            "a to z, 0 to 9, _, + and -. Rename it."
        )
    return value


def _face_categories(path: Path, categories: list[dict[str, Any]]) -> set[Any]:
    faces = {category["id"] for category in categories if str(category["name"]).lower() == "face"}
    if faces:
        return faces
    if len(categories) == 1:
        return {categories[0]["id"]}
    names = ", ".join(str(category["name"]) for category in categories)[:200]
    raise FacadeError(f"{path} has no category 'face' (it has: {names}). Rename the category of faces.")


def _folder(root: Path, path: Path, name: str) -> Path:
    """The first usual image folder of COCO data sets that holds this file, else the root of the data set."""
    part = "train" if "train" in path.stem else "val"
    folders = [
        root / "images", *sorted(root.glob(f"{part}*")), *sorted(root.glob(f"images/{part}*")), path.parent, root
    ]  # fmt: skip
    try:
        return next((folder for folder in folders if (folder / name).is_file()), root)
    except (OSError, ValueError):  # an impossible file name; ingest reports it
        return root


def _face(annotation: dict[str, Any]) -> Face:
    x, y, width, height = map(float, annotation["bbox"])
    flat = annotation.get("keypoints") or []
    points = None
    # Visibility 0 means "not labelled". Alignment needs all five landmarks.
    if len(flat) == 15 and all(flat[2::3]):
        points = tuple((float(px), float(py)) for px, py in zip(flat[::3], flat[1::3], strict=True))
    attributes = {name: int(annotation[name]) for name in ATTRIBUTES if name in annotation}
    ignore = bool(annotation.get("iscrowd", 0)) or bool(attributes.get("invalid", 0))
    return Face((x, y, width, height), points, ignore, attributes)
