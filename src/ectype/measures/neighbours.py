"""Measures from nearest neighbours: precision, recall, density, coverage, and memorising.

Distances are computed in float64 by blocks of rows, so that memory stays bounded and the figures
do not depend on the block size.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_BLOCK_ENTRIES = 2**23  # of a block of the distance matrix: 64 MiB in float64

# Features come in float32, so distances nearer than this (relative) are the same distance. With
# it, an item that lies exactly on a ball (every copy of a real item does) is inside, always.
_SAME = 1e-9
_ZERO = 1e-12  # squared distance, as a share of the squared norms, that is only rounding


@dataclass(frozen=True, kw_only=True)
class Neighbourhoods:
    """How two sets lie in each other's neighbourhoods; each figure is better higher.

    Attributes:
        precision: share of the generated inside the real manifold, 0..1.
        recall: share of the real inside the generated manifold, 0..1.
        density: mean number of real balls around a generated item, over k; around 1 when the sets
            have one distribution, and may exceed 1.
        coverage: share of real balls that hold a generated item, 0..1.
    """

    precision: float
    recall: float
    density: float
    coverage: float


def neighbourhoods(
    real: NDArray[Any],
    generated: NDArray[Any],
    *,
    k: int = 5,
    block: int | None = None,
) -> Neighbourhoods:
    """Precision, recall, density and coverage from one pass over the distances.

    With B(x) the closed ball that reaches from x to its k-th nearest neighbour in x's own set, x
    not counted, real items x_i and generated items y_j:

        precision = mean_j [y_j in some B(x_i)]       density  = sum_ij [y_j in B(x_i)] / (k m)
        recall    = mean_i [x_i in some B(y_j)]       coverage = mean_i [some y_j in B(x_i)]

    Precision and recall: "Improved Precision and Recall Metric for Assessing Generative Models"
    (https://arxiv.org/abs/1904.06991). Density and coverage: "Reliable Fidelity and Diversity
    Metrics for Generative Models" (https://arxiv.org/abs/2002.09797). All four depend on the sizes
    of the sets: compare at equal n only.

    Args:
        real: features (n, d).
        generated: features (m, d).
        k: which neighbour is a ball's radius.
        block: rows a block, to bound memory; None takes about 64 MiB a block.

    Raises:
        ValueError: if either set has k items or fewer, or the features do not match.
    """
    x, y = _centred(real, generated)
    real_radius = _squared_radius(x, k, block) * (1 + _SAME)
    generated_radius = _squared_radius(y, k, block) * (1 + _SAME)

    balls = torch.zeros(len(y), dtype=torch.int64)  # real balls around each generated item
    covered = recalled = 0
    for rows, squared in _squared_distances(x, y, block):
        inside = squared <= real_radius[rows, None]
        balls += inside.sum(0)
        covered += int(inside.any(1).sum())
        recalled += int((squared <= generated_radius).any(1).sum())
    return Neighbourhoods(
        precision=float((balls > 0).double().mean()),
        recall=recalled / len(x),
        density=int(balls.sum()) / (k * len(y)),
        coverage=covered / len(x),
    )


def nearer_to_train(
    samples: NDArray[Any],
    train: NDArray[Any],
    held_out: NDArray[Any],
    *,
    block: int | None = None,
) -> float:
    """Share of samples nearer to their nearest training item than to their nearest held-out item.

    A model that has learned the distribution cannot tell the two sets apart and gives 0.5; one
    that has learned its training items by heart gives 1. A tie counts half. The two sets have one
    size because the larger would be nearer by chance.

    "Holdout-Based Fidelity and Privacy Assessment of Mixed-Type Synthetic Data"
    (https://arxiv.org/abs/2104.00635): the share of samples whose closest record is a training one.

    Args:
        samples: features (m, d).
        train: features (n, d) of items that the model was trained on.
        held_out: features (n, d) of items of the same origin that it never saw.
        block: rows a block, to bound memory; None takes about 64 MiB a block.

    Raises:
        ValueError: if the two sets differ in size, or the features do not match.
    """
    if len(train) != len(held_out):
        raise ValueError(
            f"{len(train)} training items and {len(held_out)} held-out items: the larger set would "
            "be nearer by chance; draw an equal number of each"
        )
    x, seen, unseen = _centred(samples, train, held_out)
    to_train, to_held_out = (_nearest(x, items, block) for items in (seen, unseen))
    tie = (to_train - to_held_out).abs() <= _SAME * torch.maximum(to_train, to_held_out)
    nearer = (to_train < to_held_out) & ~tie
    return float(nearer.double().mean() + tie.double().mean() / 2)


def _nearest(x: Tensor, items: Tensor, block: int | None) -> Tensor:
    """Squared distance of each row of x to the nearest item: (n,)."""
    return torch.cat([squared.amin(1) for _, squared in _squared_distances(x, items, block)])


def _squared_radius(x: Tensor, k: int, block: int | None) -> Tensor:
    """Squared distance of each row of x to its k-th nearest other row: (n,)."""
    if not 1 <= k < len(x):
        raise ValueError(f"the {k}th neighbour needs k >= 1 and more than k items, not {len(x)}")
    radii: list[Tensor] = []
    for rows, squared in _squared_distances(x, x, block):
        squared[torch.arange(len(squared)), torch.arange(len(x))[rows]] = torch.inf
        radii.append(squared.topk(k, largest=False).values[:, -1])
    return torch.cat(radii)


def _squared_distances(x: Tensor, y: Tensor, block: int | None) -> Iterator[tuple[slice, Tensor]]:
    """Yield (rows of x, their squared distances to all of y), block by block of rows."""
    size = block or max(1, _BLOCK_ENTRIES // len(y))
    x_norms, y_norms = (torch.linalg.vector_norm(z, dim=1).square() for z in (x, y))
    for start in range(0, len(x), size):
        rows = slice(start, min(start + size, len(x)))
        norms = x_norms[rows, None] + y_norms
        squared = torch.addmm(norms, x[rows], y.T, alpha=-2)
        # |x|^2 + |y|^2 - 2xy leaves rounding noise, of either sign, where x = y.
        squared.masked_fill_(squared < norms.mul_(_ZERO), 0)
        yield rows, squared


def _centred(*sets: NDArray[Any]) -> list[Tensor]:
    """Bring sets to float64 about the mean of the first: small norms keep distances exact.

    Raises:
        ValueError: if a set is not (n, d) of finite features with one d.
    """
    shapes = [x.shape for x in sets]
    if any(len(shape) != 2 or 0 in shape or shape[1] != shapes[0][1] for shape in shapes):
        raise ValueError(f"neighbours are sought among features (n, d) of one d, not {shapes}")
    tensors = [torch.from_numpy(np.array(x, dtype=np.float64)) for x in sets]
    if not all(bool(x.sum().isfinite()) for x in tensors):
        raise ValueError("features hold NaN or infinity, which have no neighbours")
    mean = tensors[0].mean(0)
    return [x.sub_(mean) for x in tensors]
