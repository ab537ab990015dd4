"""Accepted misses become training photographs of the anonymized arms."""

from dataclasses import replace
from pathlib import Path

from facade.dataset import Photograph, Photographs
from facade.dataset.duplicates import near, perceptual_hash, read_looks
from facade.dataset.names import neutral_name
from facade.dataset.store import coco, decode, finish
from facade.files import whole_directory
from facade.misses.ledger import Ledger, training_part
from facade.params import Ingest
from facade.stage import ANONYMIZED


def write_training_part(ledger: Ledger, golden: Photographs, params: Ingest, into: Path) -> dict[str, int]:
    """Write what the ledger adds to each anonymized arm, as a data set; an empty one where it adds nothing.

    Args:
        ledger: The known misses.
        golden: The golden set. What looks like one of its photographs is left out: it may have changed since.
        params: Whether misses are taken in, and how often each photograph stands in the training set.
        into: Folder to write, with one data set an arm.

    Returns:
        Counts, for metrics/ingest.json.

    Raises:
        FacadeError: A photograph of the ledger is missing, or is not the one that was recorded.
    """
    entries = training_part(ledger) if params.misses else []
    taken: set[str] = set()
    if entries:
        looks = [perceptual_hash(decode(ledger.read_image("pseudo", entry))) for entry in entries]
        twins = near(looks, read_looks(golden), params.duplicate_distance) >= 0
        taken = {entry.photograph.file for entry, twin in zip(entries, twins, strict=True) if not twin}
    kept = [entry for entry in entries if entry.photograph.file in taken]
    for arm in ANONYMIZED:
        with whole_directory(into / arm) as beside:
            (beside / "images").mkdir()
            written: list[Photograph] = []
            for entry in kept:
                content = ledger.read_image(arm, entry)
                for number in range(params.misses_repeat):
                    own = entry.photograph.file
                    name = own if number == 0 else neutral_name(f"{own} {number}", entry.hashes["pseudo"].encode())
                    (beside / "images" / name).write_bytes(content)
                    written.append(replace(entry.photograph, file=name))
            written.sort(key=lambda photograph: photograph.file)
            finish(beside, coco(written, ledger.synthetic), params.store)
    return {
        "photographs": len(kept),
        "faces": sum(len(entry.misses) for entry in kept),
        "near_golden_left_out": len(entries) - len(kept),
    }
