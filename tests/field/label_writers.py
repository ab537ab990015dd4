"""Writers of drawn data sets in each layout that the field sends, as its tools write them."""

from collections.abc import Callable, Sequence
from pathlib import Path

from tests.field.labels_drawing import Drawn, coco_content, parts, write_json


def _text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def coco(root: Path, drawn: Sequence[Drawn]) -> None:
    for split, ones in parts(drawn).items():
        word = {"train": "train", "golden": "val"}[split]
        write_json(root / "annotations" / f"instances_{word}2017.json", coco_content(ones))
        for one in ones:
            one.save(root / f"{word}2017" / f"{one.name}.jpg")


def coco_as_downloaded(root: Path, drawn: Sequence[Drawn]) -> None:
    """annotations_trainval2017.zip and image_info_test2017.zip unpacked into one folder."""
    coco(root, drawn)
    for split, ones in parts(drawn).items():
        word = {"train": "train", "golden": "val"}[split]
        content = coco_content(ones)
        write_json(root / "annotations" / f"person_keypoints_{word}2017.json", content)
        captions = [{"id": 1, "image_id": 1, "caption": "people"}]
        write_json(
            root / "annotations" / f"captions_{word}2017.json", {"images": content["images"], "annotations": captions}
        )
    info = coco_content(drawn)
    write_json(root / "annotations" / "image_info_test2017.json", {key: info[key] for key in ("images", "categories")})


def coco_test_as_golden(root: Path, drawn: Sequence[Drawn]) -> None:
    for split, ones in parts(drawn).items():
        word = {"train": "train", "golden": "test"}[split]
        write_json(root / "annotations" / f"{word}.json", coco_content(ones))
        for one in ones:
            one.save(root / word / f"{one.name}.jpg")


def coco_several_val_files(root: Path, drawn: Sequence[Drawn]) -> None:
    halves = parts(drawn)
    files = {"train": halves["train"], "val_cam1": halves["golden"][::2], "val_cam2": halves["golden"][1::2]}
    for name, ones in files.items():
        write_json(root / "annotations" / f"{name}.json", coco_content(ones, lambda one: f"e/{one.name}.jpg"))
    for one in drawn:
        one.save(root / "images" / "e" / f"{one.name}.jpg")


def coco_ids_as_strings(root: Path, drawn: Sequence[Drawn]) -> None:
    content = coco_content(drawn)
    for image in content["images"]:
        image |= {"width": str(image["width"]), "height": str(image["height"])}
    for number, one in enumerate(content["annotations"]):
        # Of the two that belong together, one is a string.
        one["image_id"] = str(one["image_id"])
        one["category_id"] = str(one["category_id"]) if number % 2 else one["category_id"]
        one["bbox"] = [str(value) for value in one["bbox"]]
    write_json(root / "annotations.json", content)
    for one in drawn:
        one.save(root / "images" / f"{one.name}.jpg")


def coco_outlines(root: Path, drawn: Sequence[Drawn]) -> None:
    """Annotations without a box: polygons, and masks with uncompressed run lengths."""
    content = coco_content(drawn)
    sizes = {image["id"]: (image["width"], image["height"]) for image in content["images"]}
    for number, one in enumerate(content["annotations"]):
        x, y, w, h = one.pop("bbox")
        width, height = sizes[one["image_id"]]
        if number % 2:
            one["segmentation"] = [[x, y, x + w, y, x + w, y + h, x, y + h]]
        else:
            runs = [x * height + y, h] + [height - h, h] * (w - 1)
            one["segmentation"] = {"size": [height, width], "counts": [*runs, width * height - sum(runs)]}
    write_json(root / "annotations.json", content)
    for one in drawn:
        one.save(root / "images" / f"{one.name}.jpg")


def roboflow(root: Path, drawn: Sequence[Drawn]) -> None:
    halves = parts(drawn)
    folders = {"train": halves["train"], "valid": halves["golden"][::2], "test": halves["golden"][1::2]}
    for folder, ones in folders.items():
        content = coco_content(ones)
        content["categories"] = [
            {"id": 0, "name": "crowd", "supercategory": "none"},
            {"id": 1, "name": "face", "supercategory": "crowd"},
        ]
        write_json(root / folder / "_annotations.coco.json", content)
        for one in ones:
            one.save(root / folder / f"{one.name}.jpg")


