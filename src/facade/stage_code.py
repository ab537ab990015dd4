"""The code that a stage depends on: the modules that its script imports, without comments and docstrings.

DVC compares files byte by byte, so that a stage that names source files as deps runs again after an edit of a comment.
The stage `code` writes one digest a script in place of them: an edit that changes no behavior leaves it as it was.
"""

import ast
import hashlib
import io
import tokenize
from collections.abc import Iterator
from pathlib import Path

from facade.files import atomic_directory

# These move bytes and make none: a change in them re-runs nothing.
PLUMBING = frozenset(
    {"cluster", "code_hash", "errors", "files", "gate", "parallel", "params", "stage", "stage_code", "storage"}
)
PACKAGE = Path(__file__).parent
# Where the stage `code` writes them.
DIGESTS = Path("code-digests")


def write_digests(scripts: Path = Path("stages"), into: Path = DIGESTS) -> None:
    """Write a digest for each script of a folder.

    Args:
        scripts: The scripts.
        into: Folder to write: for each script a text file, with a line `<sha256>  <file>` for each module and template.
    """
    with atomic_directory(into) as temporary:
        for script in sorted(scripts.glob("*.py")):
            lines = [f"{_digest(path)}  {name}\n" for name, path in sorted(_files(script).items())]
            (temporary / f"{script.stem}.txt").write_text("".join(lines), encoding="utf-8")


def import_closure(script: Path) -> set[Path]:
    """The modules of this package that a script imports, and those that they import, also inside functions.

    A name that is imported from a package counts as its own module: `from facade.anonymize import treat` does not make
    a script depend on all that the package exports.
    """
    seen: set[Path] = set()
    waiting = _imported(script)
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen.add(path)
            waiting |= _imported(path)
    return seen


def normalized(source: str) -> str:
    r"""Python source without comments, docstrings, blank lines and trailing blanks.

    >>> normalized('def f(x):\n    "Double."\n\n    return 2 * x  # fast\n')
    'def f(x):\n    return 2 * x\n'
    """
    tree = ast.parse(source)
    docstrings = list(_docstrings(tree))
    lines = [line.encode() for line in source.splitlines(keepends=True)]
    for (first, start), (last, end) in sorted([*_comments(source), *docstrings], reverse=True):
        head, tail = lines[first - 1][:start], lines[last - 1][end:]
        lines[first - 1 : last] = [head + tail, *[b""] * (last - first)]
    gone = {row for (first, _), (last, _) in docstrings for row in range(first, last + 1)}
    verbatim = _string_rows(tree) - gone
    kept = []
    for row, line in enumerate(lines, 1):
        text = line.decode().rstrip("\r\n") if row in verbatim else line.decode().rstrip()
        if text or (row in verbatim and line):
            kept.append(f"{text}\n")
    return "".join(kept)


Span = tuple[tuple[int, int], tuple[int, int]]


def _comments(source: str) -> Iterator[Span]:
    """Where comments stand: (line from 1, byte) of their start and end."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            (row, start), (_, end) = token.start, token.end
            yield (row, len(token.line[:start].encode())), (row, len(token.line[:end].encode()))


def _docstrings(tree: ast.Module) -> Iterator[Span]:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        # A body of a docstring alone is not empty without it: it stays.
        if isinstance(body, list) and (len(body) > 1 or isinstance(node, ast.Module)) and isinstance(body[0], ast.Expr):
            value = body[0].value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield (value.lineno, value.col_offset), (value.end_lineno or 0, value.end_col_offset or 0)


def _string_rows(tree: ast.Module) -> set[int]:
    """Rows on which a string of several lines goes on: blanks and empty lines in it are its content."""
    return {
        row
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str | bytes))
        for row in range(node.lineno, node.end_lineno or 0)
    }


def _counts(path: Path) -> bool:
    return path.stem not in PLUMBING and path.name != "__init__.py"


def _files(script: Path) -> dict[str, Path]:
    """All that counts of a script, by name."""
    modules = {path for path in import_closure(script) if _counts(path)}
    own = {path.relative_to(PACKAGE).as_posix(): path for path in modules | _templates(modules)}
    return own | {script.name: script}


def _templates(modules: set[Path]) -> set[Path]:
    """Files besides Python in the folders of modules, such as a page's template."""
    packages = {path.parent for path in modules} - {PACKAGE}
    return {
        path
        for package in packages
        for path in package.rglob("*")
        if path.is_file() and path.suffix != ".py" and "__pycache__" not in path.parts
    }


def _digest(path: Path) -> str:
    content = path.read_bytes()
    return hashlib.sha256(normalized(content.decode()).encode() if path.suffix == ".py" else content).hexdigest()


def _module(name: str) -> Path | None:
    base = PACKAGE.parent / Path(*name.split("."))
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)


def _imported(path: Path) -> set[Path]:
    found: set[Path] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == PACKAGE.name:
            for alias in node.names:
                found |= _file_of(node.module, alias.name)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                file = _module(alias.name) if alias.name.split(".")[0] == PACKAGE.name else None
                found |= {file} if file is not None else set()
    return found


def _file_of(module: str, name: str) -> set[Path]:
    """The file that `from module import name` reads: that of the module, a submodule, or what a package exports."""
    file, submodule = _module(module), _module(f"{module}.{name}")
    if submodule is not None:
        return {submodule}
    if file is None or file.name != "__init__.py":
        return {file} if file is not None else set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if (
            isinstance(node, ast.ImportFrom)
            and node.module
            and name in {alias.asname or alias.name for alias in node.names}
        ):
            return _file_of(node.module, name)
    return {file}
