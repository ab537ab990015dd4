"""Charts with tooltips: inline SVG, without a script."""

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from markupsafe import Markup

# Size of a chart and its margins for the axes, in SVG user units (pixels at original size).
WIDTH, HEIGHT = 420, 300
LEFT, RIGHT, TOP, BOTTOM = 78, 14, 14, 44
FONT_SIZE = 13
ROW = 46
# Two labels closer than this, horizontally and vertically, would overlap.
LABEL_WIDTH, LABEL_HEIGHT = 110, 15


@dataclass(frozen=True)
class Dot:
    """A point with intervals in both directions.

    Attributes:
        x: Value, lower and upper end.
        y: Value, lower and upper end.
        color: CSS color.
        label: Text next to it.
        title: Tooltip.
        hollow: Whether it is drawn as a ring.
    """

    x: tuple[float, float, float]
    y: tuple[float, float, float]
    color: str
    label: str
    title: str
    hollow: bool = False


def plane(dots: Sequence[Dot], x_label: str, y_label: str, margin: float, description: str) -> Markup:
    """Scatter plot of dots with intervals in both directions; a line at 0, a dashed one at minus the margin.

    Args:
        dots: The points; x between 0 and 1.
        x_label: Label of the x axis.
        y_label: Label of the y axis.
        margin: Margin of the verdict.
        description: Text for screen readers.
    """
    low = min([-1.5 * margin, *(dot.y[1] for dot in dots)])
    high = max([margin, *(dot.y[2] for dot in dots)])
    room = 0.06 * (high - low)
    low, high = low - room, high + room

    def x(value: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (value + 0.03) / 1.06

    def y(value: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (high - value) / (high - low)

    parts = [_line(LEFT, y(0), WIDTH - RIGHT, y(0), "zero"),
             _line(LEFT, y(-margin), WIDTH - RIGHT, y(-margin), "margin")]  # fmt: skip
    for tick in (0, 0.25, 0.5, 0.75, 1):
        parts += [_line(x(tick), HEIGHT - BOTTOM, x(tick), HEIGHT - BOTTOM + 4, "axis"),
                  _text(x(tick), HEIGHT - BOTTOM + 18, f"{100 * tick:.0f} %", "middle")]  # fmt: skip
    for tick in _ticks(low, high):
        parts += [_line(LEFT - 4, y(tick), LEFT, y(tick), "axis"),
                  _text(LEFT - 7, y(tick) + 4, _signed(tick), "end")]  # fmt: skip
    parts.append(_line(LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT, HEIGHT - BOTTOM, "axis"))
    parts.append(_line(LEFT, TOP, LEFT, HEIGHT - BOTTOM, "axis"))
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, x_label, "middle"))
    middle = (TOP + HEIGHT - BOTTOM) / 2
    parts.append(
        f'<text transform="translate(13 {middle:.1f}) rotate(-90)" text-anchor="middle">{escape(y_label)}</text>'
    )
    labels: list[tuple[float, float]] = []
    for dot in dots:
        at, up = x(dot.x[0]), y(dot.y[0])
        right = dot.x[0] < 0.6
        # Above its dot; where that would overlap another label, below it, one line further down each time.
        label_y = up - 8
        while dot.label and any(
            abs(at - other) < LABEL_WIDTH and abs(label_y - height) < LABEL_HEIGHT for other, height in labels
        ):
            label_y = max(label_y, up) + LABEL_HEIGHT + 3
        if dot.label:
            labels.append((at, label_y))
        parts.append(
            f'<g class="mark" style="color:{dot.color}">'
            + _line(x(dot.x[1]), up, x(dot.x[2]), up, "interval")
            + _line(at, y(dot.y[1]), at, y(dot.y[2]), "interval")
            + f'<circle cx="{at:.1f}" cy="{up:.1f}" r="6" class="{"hollow" if dot.hollow else "dot"}"/>'
            + _text(at + (10 if right else -10), label_y, dot.label, "start" if right else "end")
            + f"<title>{escape(dot.title)}</title></g>"
        )
    return _svg(HEIGHT, parts, description)


@dataclass(frozen=True)
class Bar:
    """A difference with its limits.

    Attributes:
        value: Difference, lower and upper limit.
        color: CSS color.
        label: Text above it.
        title: Tooltip.
    """

    value: tuple[float, float, float]
    color: str
    label: str
    title: str


def forest(bars: Sequence[Bar], x_label: str, margin: float, description: str) -> Markup:
    """Forest plot, one row per difference; a line at 0, a dashed one at minus the margin."""
    height = TOP + ROW * len(bars) + BOTTOM
    low = min([-1.5 * margin, *(bar.value[1] for bar in bars)])
    high = max([margin, *(bar.value[2] for bar in bars)])
    left = 20

    def x(value: float) -> float:
        return left + (WIDTH - left - RIGHT) * (value - low) / (high - low)

    parts = [_line(x(0), TOP, x(0), height - BOTTOM, "zero"),
             _line(x(-margin), TOP, x(-margin), height - BOTTOM, "margin"),
             _line(left, height - BOTTOM, WIDTH - RIGHT, height - BOTTOM, "axis")]  # fmt: skip
    for tick in _ticks(low, high):
        parts += [_line(x(tick), height - BOTTOM, x(tick), height - BOTTOM + 4, "axis"),
                  _text(x(tick), height - BOTTOM + 18, _signed(tick), "middle")]  # fmt: skip
    parts.append(_text((left + WIDTH - RIGHT) / 2, height - 6, x_label, "middle"))
    for number, bar in enumerate(bars):
        at = TOP + ROW * number + 30
        parts.append(
            f'<g class="mark" style="color:{bar.color}">'
            + _line(x(bar.value[1]), at, x(bar.value[2]), at, "interval wide")
            + f'<circle cx="{x(bar.value[0]):.1f}" cy="{at}" r="6" class="dot"/>'
            + _text(left, at - 14, bar.label, "start")
            + f"<title>{escape(bar.title)}</title></g>"
        )
    return _svg(height, parts, description)


def _svg(height: float, parts: Sequence[str], description: str) -> Markup:
    body = "\n".join(parts)
    # All text from outside this module is escaped.
    label = escape(description, {chr(34): "&quot;"})
    return Markup(  # noqa: S704
        f'<svg class="chart" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{label}" '
        f'font-size="{FONT_SIZE}">{body}</svg>'
    )


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "\N{MINUS SIGN}") if value else "0"


def _ticks(low: float, high: float) -> list[float]:
    """Up to about six round numbers in the range."""
    step = next(one for one in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0) if (high - low) / one <= 6)
    first = int(low / step)
    return [round(step * number, 2) for number in range(first, int(high / step) + 1) if low <= step * number <= high]
