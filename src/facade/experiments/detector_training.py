"""Train a detector to hand out, from several treated versions of the same photographs."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from facade.dataset import Photographs
from facade.dataset.store import to_coco, write_annotations
from facade.detector.train import train_arm
from facade.errors import FacadeError
from facade.files import atomic_directory
from facade.params import Params


def merge_versions(versions: Sequence[Photographs], into: Path) -> None:
    """Write several versions of a data set as one: `0/a.jpg` is the photograph `a.jpg` of the first.

    With other pseudonyms in each version, a detector cannot learn their faces by heart.

    Args:
        versions: Data sets that Facade wrote, such as those of pseudonymized arms under several keys.
        into: The data set to write.
    """
    merged = []
    with atomic_directory(into) as temporary:
        for number, version in enumerate(versions):
            for photograph in version:
                name = f"{number}/{photograph.file}"
                path = temporary / "images" / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(version.read(photograph))
                merged.append(replace(photograph, file=name))
        write_annotations(temporary, to_coco(merged, all(version.synthetic for version in versions)))


def train_detector(data: Sequence[Path], models: Path, weights: Path | None, params: Params, work: Path) -> None:
    """Train as params.yaml says (`detector`, `train`, `detect.size`), on all photographs of several data sets.

    Args:
        data: The data sets.
        models: Directory to write, as `models/<arm>`. Curves are written into it.
        weights: Initial weights, such as `seed-0.pth` of an arm; None for random ones.
        params: All of params.yaml.
        work: Folder of unfinished work, from which a training that was killed resumes.

    Raises:
        FacadeError: A data set is missing, or a run failed.
    """
    if not data:
        raise FacadeError("no data set is named. Name folders of treated photographs, as in data/pseudo.")
    versions = [Photographs(root) for root in data]
    merged = work / "merged"
    merge_versions(versions, merged)
    train_arm(
        merged,
        models,
        work / "training.csv",
        work / "calibration.csv",
        params.detector,
        params.train,
        params.detect,
        0,  # every photograph is trained on: its threshold is measured elsewhere
        work / "train",
        weights,
    )
