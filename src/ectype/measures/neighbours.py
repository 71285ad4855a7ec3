"""Measures from nearest neighbours: precision, recall, density and coverage.

See also: `ectype.measures.copying`, for samples that lie too near to single training items.
"""

from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from ectype.measures.distances import Points, blocks, exact, nearest_rows, points, slack


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
        block: rows a block, to bound memory; None takes about 32 MiB a block.

    Raises:
        ValueError: if either set has k items or fewer, or the features do not match.
    """
    x, y = points(real, generated)
    real_radius = nearest_rows(x, x, k, others=True, block=block)[1][:, -1:]
    generated_radius = nearest_rows(y, y, k, others=True, block=block)[1][:, -1:].T
    bound = slack(x, y)

    balls = torch.zeros(len(y), dtype=torch.int64)  # real balls around each generated item
    covered = recalled = 0
    for rows, squared in blocks(x, y, block):
        inside = _inside(squared, real_radius[rows], bound[rows], x, rows, y)
        balls += inside.sum(0)
        covered += int(inside.any(1).sum())
        recalled += int(_inside(squared, generated_radius, bound[rows], x, rows, y).any(1).sum())
    return Neighbourhoods(
        precision=float((balls > 0).double().mean()),
        recall=recalled / len(x),
        density=int(balls.sum()) / (k * len(y)),
        coverage=covered / len(x),
    )


def _inside(
    squared: Tensor, radius: Tensor, bound: Tensor, x: Points, rows: slice, y: Points
) -> Tensor:
    """Say which pairs of a block lie within the radius, (b, m); exactly, whatever the rounding.

    Args:
        squared: (b, m), see `blocks`.
        radius: squared, (b, 1) or (1, m), float64.
        bound: (b, 1), see `slack`.
        x: set whose rows the block's rows are.
        rows: of x, b of them.
        y: set of the columns.
    """
    excess = squared - radius.float()
    i, j = torch.nonzero(excess.abs() <= bound, as_tuple=True)
    inside = excess <= 0
    inside[i, j] = exact(x, i + rows.start, y, j) <= radius.expand(squared.shape)[i, j]
    return inside
