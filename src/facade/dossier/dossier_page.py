"""The page of a dossier: one HTML file without scripts, for reading offline and for printing on A4."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2

from facade.audit.threats import NOT_MEASURED
from facade.files import write_text
from facade.report.style import NAMES

MINUS = "\N{MINUS SIGN}"


def write_page(content: Mapping[str, Any], path: Path) -> None:
    """Write the page.

    Args:
        content: Of `dossier.json`: the page says nothing that is not in it.
        path: HTML file to write.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("facade.dossier"), autoescape=True, trim_blocks=True, lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    environment.filters |= {"percent": _percent, "number": _number, "interval": _interval, "name": NAMES.__getitem__}
    template = environment.get_template("dossier.html")
    write_text(path, template.render(content, not_measured_value=NOT_MEASURED))


def _percent(rate: Mapping[str, float]) -> str:
    """A share with its 95 % interval."""
    return f"{100 * rate['estimate']:.1f} % ({100 * rate['low']:.1f} to {100 * rate['high']:.1f})"


def _interval(value: Mapping[str, Any]) -> str:
    """A signed number with its limits."""
    return f"{_signed(value['estimate'])} ({_signed(value['low'])} to {_signed(value['high'])})"


def _number(value: Any) -> str:
    """A number with three decimals, or what the file says instead of one."""
    return f"{value:.3f}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def _signed(value: Any) -> str:
    return f"{value:+.3f}".replace("-", MINUS) if isinstance(value, int | float) else str(value)
