"""Drawings as inline SVG: learning curves, and a figure beside its floor and interval.

Colours come from the style sheet, so that a drawing follows the page's theme.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from ectype.measures.measure import Measure
from ectype.report.words import number

_WIDTH, _HEIGHT = 440, 230  # user units of a chart, about pixels on a phone
_LEFT, _RIGHT, _TOP, _BOTTOM = 50, 10, 10, 40
_POINTS = 240  # a curve has more ticks than pixels: means of neighbours are drawn
_COLOURS = 4  # styles that the style sheet has for curves
_ALIKE = 8.0  # curves whose sizes differ by more than this factor get charts of their own
_VALIDATION = "validation"  # the title of what is measured during training

_BAR_WIDTH, _BAR_HEIGHT = 132, 24

Point = tuple[float, float]


@dataclass(frozen=True)
class Series:
    """A named curve: (x, y) points in the order of x."""

    name: str
    points: tuple[Point, ...]


def line_chart(series: Sequence[Series], *, title: str, x_label: str, x_limits: Point) -> str:
    """A figure with a title, a legend and curves between labelled axes.

    Args:
        series: the curves, each of at least one point.
        title: stands above.
        x_label: what x is, with its unit.
        x_limits: ends of the x axis, so that charts beside one another can share it.
    """
    curves = [Series(curve.name, thinned(curve.points, _POINTS)) for curve in series]
    y_ticks = nice_ticks(*spread([y for curve in curves for _, y in curve.points]))
    x_ticks = [x for x in nice_ticks(*x_limits) if x_limits[0] <= x <= x_limits[1]]
    across = linear(x_limits, (_LEFT, _WIDTH - _RIGHT))
    up = linear((y_ticks[0], y_ticks[-1]), (_HEIGHT - _BOTTOM, _TOP))
    parts = [_y_tick(up(y), y, y_ticks) for y in y_ticks]
    parts += [_x_tick(across(x), x, x_ticks) for x in x_ticks]
    parts += [
        _curve(index, [(across(x), up(y)) for x, y in curve.points])
        for index, curve in enumerate(curves)
    ]
    parts.append(_text(_WIDTH - _RIGHT, _HEIGHT - 4, x_label, "end"))
    told = "; ".join(
        f"{curve.name} from {number(curve.points[0][1])} to {number(curve.points[-1][1])}"
        for curve in curves
    )
    return (
        f'<figure class="chart"><figcaption><strong>{escape(title)}</strong>'
        f"{_legend(curves)}</figcaption>"
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{escape(f"{title}: {told}")}">{"".join(parts)}</svg></figure>'
    )


def learning_curves(log: Iterable[Mapping[str, Any]]) -> list[str]:
    """Charts of all losses in a log, a player's together where their sizes allow, then measures.

    Args:
        log: lines of `log.jsonl`; a loss is named `player/loss`, one that is null left out.
    """
    curves: dict[str, dict[str, list[Point]]] = {}
    seconds = 0.001  # of the axis: the first tick of a tiny run may be logged at 0.000
    for line in log:
        seconds = max(seconds, line["seconds"])
        measured = line.get("measures", {})  # lines of older runs have none
        measures = {f"{_VALIDATION}/{name}": value for name, value in measured.items()}
        for key, value in (line["losses"] | measures).items():
            player, _, name = key.partition("/")
            points = curves.setdefault(player, {}).setdefault(name, [])
            if value is not None and math.isfinite(value):
                points.append((line["seconds"], value))
    unit, length = _time_unit(seconds)
    charts = []
    for player in sorted(curves, key=_VALIDATION.__eq__):
        drawn = [
            Series(name, tuple((x / length, y) for x, y in points))
            for name, points in curves[player].items()
            if points
        ]
        charts += [
            line_chart(
                together,
                title=player.capitalize(),
                x_label=f"training time, {unit}",
                x_limits=(0.0, seconds / length),
            )
            for together in alike(drawn)
        ]
    return charts


def measure_bar(measure: Measure) -> str:
    """A figure as a dot, its floor as a bar across, its interval as a band.

    Nothing where there is no floor, for a dot without one says nothing. The table beside it has
    the numbers, so it is hidden from screen readers.
    """
    if measure.floor is None:
        return ""
    ends = [measure.value, measure.floor, *(measure.interval or ())]
    if not all(map(math.isfinite, ends)):
        return ""
    place = linear(bar_limits(ends), (7, _BAR_WIDTH - 7))
    middle = _BAR_HEIGHT / 2
    parts = [f'<path class="rail" d="M2 {middle:g}H{_BAR_WIDTH - 2}"/>']
    if measure.interval is not None:
        low, high = (place(end) for end in measure.interval)
        parts.append(
            f'<rect class="band" x="{low:.1f}" y="{middle - 5:g}" '
            f'width="{max(high - low, 1):.1f}" height="10" rx="2"/>'
        )
    parts.append(f'<path class="floor" d="M{place(measure.floor):.1f} 2V{_BAR_HEIGHT - 2}"/>')
    parts.append(f'<circle class="value" cx="{place(measure.value):.1f}" cy="{middle:g}" r="4.5"/>')
    return (
        f'<svg class="bar" viewBox="0 0 {_BAR_WIDTH} {_BAR_HEIGHT}" '
        f'aria-hidden="true">{"".join(parts)}</svg>'
    )


# --- geometry -----------------------------------------------------------------------------


def linear(values: Point, places: Point) -> Callable[[float], float]:
    """The straight map that takes the two values to the two places.

    >>> linear((0, 10), (100, 0))(2.5)
    75.0
    """
    (low, high), (start, end) = values, places
    return lambda value: start + (value - low) / (high - low) * (end - start)


def nice_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """At most `most` round numbers, evenly spaced, from at or below `low` to at or above `high`.

    >>> nice_ticks(0.3, 9.2), nice_ticks(3, 3)
    ([0.0, 2.0, 4.0, 6.0, 8.0, 10.0], [2.0, 2.5, 3.0, 3.5, 4.0])
    """
    if high <= low:
        room = abs(low) / 2 or 1.0
        low, high = low - room / 2, high + room / 2
    step = 10.0 ** (math.floor(math.log10(high - low)) - 1)
    for factor in (1, 2, 5, 10, 20, 50, 100):
        first, last = math.floor(low / (step * factor)), math.ceil(high / (step * factor))
        if last - first < most:
            digits = 1 - math.floor(math.log10(step))
            return [round(k * step * factor, max(digits, 0)) for k in range(first, last + 1)]
    raise ValueError(f"no ticks between {low} and {high}")


def bar_limits(ends: Sequence[float]) -> Point:
    """Ends of a measure's scale: 0 to 1 for shares that reach far, else what the figures need.

    >>> bar_limits([0.8, 0.9]), bar_limits([47.4, 150.0]), bar_limits([0.02, 0.01])
    ((0.0, 1.0), (0.0, 165.0), (0.0, 0.022))
    """
    low, high = min(ends), max(ends)
    if low >= 0 and 0.25 < high <= 1:
        return 0.0, 1.0
    return min(0.0, round(low * 1.1, 12)), round(high * 1.1, 12) if high > 0 else 1.0


def spread(values: Sequence[float]) -> Point:
    """The range to draw: all values but those far outside where 96 in 100 lie.

    A first step or a spike would else leave the rest a flat line; it meets the frame instead.

    >>> spread([float(k) for k in range(100)])
    (0.0, 99.0)
    >>> spread([900.0] + [float(k) for k in range(1, 100)])
    (1.0, 121.75)
    """
    ordered = sorted(values)
    cut = len(ordered) // 50
    low, high = ordered[cut], ordered[-cut - 1]
    room = (high - low) / 4
    return max(ordered[0], low - room), min(ordered[-1], high + room)


def thinned(points: Sequence[Point], most: int) -> tuple[Point, ...]:
    """At most so many points: means of equally many neighbours.

    >>> thinned([(0, 1), (1, 3), (2, 5), (3, 7)], 2)
    ((0.5, 2.0), (2.5, 6.0))
    """
    size = -(-len(points) // most)
    if size <= 1:
        return tuple(points)
    groups = [points[start : start + size] for start in range(0, len(points), size)]
    return tuple(
        (sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group))
        for group in groups
    )


def alike(curves: Sequence[Series]) -> list[list[Series]]:
    """Curves in groups that can share an axis: their median sizes within a factor of 8."""
    groups: list[list[Series]] = []
    for curve in curves:
        for group in groups:
            sizes = [_size(member) for member in (*group, curve)]
            if max(sizes) <= _ALIKE * min(sizes) and len(group) < _COLOURS:
                group.append(curve)
                break
        else:
            groups.append([curve])
    return groups


def _size(curve: Series) -> float:
    sizes = sorted(abs(y) for _, y in curve.points)
    return sizes[len(sizes) // 2]


def _time_unit(seconds: float) -> tuple[str, float]:
    """The unit to count a time in, and its length in seconds."""
    for unit, length in (("hours", 3600.0), ("minutes", 60.0)):
        if seconds > 2 * length:
            return unit, length
    return "seconds", 1.0


# --- parts of a chart ---------------------------------------------------------------------


def _curve(index: int, places: Sequence[Point]) -> str:
    """A line through places, held inside the frame; a dot where there is only one place."""
    style = f"curve c{index % _COLOURS}"
    if len(places) == 1:
        return f'<circle class="{style}" cx="{places[0][0]:.1f}" cy="{places[0][1]:.1f}" r="2"/>'
    inside = [(x, min(max(y, _TOP), _HEIGHT - _BOTTOM)) for x, y in places]
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in inside)
    return f'<path class="{style}" d="M{path}"/>'


def _legend(curves: Sequence[Series]) -> str:
    entries = "".join(
        f'<li><svg viewBox="0 0 24 8" aria-hidden="true"><path class="curve c{index % _COLOURS}" '
        f'd="M0 4H24"/></svg>{escape(curve.name)}</li>'
        for index, curve in enumerate(curves)
    )
    return f'<ul class="legend">{entries}</ul>'


def _y_tick(place: float, value: float, ticks: Sequence[float]) -> str:
    line = f'<path class="grid" d="M{_LEFT} {place:.1f}H{_WIDTH - _RIGHT}"/>'
    return line + _text(_LEFT - 6, place + 4, tick_text(value, ticks), "end")


def _x_tick(place: float, value: float, ticks: Sequence[float]) -> str:
    bottom = _HEIGHT - _BOTTOM
    line = f'<path class="axis" d="M{place:.1f} {bottom}v4"/>'
    return line + _text(place, bottom + 17, tick_text(value, ticks), "middle")


def _text(x: float, y: float, content: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(content)}</text>'


def tick_text(value: float, ticks: Sequence[float]) -> str:
    """A tick's number with the digits that tell it from its neighbours.

    >>> tick_text(1500.0, [1000.0, 1500.0]), tick_text(0.25, [0.0, 0.25, 0.5])
    ('1,500', '0.25')
    """
    step = ticks[1] - ticks[0] if len(ticks) > 1 else 1.0
    digits = 0
    while digits < 9 and abs(round(step, digits) - step) > 1e-3 * step:
        digits += 1
    return f"{value:,.{digits}f}"
