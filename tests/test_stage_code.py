"""Code digests: what changes behavior changes them, what does not leaves them; they name all that a stage imports."""

import ast
import subprocess
import sys

import pytest

from facade.stage_code import PACKAGE, PLUMBING, import_closure, normalized, write_digests
from tests.conftest import REPOSITORY

CODE = '''"""Module."""

import os  # what for


class A:
    """Class."""

    x = "# no comment"


def f(a):
    """Docstring."""
    text = """
# text, no comment
"""
    return a, text  # é, and more
'''


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""Module."""', '"""Other words."""'),
        ("  # what for", ""),
        ("# what for", "# other reasons\n\n"),
        ('    """Docstring."""', '    """Docstring.\n\n    More é.\n    """'),
        ("# é, and more", "# é"),
    ],
)
def test_comments_and_docstrings_do_not_count(old, new):
    assert old in CODE
    assert normalized(CODE.replace(old, new)) == normalized(CODE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("return a, text", "return text, a"),
        ('"# no comment"', '"# another"'),
        ("# text, no comment", "# other text"),
        ("import os", "import sys"),
    ],
)
def test_code_and_text_count(old, new):
    assert old in CODE
    assert normalized(CODE.replace(old, new)) != normalized(CODE)


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_normalized_code_parses_to_the_same_tree(path):
    source = path.read_text(encoding="utf-8")
    assert ast.dump(ast.parse(normalized(source))) == ast.dump(without_docstrings(ast.parse(source)))


def without_docstrings(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            del node.body[0 : 1 if len(node.body) > 1 or isinstance(node, ast.Module) else 0]
    return tree


@pytest.mark.parametrize("name", ["ingest", "blur", "synthesize", "train", "evaluate"])
def test_digests_name_all_modules_that_a_stage_loads(name):
    """Against Python's own record of what it loaded."""
    script = REPOSITORY / "stages" / f"{name}.py"
    program = (
        f"import sys, runpy; runpy.run_path({str(script)!r}, run_name='stage')\n"
        "print(*[m.__file__ for n, m in list(sys.modules.items()) if n.startswith('facade.')], sep='\\n')"
    )
    environment = {"PYTHONPATH": str(REPOSITORY / "src"), "PATH": "/usr/bin"}
    printed = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment
    )
    named = {path.relative_to(PACKAGE).as_posix() for path in import_closure(script)}
    # `from facade.dataset import Face` runs the package's __init__, which loads its neighbors, too.
    packages = [import_closure(PACKAGE / name / "__init__.py") for name in ("dataset", "anonymize", "heads")]
    named |= {path.relative_to(PACKAGE).as_posix() for package in packages for path in package}
    for line in printed.stdout.split():
        module = line.removeprefix(f"{PACKAGE}/")
        if not module.endswith("__init__.py") and module.removesuffix(".py") not in PLUMBING:
            assert module in named, module


def test_a_template_counts_as_code_and_what_was_compiled_does_not(tmp_path):
    write_digests(REPOSITORY / "stages", tmp_path / "digests")
    listed = {path.stem: path.read_text() for path in (tmp_path / "digests").iterdir()}
    assert "report/templates/page.html" in listed["evaluate"]
    assert "page.html" not in listed["train"]
    assert not [name for name, text in listed.items() if "__pycache__" in text]
