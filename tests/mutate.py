"""Mutation testing: change one operator or number of a module, and see whether its tests notice.

    python tests/mutate.py measure/verdict gate            # every mutant
    python tests/mutate.py measure/slices --sample 40      # some of them, the same ones every time

Each mutant runs the fast tests of its folder that import the module, the file of its own name first, and stops at the
first failure. A mutant that no test notices is printed. It may be equivalent; else an assertion is missing.
"""

import argparse
import ast
import contextlib
import copy
import importlib
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult,
    ast.Pow: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
# These run the pipeline, or thousands of simulated studies: too slow to run once per mutant. Or they test the package
# as it is installed, which no mutant reaches.
LEFT_OUT = {"test_pipeline.py", "test_docs.py", "test_cluster.py", "test_soundness.py", "test_packaging.py"}
# Libraries that are imported once, before the forks: that takes longer than most tests.
PRELOADED = {"PIL", "cv2", "faster_coco_eval", "hypothesis", "imagehash", "matplotlib", "numba", "numpy", "pandas",
             "pyarrow", "pycocotools", "pydantic", "ruamel", "scipy"}  # fmt: skip
# A mutant may take this many times the CPU time of the unchanged module, and this many seconds more.
TIME_FACTOR, TIME_EXTRA = 5, 20


def alternatives(node: ast.AST) -> Iterator[ast.AST]:
    """What a node is changed into, one at a time."""
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in COMPARISONS:
        yield ast.Compare(node.left, [COMPARISONS[type(node.ops[0])]()], node.comparators)
        if isinstance(node.ops[0], (ast.Lt, ast.LtE, ast.Gt, ast.GtE)):
            yield ast.UnaryOp(ast.Not(), node)
    elif isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
        yield ast.BinOp(node.left, ARITHMETIC[type(node.op)](), node.right)
    elif isinstance(node, ast.AugAssign) and type(node.op) in ARITHMETIC:
        yield ast.AugAssign(node.target, ARITHMETIC[type(node.op)](), node.value)
    elif isinstance(node, ast.BoolOp):
        yield ast.BoolOp(ast.And() if isinstance(node.op, ast.Or) else ast.Or(), node.values)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.USub, ast.Invert)):
        yield node.operand
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield ast.Constant(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        yield ast.Constant(node.value + 1 if isinstance(node.value, int) else node.value * 1.5 + 0.1)


def parents(tree: ast.Module) -> Iterator[tuple[ast.AST, str, int | None, ast.AST]]:
    """Every node that is code (not annotations and decorators): its parent, its field and index there, and itself."""
    stack: list[ast.AST] = [tree]
    while stack:
        node = stack.pop()
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "decorator_list"):
                continue
            for index, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
                if isinstance(child, ast.AST):
                    stack.append(child)
                    yield node, name, index, child


def mutants(source: str) -> list[tuple[str, str]]:
    """A description and the source of every mutant."""
    tree, found = ast.parse(source), []
    for parent, name, index, node in parents(tree):
        for changed in alternatives(node):
            ast.copy_location(changed, node)
            kept = getattr(parent, name)
            with_it = changed if index is None else [*kept[:index], changed, *kept[index + 1 :]]
            setattr(parent, name, with_it)
            text = ast.unparse(ast.fix_missing_locations(copy.deepcopy(tree)))
            setattr(parent, name, kept)
            found.append((node.lineno, f"{_short(node)}  →  {_short(changed)}", text))
    return [(f"{line}: {what}", text) for line, what, text in sorted(found)]


def _short(node: ast.AST) -> str:
    return " ".join(ast.unparse(node).split())[:60]


