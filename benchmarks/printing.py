"""Output of all benchmarks: a header with machine, date and commit, and Markdown tables."""

import os
import platform
import subprocess
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGES = ("numpy", "numba", "opencv-python", "torch")


def print_header(title: str, **samples: object) -> None:
    """Print the title, machine, date, commit, package versions and sample sizes.

    Args:
        title: Title of the benchmark.
        samples: Sample sizes and settings, by name.
    """
    print(f"## {title}\n")
    print(f"- {machine()}; {platform.system()}, Python {platform.python_version()}")
    print(f"- {datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC, commit {commit()}")
    print("- " + ", ".join(f"{package} {number}" for package, number in versions().items()))
    print("- " + ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in samples.items()) + "\n", flush=True)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a Markdown table, the first column left-aligned, the others right."""
    lines = [list(columns), *map(list, rows)]
    widths = [max(2, *(len(line[column]) for line in lines)) for column in range(len(columns))]
    aligned = [
        " | ".join(cell.rjust(width) if column else cell.ljust(width) for column, (cell, width) in enumerate(pairs))
        for pairs in (list(zip(line, widths, strict=True)) for line in lines)
    ]
    rule = "|".join("-" * (width + 1) + (":" if column else "-") for column, width in enumerate(widths))
    print("\n".join([f"| {aligned[0]} |", f"|{rule}|", *(f"| {line} |" for line in aligned[1:])]) + "\n", flush=True)


def _processor() -> str:
    """The name of the processor, from /proc/cpuinfo if it exists."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def machine() -> str:
    """The processor and its number of cores."""
    return f"{_processor()}, {os.cpu_count()} cores"


def versions() -> dict[str, str]:
    """Versions of the packages that affect the timings."""
    return {package: _version(package) for package in PACKAGES}


def commit() -> str:
    """The current commit; "+" marks uncommitted changes in src."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(HERE), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603 - fixed

    return (git("rev-parse", "--short", "HEAD") or "unknown") + ("+" if git("status", "--porcelain", "../src") else "")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"
