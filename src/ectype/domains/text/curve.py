"""Quality against variety as the temperature changes, drawn: no one temperature tells both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from ectype.measures.ngrams import UNKNOWN, NGrams
from ectype.report.content import Exhibit

#: Twice the size at which the page shows it.
_SIDE, _HEIGHT, _EDGE = 1120, 760, 110
_INK, _FAINT, _LINE, _REAL = (34, 34, 40), (205, 205, 212), (38, 92, 168), (176, 72, 32)

#: Samples of each temperature that are shown.
SHOWN = 8
#: Forward and reverse perplexity.
Point = tuple[float, float]


def temperature_exhibits(
    drawn: Mapping[float, Sequence[str]],
    reference: Sequence[str],
    real: Sequence[str] | None,
    folder: Path,
) -> tuple[Exhibit, ...]:
    """A picture of both perplexities over the temperature, and some samples of each.

    Caccia et al., "Language GANs falling short" (arXiv 1811.02549): a model is judged by its whole
    curve, since any can be made to look good at one end.

    Args:
        drawn: samples at each temperature, equally many.
        reference: as many held-out texts.
        real: as many training texts for the point of real texts, or None.
        folder: where the files go.
    """
    sides = [*drawn.values(), reference, *([] if real is None else [real])]
    alphabet = len(set().union(*(set(text) for side in sides for text in side))) + UNKNOWN
    judge = NGrams(reference, alphabet=alphabet)

    def place(texts: Sequence[str]) -> Point | None:
        written = [text for text in texts if text.strip()]
        if not written:
            return None
        own = NGrams(written, alphabet=alphabet)
        return judge.perplexity(written), own.perplexity(reference)

    points = {t: point for t, texts in drawn.items() if (point := place(texts)) is not None}
    if not points:
        return ()
    picture, page = folder / "temperature.png", folder / "temperature.txt"
    draw_curve(points, None if real is None else place(real), picture)
    lines = [
        f"{temperature:g}: " + ", ".join(" ".join(text.split()) for text in texts[:SHOWN])
        for temperature, texts in sorted(drawn.items())
    ]
    page.write_text("\n\n".join(lines) + "\n", encoding="utf-8")
    caption = (
        f"{len(reference):,} samples at each temperature: below 1 they are more usual and say less "
        "of what there is, above 1 the other way round. Under 6-grams of characters."
    )
    return (
        Exhibit(
            key="temperature",
            title="Quality against variety",
            caption=caption,
            files=(picture, page),
        ),
    )


def draw_curve(points: Mapping[float, Point], real: Point | None, path: Path) -> None:
    """Draw forward perplexity (up) against reverse perplexity (to the right) by temperature.

    Low is better for both: the lower left corner is where real texts are.

    Args:
        points: of the samples at each temperature.
        real: of real texts in the samples' place.
        path: of the PNG.
    """
    every = [*points.values(), *([] if real is None else [real])]
    across, up = (_limits([point[axis] for point in every]) for axis in (1, 0))

    def place(point: Point) -> tuple[float, float]:
        x = _EDGE + (point[1] - across[0]) / (across[1] - across[0]) * (_SIDE - 1.5 * _EDGE)
        y = (point[0] - up[0]) / (up[1] - up[0]) * (_HEIGHT - 1.7 * _EDGE)
        return x, _HEIGHT - _EDGE - y

    page = Image.new("RGB", (_SIDE, _HEIGHT), "white")
    draw, font, small = ImageDraw.Draw(page), _font(26), _font(22)
    for x in _ticks(across):
        start, end = place((up[0], x)), place((up[1], x))
        draw.line([start, end], _FAINT, 2)
        draw.text((start[0], start[1] + 10), f"{x:g}", _INK, small, anchor="ma")
    for y in _ticks(up):
        start, end = place((y, across[0])), place((y, across[1]))
        draw.line([start, end], _FAINT, 2)
        draw.text((start[0] - 12, start[1]), f"{y:g}", _INK, small, anchor="rm")
    says = "reverse perplexity: the lower, the more of real variety"
    draw.text((_SIDE / 2, _HEIGHT - 24), says, _INK, font, anchor="ms")
    draw.text((_EDGE, 20), "forward perplexity: the lower, the more usual", _INK, font)
    line = [place(points[temperature]) for temperature in sorted(points)]
    draw.line(line, _LINE, 4, joint="curve")
    for temperature, (x, y) in zip(sorted(points), line, strict=True):
        draw.ellipse((x - 8, y - 8, x + 8, y + 8), _LINE)
        draw.text((x + 14, y - 8), f"{temperature:g}", _LINE, small, anchor="ls")
    if real is not None:
        x, y = place(real)
        draw.rectangle((x - 9, y - 9, x + 9, y + 9), _REAL)
        draw.text((x + 16, y), "real texts", _REAL, small, anchor="lm")
    page.save(path)


def _limits(values: Sequence[float]) -> Point:
    """What an axis spans: the values and a tenth around them."""
    low, high = min(values), max(values)
    around = 0.1 * (high - low) or 0.1 * abs(high) or 1.0
    return low - around, high + around


def _ticks(limits: Point) -> list[float]:
    """Round numbers on an axis, four to eight of them."""
    span = limits[1] - limits[0]
    step = next(
        size * 10**power
        for power in range(-6, 12)
        for size in (1, 2, 5)
        if span / (size * 10**power) <= 8
    )
    first = int(limits[0] / step) - 1
    every = (round(step * i, 9) for i in range(first, first + 20))
    return [value for value in every if limits[0] <= value <= limits[1]]


def _font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)
