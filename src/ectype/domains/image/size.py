"""The working size: how large the pictures are that the networks see."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np

from ectype.config import Budget
from ectype.errors import UsageError

SMALLEST, LARGEST = 8, 256
_STEP = 4
#: Seconds of budget up to which a side (of a square of equal area) is learned, on CPU and CUDA.
_CAPS = ((15 * 60, 32, 64), (2 * 3600, 64, 128), (math.inf, 128, 256))


def parse_size(text: str) -> tuple[int, int] | None:
    """`"64x48"` as width and height, `"64"` as a square, `"auto"` as None.

    Raises:
        UsageError: the text is no size, or a side is out of range.
    """
    if text == "auto":
        return None
    match = re.fullmatch(r"(\d+)(?:\s*[x×]\s*(\d+))?", text.strip().lower())
    if match is None:
        raise UsageError(f"“{text}” is no value for data.size", hint="for instance 64 or 64x48")
    width = int(match[1])
    height = int(match[2] or width)
    if not SMALLEST <= min(width, height) <= max(width, height) <= LARGEST:
        message = f"data.size is {width}x{height}, but sides go from {SMALLEST} to {LARGEST}"
        raise UsageError(message, hint="for instance 64x48 (width x height)")
    return width, height


def size_cap(budget: Budget, device: str) -> int:
    """The side of the largest square that a budget can learn well; steps count as a short one."""
    seconds = budget.seconds or 0
    _, cpu, cuda = next(row for row in _CAPS if seconds <= row[0])
    return cuda if device.startswith("cuda") else cpu


def choose_size(sizes: np.ndarray, cap: int) -> tuple[int, int, str]:
    """Working width and height for pictures of many sizes, and why, as a sentence.

    Pictures that are all of one size that the cap allows keep it exactly. Otherwise the sides
    are multiples of 4, with the median proportions (square where proportions differ much), an
    area of about cap², and no longer than the pictures' own.

    Args:
        sizes: width and height of each picture, (n, 2).
        cap: from `size_cap`.
    """
    widths, heights = sizes[:, 0].astype(float), sizes[:, 1].astype(float)
    width, height = int(sizes[0, 0]), int(sizes[0, 1])
    if (sizes == sizes[0]).all():
        found = f"All pictures are {width}x{height} (width x height)"
        allowed = SMALLEST <= min(width, height) <= max(width, height) <= LARGEST
        if allowed and width * height <= cap**2:
            return width, height, f"{found}; they keep this size."
    else:
        found = f"The median size is {np.median(widths):.0f}x{np.median(heights):.0f}"
    ratios = np.log(widths / heights)
    ratio = float(np.median(ratios))
    alike = np.mean(np.abs(ratios - ratio) < math.log(1.2))
    if alike < 2 / 3 or abs(ratio) < math.log(1.1):
        ratio = 0.0
    ratio = min(max(ratio, -math.log(4)), math.log(4))
    own = math.exp(np.median(np.log(widths * heights)) / 2)
    side = min(cap, own)
    most = (float(np.median(widths)), float(np.median(heights)))
    width = _rounded(side * math.exp(ratio / 2), most[0])
    height = _rounded(side * math.exp(-ratio / 2), most[1])
    why = f"{found}; they are learned at {width}x{height}"
    if min(most) < SMALLEST:
        why += f", since no side may be shorter than {SMALLEST}"
    elif side == cap:
        why += f", as much as the budget allows (about {cap}x{cap} pixels; data.size overrides)"
    return width, height, f"{why}."


def size_figures(sizes: np.ndarray) -> dict[str, Sequence[int]]:
    """Smallest, median and largest width and height, for `inspect --json`."""
    return {
        "smallest": [int(side) for side in sizes.min(axis=0)],
        "median": [int(side) for side in np.median(sizes, axis=0)],
        "largest": [int(side) for side in sizes.max(axis=0)],
    }


def _rounded(side: float, most: float) -> int:
    """The nearest multiple of 4 within range that is not longer than the pictures' own side."""
    nearest = round(side / _STEP) * _STEP
    if nearest > most:
        nearest = math.floor(most / _STEP) * _STEP
    return min(max(nearest, SMALLEST), LARGEST)
