"""Drawings of columns: how real and generated values are spread, and how columns go together."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ectype.domains.table.columns import NAMES, Column
from ectype.domains.table.forms import write_date, write_number

_TILE, _HEIGHT, _GAP = (300, 190), 96, 12
_ACROSS = 4
_BINS, _BARS = 30, 10
_PAPER, _INK, _REAL, _MADE = "#ffffff", "#222222", "#c3c9d1", "#c2410c"
_CELL, _MARGIN = 22, 150


def distributions(
    columns: Sequence[Column],
    real: np.ndarray,
    generated: np.ndarray,
    scores: Sequence[float],
    order: Sequence[int],
) -> Image.Image:
    """A tile a column: bars are real rows, the line or the ticks generated ones.

    Args:
        columns: the modelled ones.
        real: stored rows (n, columns).
        generated: stored rows (m, columns).
        scores: shape of each column, for its title.
        order: columns in the order of their tiles.
    """
    width, height = _TILE
    rows = -(-len(order) // _ACROSS)
    across = min(_ACROSS, len(order))
    page = Image.new("RGB", (across * width + _GAP, rows * height + 30), _PAPER)
    draw = ImageDraw.Draw(page)
    draw.rectangle((_GAP, 8, _GAP + 14, 20), fill=_REAL)
    draw.text((_GAP + 20, 6), "real", _INK, _font(13))
    draw.line((_GAP + 66, 14, _GAP + 84, 14), fill=_MADE, width=3)
    draw.text((_GAP + 90, 6), "generated", _INK, _font(13))
    for place, index in enumerate(order):
        left, top = place % _ACROSS * width + _GAP, place // _ACROSS * height + 30
        column = columns[index]
        draw.text((left, top), _short(column.name, 26), _INK, _font(14))
        draw.text((left + width - 70, top), f"{scores[index]:.3f}", _INK, _font(14))
        pair = real[:, index], generated[:, index]
        drawer = _bars if column.kind in NAMES else _curve
        drawer(draw, column, *pair, (left, top + 22, width - 2 * _GAP))
    return page


def differences(names: Sequence[str], matrix: np.ndarray) -> Image.Image:
    """A square a pair of columns, the darker the more their trend differs; 0.2 is darkest."""
    size = len(names)
    page = Image.new("RGB", (_MARGIN + size * _CELL + 70, _MARGIN + size * _CELL + _GAP), _PAPER)
    draw = ImageDraw.Draw(page)
    for i, name in enumerate(names):
        at = _MARGIN + i * _CELL
        short = _short(name, 18)
        draw.text((_MARGIN - 8 - draw.textlength(short, _font(12)), at + 4), short, _INK, _font(12))
        label = Image.new("RGB", (_MARGIN - 8, _CELL), _PAPER)
        ImageDraw.Draw(label).text((0, 4), short, _INK, _font(12))
        page.paste(label.rotate(90, expand=True), (at, 0))
        for j in range(size):
            value = matrix[i, j]
            box = (_MARGIN + j * _CELL, at, _MARGIN + (j + 1) * _CELL - 2, at + _CELL - 2)
            draw.rectangle(box, fill=_heat(value))
    return page


def _curve(
    draw: ImageDraw.ImageDraw,
    column: Column,
    real: np.ndarray,
    made: np.ndarray,
    box: tuple[int, int, int],
) -> None:
    """A histogram of numbers, between the 1st and the 99th percentile of the real ones."""
    left, top, width = box
    there, drawn = real[~np.isnan(real)], made[~np.isnan(made)]
    if not len(there):
        return
    low, high = np.quantile(there, [0.01, 0.99])
    if low == high:
        low, high = low - 0.5, high + 0.5
    bins = _BINS
    if column.kind == "integer" and high - low < _BINS:  # a bar for each value
        bins, low, high = int(high - low) + 1, low - 0.5, high + 0.5
    edges = np.linspace(low, high, bins + 1)
    heights = [np.histogram(v.clip(low, high), edges)[0] / max(len(v), 1) for v in (there, drawn)]
    scale = _HEIGHT / max(heights[0].max(), heights[1].max(), 1e-9)
    step = width / bins
    floor = top + _HEIGHT
    for i, value in enumerate(heights[0] * scale):
        draw.rectangle((left + i * step, floor - value, left + (i + 1) * step - 1, floor), _REAL)
    points = [
        (left + i * step, floor - value)
        for j, value in enumerate(heights[1] * scale)
        for i in (j, j + 1)
    ]
    draw.line(points, fill=_MADE, width=2)
    draw.text(
        (left, floor + 4),
        _written(column, float(np.ceil(low) if bins < _BINS else low)),
        _INK,
        _font(11),
    )
    last = _written(column, float(np.floor(high) if bins < _BINS else high))
    draw.text((left + width - draw.textlength(last, _font(11)), floor + 4), last, _INK, _font(11))
    if column.missing is not None:
        said = f"missing {np.isnan(real).mean():.1%}, generated {np.isnan(made).mean():.1%}"
        draw.text((left, floor + 20), said, _INK, _font(11))


def _bars(
    draw: ImageDraw.ImageDraw,
    column: Column,
    real: np.ndarray,
    made: np.ndarray,
    box: tuple[int, int, int],
) -> None:
    """A bar for each of the most frequent names, and one for all others with the missing ones."""
    left, top, width = box
    shown = min(_BARS, len(column.values))
    shares = []
    for values in (real, made):
        place = np.where(np.isnan(values), shown, np.minimum(values, shown)).astype(np.int64)
        shares.append(np.bincount(place, minlength=shown + 1) / max(len(values), 1))
    labels = [str(value) for value in column.values[:shown]]
    if shares[0][shown] or shares[1][shown]:
        labels.append("others, missing")
    scale = (width - 110) / max(shares[0].max(), shares[1].max(), 1e-9)
    line = (_HEIGHT + 36) / max(len(labels), 1)
    for i, label in enumerate(labels):
        at = top + i * line
        draw.text((left, at), _short(label, 15), _INK, _font(min(11, max(7, int(line)))))
        start = left + 105
        draw.rectangle((start, at + 1, start + shares[0][i] * scale, at + line - 2), _REAL)
        end = start + shares[1][i] * scale
        draw.line((end, at, end, at + line - 1), fill=_MADE, width=3)


def _written(column: Column, value: float) -> str:
    form: dict[str, Any] = column.form
    if column.kind != "date":
        return write_number(round(value, form.get("decimals") or 0), form)
    return write_date(round(value), {**form, "format": form["format"] or "%Y-%m-%d"})


def _heat(value: float) -> tuple[int, int, int]:
    if np.isnan(value):
        return (235, 235, 235)
    share = min(value / 0.2, 1.0)
    return tuple(
        round(a + (b - a) * share) for a, b in zip((255, 250, 245), (140, 30, 5), strict=True)
    )  # type: ignore[return-value]


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


@cache
def _font(size: int) -> Any:
    return ImageFont.load_default(size)
