"""Figures of the HTML pack as inline SVG, from plain numbers.

They are not drawn by a plotting library, so that every point is an element with its own name that pointer and keyboard
can reach, colours follow the page's style sheet, and no style attribute breaks the content security policy.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from markupsafe import Markup

from brightspots.common.shortening import shorten_apart
from brightspots.figures.marks import MARKS
from brightspots.report.document import Bars, Funnel, Funnels, Kind, Limit, Point, Table
from brightspots.report.words import Estimate, percent

WIDTH, HEIGHT = 520.0, 400.0
LEFT, RIGHT, TOP, BOTTOM = 50.0, 12.0, 14.0, 48.0
# Ratios above this are drawn at the upper edge, so that one tiny department does not flatten the whole figure.
HIGHEST = 4.0
LABEL_LENGTH = 24
LABEL_WIDTH, LABEL_HEIGHT = 7.6, 15.0

# From a number to its place along an axis, in pixels.
_Place = Callable[[float], float]
# Left, top, right, bottom.
_Box = tuple[float, float, float, float]

# Ends of the scale on which tables draw intervals: ratios from 0.4 to 2.5; longer intervals are cut there.
INTERVAL_SPAN: Final = math.log(2.5)
INTERVAL_WIDTH, INTERVAL_HEIGHT = 120.0, 16.0


def funnel(figure: Funnels, panel: Funnel) -> Markup:
    """One panel; all panels of a figure share the vertical axis."""
    bottom, top = shared_range(figure)
    sizes = [x for limit in panel.limits for x in limit.x] or [1.0, 10.0]
    low, high = math.log(min(sizes)), math.log(max(sizes))

    def place_x(x: float) -> float:
        return LEFT + (math.log(x) - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def place_y(y: float) -> float:
        return TOP + (top - min(max(y, bottom), top)) / (top - bottom) * (HEIGHT - TOP - BOTTOM)

    parts = [
        Markup('<svg class="funnel" viewBox="0 0 {} {}" role="group" aria-label="{}">').format(
            _n(WIDTH),
            _n(HEIGHT),
            f"{panel.heading}: {len(panel.points):,} points; arrow keys move between them",
        )
    ]
    parts += [
        _y_axis(bottom, top, place_y, panel.y_label),
        _x_axis(min(sizes), max(sizes), place_x, panel.x_label),
    ]
    parts += [_limit_lines(limit, place_x, place_y, bottom, top) for limit in panel.limits]
    parts.append(
        Markup('<line class="centre" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(
            _n(LEFT), _n(WIDTH - RIGHT), _n(place_y(panel.centre)), _n(place_y(panel.centre))
        )
    )
    # Plain points first: what is marked must not be hidden under them.
    ordered = sorted(panel.points, key=lambda point: (MARKS[point.kind].stands_out, point.x))
    parts += [_point(point, place_x(point.x), place_y, bottom, top) for point in ordered]
    parts.append(_labels([(p, place_x(p.x), place_y(p.y)) for p in ordered]))
    parts.append(Markup("</svg>"))
    return Markup("").join(parts)


def bars(figure: Bars) -> Markup:
    """Shares with their intervals, one bar a level, each under its label."""
    row, width = 54.0, 440.0
    height = row * len(figure.bars) + 26.0

    def place(share: float) -> float:
        return 4.0 + share * (width - 24.0)

    parts = [
        Markup('<svg class="bars" viewBox="0 0 {} {}" role="img" aria-label="{}">').format(
            _n(width), _n(height), figure.alternative
        )
    ]
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        anchor = "start" if tick == 0.0 else "middle"
        parts.append(
            Markup(
                '<line class="grid" x1="{0}" x2="{0}" y1="0" y2="{1}"/>'
                '<text x="{0}" y="{2}" text-anchor="{3}">{4}</text>'
            ).format(_n(place(tick)), _n(height - 22), _n(height - 6), anchor, f"{tick:.0%}")
        )
    for position, bar in enumerate(figure.bars):
        y = row * position
        share = bar.share
        parts.append(
            Markup(
                '<text class="nm" x="{}" y="{}">{}</text><rect class="share" x="{}" y="{}" width="{}" height="20"/>'
                '<line class="interval" x1="{}" x2="{}" y1="{}" y2="{}"/>'
                '<text class="value" x="{}" y="{}">{}</text>'
            ).format(
                _n(place(0.0)), _n(y + 16), bar.label,
                _n(place(0.0)), _n(y + 24), _n(place(share.point) - place(0.0)),
                _n(place(share.lower)), _n(place(share.upper)), _n(y + 34), _n(y + 34),
                _n(place(0.0) + 6), _n(y + 39), percent(share.point),
            )
        )  # fmt: skip
    parts.append(Markup("</svg>"))
    return Markup("").join(parts)


def interval(estimate: Estimate, kind: Kind | None, table: Table) -> Markup:
    """An effect and its interval on the common scale of a table; hidden from screen readers, who have the numbers."""
    margin, span = table.margin, table.span
    inside = (1 / margin, margin) if span is None else (-margin, margin)

    def place(effect: float) -> float:
        along = math.log(max(effect, 1e-6)) / INTERVAL_SPAN if span is None else effect / span
        position = max(-1.0, min(1.0, along))
        return INTERVAL_WIDTH / 2 * (1.0 + 0.96 * position)

    middle = INTERVAL_HEIGHT / 2
    return Markup(
        '<svg class="iv {}" viewBox="0 0 {} {}" aria-hidden="true">'
        '<rect class="mg" x="{}" y="0" width="{}" height="{}"/>'
        '<path class="one" d="M{} 0V{}"/><path class="rg" d="M{} {}H{}"/>{}</svg>'
    ).format(
        kind or "plain", _n(INTERVAL_WIDTH), _n(INTERVAL_HEIGHT),
        _n(place(inside[0])), _n(place(inside[1]) - place(inside[0])), _n(INTERVAL_HEIGHT),
        _n(INTERVAL_WIDTH / 2), _n(INTERVAL_HEIGHT), _n(place(estimate.lower)), _n(middle), _n(place(estimate.upper)),
        _mark(kind or "plain", place(estimate.point), middle, 4.0),
    )  # fmt: skip


def mark(kind: Kind) -> Markup:
    """A single mark, for legends and tables."""
    return Markup('<svg class="mk {}" viewBox="0 0 14 14" aria-hidden="true">{}</svg>').format(
        kind, _mark(kind, 7.0, 7.0, 5.0)
    )


def shared_range(figure: Funnels) -> tuple[float, float]:
    """Ends of the vertical axis of all panels: ratios from 0 to at most `HIGHEST`, differences to fit the points."""
    points = [point for panel in figure.panels for point in panel.points]
    highest = [point.y if point.high is None or math.isinf(point.high) else point.high for point in points]
    # The range includes every limit at its narrow end, where the largest units lie.
    highest += [min(limit.upper) for panel in figure.panels for limit in panel.limits]
    if figure.of_ratios:
        wanted = 1.08 * max(highest)
        step = 0.5 if wanted > 2.0 else 0.25
        return 0.0, min(HIGHEST, math.ceil(wanted / step) * step)
    # For differences the range includes the centre line, the lowest point and the lower limits at their narrow end.
    lowest = [point.y for point in points] + [
        max(limit.lower) for panel in figure.panels for limit in panel.limits
    ]
    middle = [panel.centre for panel in figure.panels]
    bottom, top = min(*lowest, *middle), max(*highest, *middle)
    room = 0.06 * (top - bottom) or 1.0
    step = tick_step(bottom - room, top + room)
    return math.floor((bottom - room) / step) * step, math.ceil((top + room) / step) * step


def ticks(bottom: float, top: float) -> list[float]:
    """Numbers along the vertical axis."""
    step = tick_step(bottom, top)
    first, last = math.ceil(bottom / step - 1e-9), math.floor(top / step + 1e-9)
    return [step * number for number in range(first, last + 1)]


def tick_step(bottom: float, top: float) -> float:
    """Distance of ticks: halves or quarters of ratios, else 1, 2 or 5 of a decade, so that there are eight at most."""
    if bottom == 0.0:
        return 0.5 if top > 1.5 else 0.25
    decade = 10.0 ** math.floor(math.log10((top - bottom) / 8.0))
    return decade * next(step for step in (1.0, 2.0, 5.0, 10.0) if (top - bottom) / (decade * step) <= 8.0)


def _limit_lines(limit: Limit, place_x: _Place, place_y: _Place, bottom: float, top: float) -> Markup:
    name = f"limit l{limit.level * 100:g}".replace(".", "-")
    lines = []
    for values in (limit.lower, limit.upper):
        # Curves end at the edge of the figure: clipped to it they would look like a limit there.
        inside = [(x, y) for x, y in zip(limit.x, values, strict=True) if bottom <= y <= top]
        if len(inside) > 1:
            steps = "L".join(f"{_n(place_x(x))} {_n(place_y(y))}" for x, y in inside)
            lines.append(Markup('<path class="{}" d="M{}"/>').format(name, steps))
    return Markup("").join(lines)


def _point(point: Point, x: float, place_y: _Place, bottom: float, top: float) -> Markup:
    words = f"{point.label}: {point.detail}"
    if (point.y if point.high is None else point.high) > top:
        words += " (drawn at the upper edge)"
    elif point.y < bottom:
        words += " (drawn at the lower edge)"
    drawing = _mark(point.kind, x, place_y(point.y), 4.5)
    if point.low is not None and point.high is not None:
        drawing = _bar(x, place_y(point.low), place_y(point.high), closed=point.high <= top)
    return Markup(
        '<g class="pt {}{}" role="img" tabindex="-1" aria-label="{}"><title>{}</title>{}</g>'
    ).format(point.kind, " bar" if point.is_bar else "", words, words, drawing)


def _bar(x: float, low: float, high: float, *, closed: bool) -> Markup:
    """An upright bar, closed at its ends unless the upper one lies beyond the figure: a suppressed count."""
    end = "m-4 0h8" if closed else ""
    return Markup('<path d="M{} {}h8m-4 0V{}{}"/>').format(_n(x - 4.0), _n(low), _n(high), end)


def _mark(kind: Kind, x: float, y: float, r: float) -> Markup:
    """The mark of a kind at a place, with shape and size from `MARKS`; the style sheet sets the colour."""
    mark = MARKS[kind]
    half = r * mark.page_size
    if mark.marker == "D":
        return Markup('<path d="M{0} {1}l{2} {2}l-{2} {2}l-{2} -{2}z"/>').format(
            _n(x), _n(y - half), _n(half)
        )
    if mark.marker in ("^", "v"):
        up = 1.0 if mark.marker == "^" else -1.0
        return Markup('<path d="M{} {}l{} {}h{}z"/>').format(
            _n(x), _n(y - up * half), _n(half), _n(up * r * 2.1), _n(-2.0 * half)
        )
    return Markup('<circle cx="{}" cy="{}" r="{}"/>').format(_n(x), _n(y), _n(half))


def _labels(placed: Sequence[tuple[Point, float, float]]) -> Markup:
    """Names beside the points that ask for one, wherever there is room.

    Right, left, above, below, then the corners: the first place free of other names and marks; else none.
    """
    taken = [(x - 5, y - 5, x + 5, y + 5) for point, x, y in placed if MARKS[point.kind].stands_out]
    written = []
    named = [(point, x, y) for point, x, y in placed if point.named]
    texts = shorten_apart([point.label for point, _, _ in named], LABEL_LENGTH)
    for (_, x, y), text in zip(named, texts, strict=True):
        width = LABEL_WIDTH * len(text)
        for anchor, at, middle in (
            ("start", x + 8, y), ("end", x - 8, y), ("middle", x, y - 14), ("middle", x, y + 14),
            ("start", x + 6, y - 11), ("end", x - 6, y - 11), ("start", x + 6, y + 11), ("end", x - 6, y + 11),
        ):  # fmt: skip
            left = at - {"start": 0.0, "middle": 0.5, "end": 1.0}[anchor] * width
            box = (left, middle - LABEL_HEIGHT / 2, left + width, middle + LABEL_HEIGHT / 2)
            inside = box[0] >= LEFT and box[2] <= WIDTH and box[1] >= 0 and box[3] <= HEIGHT - BOTTOM
            if inside and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                written.append(
                    Markup(
                        '<text class="nm" x="{}" y="{}" text-anchor="{}" aria-hidden="true">{}</text>'
                    ).format(_n(at), _n(middle + 4), anchor, text)
                )
                break
    return Markup("").join(written)


def _overlap(a: _Box, b: _Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _y_axis(bottom: float, top: float, place: _Place, label: str) -> Markup:
    parts = [
        Markup(
            '<line class="grid" x1="{}" x2="{}" y1="{}" y2="{}"/><text x="{}" y="{}" text-anchor="end">{}</text>'
        ).format(
            _n(LEFT),
            _n(WIDTH - RIGHT),
            _n(place(t)),
            _n(place(t)),
            _n(LEFT - 6),
            _n(place(t) + 4),
            tick_text(t),
        )
        for t in ticks(bottom, top)
    ]
    middle = (TOP + HEIGHT - BOTTOM) / 2
    parts.append(
        Markup(
            '<text class="axis" text-anchor="middle" transform="translate(13 {}) rotate(-90)">{}</text>'
        ).format(_n(middle), label)
    )
    return Markup("").join(parts)


def tick_text(value: float) -> str:
    """A tick's number, with a minus sign and not a hyphen."""
    return f"{value:g}".replace("-", "−")


