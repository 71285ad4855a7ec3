"""Distances between sets of features, by blocks: quick, and exact where it matters.

Products are taken in float32 about a common centre, in half the time and memory of float64, at the
price of errors of some 1e-6 of the squared norms. Where such an error could decide something, the
distance is computed again from the difference of the two rows. So a copy is at distance 0 exactly,
a distance is the same from either side, and no figure hangs on the block size or on the origin.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_BLOCK_ENTRIES = 2**23  # of a block of distances: 32 MiB in float32
_PAIR_ENTRIES = 2**18  # of rows gathered in pairs: 1 MiB, which stays in the cache
_ROUNDING = 1e-5  # error of a squared distance as a share of the squared norms, with a margin
_SPARE = 4  # neighbours looked at beyond the k wanted: rounding may have put them out of order

Neighbours: TypeAlias = tuple[Tensor, Tensor]
"""Indices and squared distances of the k nearest rows, (n, k) int64 and float64, nearest first."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Points:
    """A set of features made ready for distances.

    Attributes:
        rows: (n, d) float32, as they came.
        centred: (n, d) float32, about a centre that the sets to compare share.
        squared_norms: (n,) float32, of the centred rows.
    """

    rows: Tensor
    centred: Tensor
    squared_norms: Tensor

    def __len__(self) -> int:
        return len(self.rows)


def points(*sets: NDArray[Any]) -> list[Points]:
    """Make sets ready, about the mean of the first: small norms keep rounding small.

    Raises:
        ValueError: if a set is not (n, d) of finite features with one d.
    """
    shapes = [x.shape for x in sets]
    if any(len(shape) != 2 or 0 in shape or shape[1] != shapes[0][1] for shape in shapes):
        raise ValueError(f"neighbours are sought among features (n, d) of one d, not {shapes}")
    arrays = [np.ascontiguousarray(x, dtype=np.float32) for x in sets]
    if not all(np.isfinite(x).all() for x in arrays):
        raise ValueError("features hold NaN or infinity, which have no neighbours")
    centre = arrays[0].mean(0, dtype=np.float64).astype(np.float32)
    ready: list[Points] = []
    for x in arrays:
        centred = torch.from_numpy(x - centre)
        norms = torch.linalg.vector_norm(centred, dim=1).square()
        rows = torch.from_numpy(x if x.flags.writeable else x.copy())
        ready.append(Points(rows=rows, centred=centred, squared_norms=norms))
    return ready


def blocks(x: Points, y: Points, block: int | None = None) -> Iterator[tuple[slice, Tensor]]:
    """Yield (rows of x, their squared distances to all of y), block by block, with rounding.

    Args:
        x: (n, d).
        y: (m, d).
        block: rows a block, to bound memory; None takes about 32 MiB a block.

    Yields:
        A slice of length b and (b, m) float32, off by less than `slack`; may be below 0.
    """
    size = block or max(1, _BLOCK_ENTRIES // len(y))
    for start in range(0, len(x), size):
        rows = slice(start, min(start + size, len(x)))
        norms = x.squared_norms[rows, None] + y.squared_norms
        yield rows, norms.addmm_(x.centred[rows], y.centred.T, alpha=-2)


def slack(x: Points, y: Points) -> Tensor:
    """Bound the rounding of `blocks`: (n, 1), one bound for each row of x."""
    return _ROUNDING * (x.squared_norms[:, None] + y.squared_norms.max())


def exact(x: Points, i: Tensor, y: Points, j: Tensor) -> Tensor:
    """Squared distances of pairs of a row of x and a row of y, from their differences.

    Args:
        x: (n, d).
        i: (p,) indices of x.
        y: (m, d).
        j: (p,) indices of y.

    Returns:
        (p,) float64. A difference of float32 numbers is rounded once, by 6e-8 of itself.
    """
    size = max(1, _PAIR_ENTRIES // x.rows.shape[1])
    parts: list[Tensor] = []
    for a, b in zip(i.split(size), j.split(size), strict=True):
        difference = x.rows.index_select(0, a).sub_(y.rows.index_select(0, b))
        parts.append(difference.double().square_().sum(1))
    return torch.cat(parts)


def nearest_rows(
    x: Points, y: Points, k: int = 1, *, others: bool = False, block: int | None = None
) -> Neighbours:
    """Find the k nearest rows of y for each row of x.

    Args:
        x: (n, d).
        y: (m, d).
        k: how many.
        others: x and y are one set, and a row is not its own neighbour.
        block: rows a block; see `blocks`.

    Returns:
        Indices of y and squared distances, (n, k) int64 and float64, nearest first. Of rows at one
        distance any may be taken.

    Raises:
        ValueError: if y holds too few rows.
    """
    most = len(y) - others
    if not 1 <= k <= most:
        raise ValueError(f"the {k}th neighbour needs k >= 1 and more than k items, not {len(y)}")
    indices: list[Tensor] = []
    distances: list[Tensor] = []
    for rows, squared in blocks(x, y, block):
        here = torch.arange(rows.start, rows.stop)
        if others:
            squared[here - rows.start, here] = torch.inf
        candidates = squared.topk(min(k + _SPARE, most), largest=False).indices
        settled = exact(
            x, here.repeat_interleave(candidates.shape[1]), y, candidates.flatten()
        ).view_as(candidates)
        nearest = settled.topk(k, largest=False)
        indices.append(candidates.gather(1, nearest.indices))
        distances.append(nearest.values)
    return torch.cat(indices), torch.cat(distances)
