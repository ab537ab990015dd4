"""Make a dossier from the finished experiment in the current folder."""

import hashlib
import json
import shutil
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from facade.audit.leaks import folder_leaks, paths_in
from facade.dossier.dossier_page import write_page
from facade.dossier.findings import (
    INGEST,
    describe_arms,
    describe_scope,
    describe_unmeasured,
    describe_verdict,
    required,
)
from facade.dossier.manifest import MANIFEST, PUBLIC_KEY, SIGNATURE, manifest_text
from facade.dossier.provenance import (
    PipelineLock,
    altered_evidence,
    describe_code,
    describe_data,
    describe_packages,
    describe_parameters,
    read_lock,
)
from facade.dossier.schema import DOSSIER, EVIDENCE, PAGE, PICTURES, SCHEMA
from facade.dossier.signing_keys import fingerprint, public_pem
from facade.errors import FacadeError
from facade.files import atomic_directory, read_json, write_bytes, write_json, write_text
from facade.params import Params
from facade.report.pull_request import stale_stages
from facade.stage_code import DIGESTS

# Figures that a dossier shows; each is an output of the stage `evaluate`, which withholds untreated faces from them.
FIGURES = {
    "plots/differences.png": "Differences in accuracy between the arms, with the margin",
    "plots/precision-recall.png": "Precision and recall of each arm",
    "plots/slices.png": "Differences in accuracy by kind of face",
    "plots/faces.png": "The same faces in every arm",
}


def write_dossier(into: Path, params: Params, key: Ed25519PrivateKey | None, outdated: bool = False) -> dict[str, Any]:
    """Write the dossier of the experiment in the current folder.

    The same experiment and key give the same bytes: the only date in it is the commit's.

    Args:
        into: Folder to write; an older dossier is replaced.
        params: All of params.yaml.
        key: The private key that signs it; None leaves it unsigned, and it says so.
        outdated: Whether to write it although the results are not those of the code, parameters and data that are
            there now; it then lists what is outdated.

    Returns:
        The content of `dossier.json`.

    Raises:
        FacadeError: The experiment is not finished or not up to date, the folder holds something else, or the dossier
            would publish a path or metadata.
    """
    _refuse_other_folder(into)
    lock = read_lock()
    reasons = _outdated(lock)
    if reasons and not outdated:
        raise FacadeError(
            f"the results are outdated: {'; '.join(reasons[:3])}. Run `dvc repro` first, or make a dossier that says "
            "so with --outdated."
        )
    content = _content(lock, params, key, reasons)
    with atomic_directory(into) as temporary:
        for one in lock.evidence:
            write_bytes(temporary / EVIDENCE / one.path, Path(one.path).read_bytes())
        for path in sorted(DIGESTS.glob("*.txt")):
            write_bytes(temporary / EVIDENCE / DIGESTS / path.name, path.read_bytes())
        for picture in content["pictures"]:
            (temporary / PICTURES).mkdir(exist_ok=True)
            shutil.copyfile(picture["source"], temporary / picture["file"])
        write_json(temporary / DOSSIER, content)
        write_page(content, temporary / PAGE)
        _refuse_leaks(temporary, params)
        if key is not None:
            write_bytes(temporary / PUBLIC_KEY, public_pem(key.public_key()))
        manifest = manifest_text(temporary)
        write_text(temporary / MANIFEST, manifest)
        if key is not None:
            write_bytes(temporary / SIGNATURE, key.sign(manifest.encode()))
    return content


def _refuse_other_folder(into: Path) -> None:
    """Raise if a folder holds anything but a dossier: what is replaced is gone."""
    if into.exists() and not (into.is_dir() and ((into / MANIFEST).is_file() or not any(into.iterdir()))):
        raise FacadeError(f"{into} exists and is no dossier. Name another folder.")