def label_studio(root: Path, drawn: Sequence[Drawn]) -> None:
    """Its COCO export on Windows."""
    write_json(root / "result.json", coco_content(drawn, lambda one: f"images\\1a2b3c4d-{one.name}.jpg"))
    for one in drawn:
        one.save(root / "images" / f"1a2b3c4d-{one.name}.jpg")


def cvat(root: Path, drawn: Sequence[Drawn]) -> None:
    for split, ones in parts(drawn).items():
        word = {"train": "Train", "golden": "Validation"}[split]
        attributes = {"occluded": False, "rotation": 0.0}
        write_json(root / "annotations" / f"instances_{word}.json", coco_content(ones, attributes=attributes))
        for one in ones:
            one.save(root / "images" / word / f"{one.name}.jpg")


def fiftyone_coco(root: Path, drawn: Sequence[Drawn]) -> None:
    write_json(root / "labels.json", coco_content(drawn))
    for one in drawn:
        one.save(root / "data" / f"{one.name}.jpg")


def _shares(one: Drawn) -> list[tuple[float, float, float, float]]:
    width, height = one.size
    return [(x / width, y / height, w / width, h / height) for x, y, w, h in one.boxes]


def fiftyone_images(root: Path, drawn: Sequence[Drawn]) -> None:
    labels = {one.name: [{"label": "face", "bounding_box": box} for box in _shares(one)] for one in drawn}
    write_json(root / "labels.json", {"classes": ["face"], "labels": labels})
    for one in drawn:
        one.save(root / "data" / f"{one.name}.jpg")


def fiftyone_samples(root: Path, drawn: Sequence[Drawn]) -> None:
    tags = {"train": "train", "golden": "validation"}
    samples = [
        {
            "filepath": f"data/{one.name}.jpg", "tags": [tags[one.split]],
            "ground_truth": {
                "_cls": "Detections",
                "detections": [{"_cls": "Detection", "label": "face", "bounding_box": box} for box in _shares(one)],
            },
        }
        for one in drawn
    ]  # fmt: skip
    write_json(root / "samples.json", {"samples": samples})
    write_json(root / "metadata.json", {"name": "faces"})
    for one in drawn:
        one.save(root / "data" / f"{one.name}.jpg")


def _yolo_lines(one: Drawn) -> str:
    return "".join(f"0 {x + w / 2:.6f} {y + h / 2:.6f} {w:.6f} {h:.6f}\n" for x, y, w, h in _shares(one))


def yolo(root: Path, drawn: Sequence[Drawn]) -> None:
    _text(root / "data.yaml", "path: ../datasets/mine\ntrain: images/train\nval: images/val\nnc: 1\nnames: [face]\n")
    for one in drawn:
        word = {"train": "train", "golden": "val"}[one.split]
        one.save(root / "images" / word / f"{one.name}.jpg")
        _text(root / "labels" / word / f"{one.name}.txt", _yolo_lines(one))


def yolo_roboflow(root: Path, drawn: Sequence[Drawn]) -> None:
    _text(root / "data.yaml", "train: ../train/images\nval: ../valid/images\ntest: ../test/images\nnames: {0: face}\n")
    halves = parts(drawn)
    folders = {"train": halves["train"], "valid": halves["golden"][::2], "test": halves["golden"][1::2]}
    for folder, ones in folders.items():
        for one in ones:
            one.save(root / folder / "images" / f"{one.name}.JPG")
            _text(root / folder / "labels" / f"{one.name}.txt", _yolo_lines(one))


def yolo_label_studio(root: Path, drawn: Sequence[Drawn]) -> None:
    _text(root / "classes.txt", "face\n")
    write_json(root / "notes.json", {"categories": [{"id": 0, "name": "face"}]})
    for one in drawn:
        one.save(root / "images" / f"{one.name}.jpg")
        _text(root / "labels" / f"{one.name}.txt", _yolo_lines(one))


def yolo_darknet(root: Path, drawn: Sequence[Drawn]) -> None:
    """CVAT's YOLO 1.1."""
    _text(root / "obj.names", "face\n")
    _text(root / "obj.data", "classes = 1\ntrain = data/train.txt\nnames = data/obj.names\n")
    _text(root / "train.txt", "".join(f"data/obj_train_data/{one.name}.jpg\n" for one in drawn))
    for one in drawn:
        one.save(root / "obj_train_data" / f"{one.name}.jpg")
        _text(root / "obj_train_data" / f"{one.name}.txt", _yolo_lines(one))


