"""Turn accepted misses into training photographs of the anonymized arms."""

from dataclasses import replace
from pathlib import Path

from facade.dataset import Photograph, Photographs
from facade.dataset.duplicates import nearest_duplicates, perceptual_hash, read_hashes
from facade.dataset.names import neutral_name
from facade.dataset.store import decode, finish_dataset, to_coco
from facade.files import atomic_directory
from facade.misses.ledger import Ledger, training_part
from facade.params import ANONYMIZED, Ingest


def write_training_part(ledger: Ledger, golden: Photographs, params: Ingest, into: Path) -> dict[str, int]:
    """Write what the ledger adds to each anonymized arm as a data set, which is empty if it adds nothing.

    Args:
        ledger: The known misses.
        golden: The golden set. Near-duplicates of its photographs are left out, because it may have changed since.
        params: Whether misses are used, and how often each photograph is repeated in the training set.
        into: Folder to write, with one data set per arm.

    Returns:
        Counts, for metrics/ingest.json.

    Raises:
        FacadeError: A photograph of the ledger is missing, or has changed since it was recorded.
    """
    entries = training_part(ledger) if params.misses else []
    files: set[str] = set()
    if entries:
        hashes = [perceptual_hash(decode(ledger.read_image("pseudo", entry))) for entry in entries]
        near_golden = nearest_duplicates(hashes, read_hashes(golden), params.duplicate_distance) >= 0
        files = {entry.photograph.file for entry, is_near in zip(entries, near_golden, strict=True) if not is_near}
    kept = [entry for entry in entries if entry.photograph.file in files]
    for arm in ANONYMIZED:
        with atomic_directory(into / arm) as temporary:
            (temporary / "images").mkdir()
            written: list[Photograph] = []
            for entry in kept:
                content = ledger.read_image(arm, entry)
                for number in range(params.misses_repeat):
                    file = entry.photograph.file
                    name = file if number == 0 else neutral_name(f"{file} {number}", entry.hashes["pseudo"].encode())
                    (temporary / "images" / name).write_bytes(content)
                    written.append(replace(entry.photograph, file=name))
            written.sort(key=lambda photograph: photograph.file)
            finish_dataset(temporary, to_coco(written, ledger.synthetic), params.store)
    return {
        "photographs": len(kept),
        "faces": sum(len(entry.misses) for entry in kept),
        "near_golden_left_out": len(entries) - len(kept),
    }