def _outdated(lock: PipelineLock) -> list[str]:
    """Why results are not those of what is there now, as clauses."""
    stale = stale_stages()
    named = ", ".join(stale[:6]) + (f" and {len(stale) - 6} more" if len(stale) > 6 else "")
    return [*altered_evidence(lock), *([f"DVC would run these stages again: {named}"] if stale else [])]


def _content(
    lock: PipelineLock, params: Params, key: Ed25519PrivateKey | None, outdated: Sequence[str]
) -> dict[str, Any]:
    evidence = {one.path: read_json(Path(one.path)) for one in lock.evidence}
    arms = describe_arms(evidence, params)
    pictures, left_out = _pictures(lock, params, bool(outdated))
    ingest = required(evidence, INGEST)
    code, parameters = describe_code(), describe_parameters(lock)
    return {
        "schema": SCHEMA,
        "facade": version("facade"),
        "outdated": list(outdated),
        "synthetic": ingest["synthetic"],
        "code": code,
        "data": {
            "sets": describe_data(lock, "data/"),
            "golden_lock": ingest["golden_lock"],
            "counts": {part: ingest[part] for part in ("train", "golden")},
        },
        "models": describe_data(lock, "models/"),
        "arms": arms,
        "verdict": describe_verdict(evidence),
        "limits": {
            name: value
            for name, value in parameters["used"].items()
            if name.startswith("audit.max_") or name in ("audit.require", "evaluate.margin", "evaluate.alpha")
        },
        "not_measured": describe_unmeasured(evidence, arms, params),
        "scope": describe_scope(),
        "parameters": parameters,
        "packages": describe_packages(params),
        "commands": _commands(code["commit"]),
        "evidence": {one.path: {"md5": one.md5, "stage": one.stage} for one in lock.evidence},
        "pictures": pictures,
        "pictures_left_out": left_out,
        "signature": None if key is None else {"algorithm": "Ed25519", "fingerprint": fingerprint(key.public_key())},
    }


def _commands(commit: str) -> list[dict[str, str]]:
    """How to make the results again."""
    return [
        {"command": f"git checkout {commit}", "what": "the code, the parameters and the locked results"},
        {"command": "make setup", "what": "an environment with the pinned packages"},
        {"command": "dvc pull", "what": "data and models, where you may have them"},
        {"command": "dvc status", "what": "says whether data, code and parameters are those of these results"},
        {"command": "dvc repro --force", "what": "runs every stage again"},
        {"command": "facade dossier verify FOLDER --public-key FILE", "what": "checks this folder, offline"},
    ]


def _pictures(lock: PipelineLock, params: Params, outdated: bool) -> tuple[list[dict[str, str]], str]:
    """The figures that may be shown, and why the others are left out.

    A figure is shown only if `evaluate` wrote these very bytes with report.show_raw false: then no untreated face of a
    real person is in it.
    """
    recorded = lock.params.get("evaluate", {}).get("report", {}).get("show_raw")
    if recorded is not False or params.report.show_raw:
        return [], "report.show_raw is not false: figures may show untreated faces"
    if outdated:
        return [], "the results are outdated, so that it is not certain what figures show"
    shown, unknown = [], []
    for source, title in FIGURES.items():
        recorded_file = lock.outputs.get(source)
        if recorded_file is None or _md5(Path(source)) != recorded_file.md5:
            unknown.append(source)
        else:
            shown.append({"file": f"{PICTURES}/{Path(source).name}", "title": title, "source": source})
    return shown, f"not as evaluate wrote them: {', '.join(unknown)}" if unknown else ""


def _md5(path: Path) -> str | None:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest() if path.is_file() else None


def _refuse_leaks(folder: Path, params: Params) -> None:
    """Raise if a file of the dossier holds a path of this machine, metadata, or anything that cannot be checked."""
    words = paths_in(json.loads(params.model_dump_json()))
    leaks = folder_leaks(folder, words)
    if leaks:
        found = "; ".join(f"{Path(leak.file).relative_to(folder)} holds {leak.what}" for leak in leaks[:3])
        raise FacadeError(f"the dossier would publish private data: {found}. Nothing was written.")