def tests_of(module: str) -> list[str]:
    """The test files of a module's folder that import it, that of its own name first."""
    name = "facade." + module.replace("/", ".")
    package, _, last = name.rpartition(".")
    files = [
        path
        for path in sorted((ROOT / "tests" / module).parent.glob("test_*.py"))
        if path.name not in LEFT_OUT
        and any(word in path.read_text() for word in (f"{name} ", f"{name}\n", f"from {package} import {last}"))
    ]
    files.sort(key=lambda path: path.name != f"test_{Path(module).name}.py")
    return [str(path.relative_to(ROOT)) for path in files]


def run_tests(sources: Path, files: list[str], seconds: float | None) -> tuple[bool, float, list[str]]:
    """Run tests in a fork: whether they pass, the CPU time, and the libraries that they imported."""
    reader, writer = os.pipe()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    child = os.fork()
    if child == 0:
        os.setsid()
        os.close(reader)
        if seconds is not None:
            resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), int(seconds) + 1))
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        os.environ["PYTHONPATH"] = str(sources)  # of the processes that tests start
        import pytest

        options = ["-n", "0", "-x", "-p", "no:cacheprovider", "-o", f"pythonpath={sources} {ROOT}"]
        code = pytest.main([*options, *files])
        names = [name for name in sys.modules if name.split(".")[0] not in ("facade", "tests", "__main__", "conftest")]
        os.write(writer, "\n".join(names)[:60000].encode())
        os._exit(int(code))
    os.close(writer)
    deadline = None if seconds is None else time.monotonic() + 20 * seconds
    with os.fdopen(reader) as pipe:
        while deadline is not None and os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            if time.monotonic() > deadline:
                os.killpg(child, signal.SIGKILL)
            time.sleep(0.05)
        names = pipe.read().split()
    _, status = os.waitpid(child, 0)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return status == 0, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, names


def preload(names: list[str]) -> None:
    for name in names:
        if name.split(".")[0] in PRELOADED:
            with contextlib.suppress(ImportError, AttributeError):  # a test that needs it says so
                importlib.import_module(name)


def mutate(module: str, sample: int | None, sources: Path) -> tuple[int, list[str]]:
    """Try the mutants of a module; returns how many there were, and those that survive."""
    path, files = sources / "facade" / f"{module}.py", tests_of(module)
    if not path.is_file() or not files:
        sys.exit(f"src/facade/{module}.py does not exist, or no test imports it.")
    original = path.read_text(encoding="utf-8")
    passed, _, names = run_tests(sources, files, None)
    if not passed:
        sys.exit(f"The tests of {module} fail without any change: {' '.join(files)}")
    preload(names)
    _, seconds, _ = run_tests(sources, files, None)
    every = mutants(original)
    chosen = every if sample is None or sample >= len(every) else sorted(random.Random(0).sample(every, sample))
    print(f"{module}: {len(chosen)} of {len(every)} mutants, {seconds:.1f} s each ({' '.join(files)})", flush=True)
    survivors = []
    for description, text in chosen:
        path.write_text(text, encoding="utf-8")
        passed, _, _ = run_tests(sources, files, TIME_FACTOR * seconds + TIME_EXTRA)
        if passed:
            survivors.append(f"src/facade/{module}.py:{description}")
            print(f"  survives  {survivors[-1]}", flush=True)
    path.write_text(original, encoding="utf-8")
    return len(chosen), survivors


def main() -> None:
    parser = argparse.ArgumentParser(description="Mutation testing of modules.")
    parser.add_argument("modules", nargs="+", help="as in measure/verdict")
    parser.add_argument("--sample", type=int, help="number of mutants per module")
    options = parser.parse_args()
    os.chdir(ROOT)
    total, surviving = 0, 0
    with tempfile.TemporaryDirectory() as folder:
        sources = Path(folder) / "src"
        shutil.copytree(ROOT / "src", sources)
        for module in options.modules:
            count, survivors = mutate(module, options.sample, sources)
            total, surviving = total + count, surviving + len(survivors)
    print(f"{total - surviving} of {total} mutants were noticed")


if __name__ == "__main__":
    main()