def _voc(one: Drawn, suffix: str = ".jpg") -> str:
    objects = "".join(
        f"<object><name>face</name><difficult>0</difficult><bndbox><xmin>{x + 1}</xmin><ymin>{y + 1}</ymin>"
        f"<xmax>{x + w}</xmax><ymax>{y + h}</ymax></bndbox></object>"
        for x, y, w, h in one.boxes
    )
    size = f"<size><width>{one.size[0]}</width><height>{one.size[1]}</height><depth>3</depth></size>"
    return f"<annotation><filename>{one.name}{suffix}</filename>{size}{objects}</annotation>"


def voc(root: Path, drawn: Sequence[Drawn]) -> None:
    for split, ones in parts(drawn).items():
        word = {"train": "train", "golden": "val"}[split]
        _text(root / "ImageSets" / "Main" / f"{word}.txt", "".join(f"{one.name}\n" for one in ones))
    _text(root / "ImageSets" / "Main" / "trainval.txt", "".join(f"{one.name}\n" for one in drawn))
    for one in drawn:
        one.save(root / "JPEGImages" / f"{one.name}.jpg")
        _text(root / "Annotations" / f"{one.name}.xml", _voc(one))


def voc_roboflow(root: Path, drawn: Sequence[Drawn]) -> None:
    for one in drawn:
        folder = root / {"train": "train", "golden": "valid"}[one.split]
        one.save(folder / f"{one.name}.jpg")
        _text(folder / f"{one.name}.xml", _voc(one))


def voc_fiftyone(root: Path, drawn: Sequence[Drawn]) -> None:
    for one in drawn:
        one.save(root / "data" / f"{one.name}.jpg")
        _text(root / "labels" / f"{one.name}.xml", _voc(one, suffix=""))


def cvat_images(root: Path, drawn: Sequence[Drawn]) -> None:
    """CVAT for images 1.1, of a project with two subsets: boxes and polygons by turns."""
    images = ""
    for number, one in enumerate(drawn):
        word = {"train": "Train", "golden": "Validation"}[one.split]
        shapes = "".join(
            f'<box label="face" source="manual" occluded="0" xtl="{x:.2f}" ytl="{y:.2f}" xbr="{x + w:.2f}" '
            f'ybr="{y + h:.2f}" z_order="0"><attribute name="glasses">no</attribute></box>'
            if index % 2 == 0
            else f'<polygon label="face" source="manual" occluded="1" z_order="0" points="{x:.2f},{y:.2f};'
            f'{x + w:.2f},{y:.2f};{x + w:.2f},{y + h:.2f};{x:.2f},{y + h:.2f}"></polygon>'
            for index, (x, y, w, h) in enumerate(one.boxes)
        )
        images += (
            f'<image id="{number}" name="{one.name}.jpg" subset="{word}" task_id="{number % 2 + 1}" '
            f'width="{one.size[0]}" height="{one.size[1]}">{shapes}</image>'
        )
        one.save(root / "images" / word / f"{one.name}.jpg")
    meta = "<meta><project><labels><label><name>face</name></label></labels></project></meta>"
    head = '<?xml version="1.0" encoding="utf-8"?><annotations><version>1.1</version>'
    _text(root / "annotations.xml", f"{head}{meta}{images}</annotations>")


def datumaro(root: Path, drawn: Sequence[Drawn]) -> None:
    """Boxes and polygons by turns."""
    for split, ones in parts(drawn).items():
        items = []
        for number, one in enumerate(ones):
            annotations = []
            for index, (x, y, w, h) in enumerate(one.boxes):
                shape = {"id": index, "label_id": 1, "group": 0, "attributes": {"occluded": False}, "z_order": 0}
                shape |= (
                    {"type": "bbox", "bbox": [float(x), float(y), float(w), float(h)]}
                    if index % 2 == 0
                    else {"type": "polygon", "points": [x, y, x + w, y, x + w, y + h, x, y + h]}
                )
                annotations.append(shape)
            image = {"path": f"{one.name}.jpg", "size": [one.size[1], one.size[0]]}
            items.append({"id": one.name, "annotations": annotations, "attr": {"frame": number}, "image": image})
            one.save(root / "images" / f"{one.name}.jpg")
        labels = [{"name": name, "parent": "", "attributes": []} for name in ("person", "face")]
        categories = {"label": {"labels": labels, "attributes": []}}
        word = {"train": "train", "golden": "val"}[split]
        write_json(root / "annotations" / f"{word}.json", {"info": {}, "categories": categories, "items": items})