def _x_axis(low: float, high: float, place: _Place, label: str) -> Markup:
    parts = []
    for tick in decades(low, high):
        parts.append(
            Markup(
                '<line class="tick" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/>'
                '<text x="{0}" y="{3}" text-anchor="middle">{4}</text>'
            ).format(
                _n(place(tick)),
                _n(HEIGHT - BOTTOM),
                _n(HEIGHT - BOTTOM + 5),
                _n(HEIGHT - BOTTOM + 19),
                f"{tick:,g}",
            )
        )
    parts.append(
        Markup('<text class="axis" text-anchor="middle" x="{}" y="{}">{}</text>').format(
            _n((LEFT + WIDTH - RIGHT) / 2), _n(HEIGHT - 8), label
        )
    )
    return Markup("").join(parts)


def decades(low: float, high: float) -> Iterable[float]:
    """Ticks at 1, 2 and 5 of each decade, thinned to decades where there are many, at each digit where few."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    steps = (1, 2, 5) if last - first <= 3 else (1,)
    for chosen in (steps, range(1, 10)):
        ticks = [step * 10.0**power for power in range(first, last + 1) for step in chosen]
        inside = [tick for tick in ticks if low <= tick <= high]
        if len(inside) > 2:
            break
    return inside


def _n(value: float) -> str:
    """A coordinate with one decimal at most: a tenth of a pixel."""
    return f"{value:.1f}".rstrip("0").rstrip(".") if value else "0"
