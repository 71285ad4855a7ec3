"""Many pictures in one, to look at."""

from __future__ import annotations

import math

import numpy as np

#: Below this side a picture is enlarged by a whole factor.
_VISIBLE = 64
_GAP = 2
_PAGE = 255
_CHECKS = (255, 232)


def grid_shape(count: int, columns: int | None = None) -> tuple[int, int]:
    """Rows and columns for `count` pictures: nearly square and wider than high, unless given."""
    columns = max(1, min(columns or math.ceil(math.sqrt(count)), count))
    return max(1, math.ceil(count / columns)), columns


def grid(items: np.ndarray, columns: int | None = None) -> np.ndarray:
    """Lay items out row by row, with a thin gap, on white.

    Small items are enlarged by a whole factor without smoothing; alpha is shown on a light
    checkerboard.

    Args:
        items: uint8 (n, h, w, c), c of 1 to 4, with alpha last where c is even.
        columns: number of columns; chosen where it is None.

    Returns:
        uint8 (height, width, 3).
    """
    count, height, width = items.shape[:3]
    rows, columns = grid_shape(count, columns)
    factor = max(1, _VISIBLE // max(height, width))
    items = items.repeat(factor, axis=1).repeat(factor, axis=2)
    cell_height, cell_width = height * factor, width * factor
    page = np.full(
        (rows * (cell_height + _GAP) + _GAP, columns * (cell_width + _GAP) + _GAP, 3),
        _PAGE,
        np.uint8,
    )
    for number, item in enumerate(items):
        row, column = divmod(number, columns)
        top = _GAP + row * (cell_height + _GAP)
        left = _GAP + column * (cell_width + _GAP)
        page[top : top + cell_height, left : left + cell_width] = _shown(item)
    return page


def in_pairs(above: np.ndarray, below: np.ndarray, columns: int) -> np.ndarray:
    """Items in the order of a grid in which each of `below` stands under its own of `above`.

    The last two rows are filled up with zeros.

    Args:
        above: stored items (n, ...) of any kind.
        below: as many of them.
        columns: of the grid.
    """
    rows: list[np.ndarray] = []
    for start in range(0, len(above), columns):
        for items in (above, below):
            row = items[start : start + columns]
            rows += [row, np.zeros((columns - len(row), *row.shape[1:]), row.dtype)]
    return np.concatenate(rows)


def _shown(item: np.ndarray) -> np.ndarray:
    """An item (h, w, c) as RGB (h, w, 3) or grey (h, w, 1), alpha laid on a checkerboard."""
    height, width, channels = item.shape
    if channels % 2:
        return item
    check = max(4, min(height, width) // 8)
    rows, columns = np.indices((height, width)) // check
    ground = np.where((rows + columns) % 2, *_CHECKS)[..., None]
    alpha = item[..., -1:] / 255
    return np.rint(item[..., :-1] * alpha + ground * (1 - alpha)).astype(np.uint8)