def label_studio_json(root: Path, drawn: Sequence[Drawn]) -> None:
    """Boxes and polygons by turns, in percent; pictures were uploaded in the browser."""
    tasks = []
    for number, one in enumerate(drawn, 1):
        results = []
        for index, (x, y, w, h) in enumerate(_shares(one)):
            left, top, right, bottom = (100 * value for value in (x, y, x + w, y + h))
            value: dict = {"x": left, "y": top, "width": 100 * w, "height": 100 * h, "rotation": 0}
            kind = "rectanglelabels"
            if index % 2:
                value = {"points": [[left, top], [right, top], [right, bottom], [left, bottom]], "closed": True}
                kind = "polygonlabels"
            results.append(
                {
                    "id": f"r{index}", "type": kind, "value": {**value, kind: ["face"]}, "origin": "manual",
                    "to_name": "image", "from_name": "label", "image_rotation": 0, "original_width": one.size[0],
                    "original_height": one.size[1],
                }
            )  # fmt: skip
        name = f"1a2b3c4d-{one.name}.jpg"
        annotation = {"id": number, "was_cancelled": False, "ground_truth": False, "result": results}
        tasks.append(
            {"id": number, "data": {"image": f"/data/upload/1/{name}"}, "annotations": [annotation], "predictions": []}
        )
        one.save(root / "images" / name)
    write_json(root / "project-1-at-2025-01-01-00-00-1a2b3c4d.json", tasks)


def wider(root: Path, drawn: Sequence[Drawn]) -> None:
    _wider(root, drawn, "", "0--Hall", " 0 0 0 0 0 0 ", "0 0 0 0 0 0 0 0 0 0\n")


def wider_windows(root: Path, drawn: Sequence[Drawn]) -> None:
    """With byte order marks, carriage returns and backslashes."""
    _wider(root, drawn, "\ufeff", "0--Hall", " 0 0 0 0 0 0 ", "0 0 0 0 0 0 0 0 0 0\n", windows=True)


def wider_datumaro(root: Path, drawn: Sequence[Drawn]) -> None:
    """CVAT's export: no attributes, no line of zeros."""
    _wider(root, drawn, "", "no_label", " ", "")
    _text(root / "labels.txt", "face\n")


def _wider(
    root: Path, drawn: Sequence[Drawn], mark: str, event: str, attributes: str, zeros: str, windows: bool = False
) -> None:
    for split, ones in parts(drawn).items():
        word = {"train": "train", "golden": "val"}[split]
        text = mark
        for one in ones:
            lines = "".join(f"{x} {y} {w} {h}{attributes}\n" for x, y, w, h in one.boxes) or zeros
            text += f"{event}/{one.name}.jpg\n{len(one.boxes)}\n{lines}"
            one.save(root / f"WIDER_{word}" / "images" / event / f"{one.name}.jpg")
        path = root / "wider_face_split" / f"wider_face_{word}_bbx_gt.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((text.replace("/", "\\").replace("\n", "\r\n") if windows else text).encode())


def retinaface(root: Path, drawn: Sequence[Drawn]) -> None:
    for split, ones in parts(drawn).items():
        word = {"train": "train", "golden": "val"}[split]
        text = ""
        for one in ones:
            text += f"# 0--Hall/{one.name}.jpg\n"
            for x, y, w, h in one.boxes:
                points = [(x + 5, y + 8), (x + 14, y + 8), (x + 9, y + 12), (x + 6, y + 17), (x + 13, y + 17)]
                text += f"{x} {y} {w} {h} " + " ".join(f"{px}.0 {py}.0 0.0" for px, py in points) + " 0.9\n"
            one.save(root / word / "images" / "0--Hall" / f"{one.name}.jpg")
        _text(root / word / "label.txt", text)


WRITERS: dict[str, Callable[[Path, Sequence[Drawn]], None]] = {
    writer.__name__: writer
    for writer in (
        coco, coco_as_downloaded, coco_test_as_golden, coco_several_val_files, coco_ids_as_strings, coco_outlines,
        roboflow, label_studio, cvat, fiftyone_coco, fiftyone_images, fiftyone_samples, yolo, yolo_roboflow,
        yolo_label_studio, yolo_darknet, cvat_images, datumaro, label_studio_json, voc, voc_roboflow, voc_fiftyone,
        wider, wider_windows, wider_datumaro,
        retinaface,
    )
}  # fmt: skip
