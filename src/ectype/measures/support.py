"""α-precision and β-recall: whether typical things are typical, and whether all are reached.

Alaa, van Breugel, Saveliev and van der Schaar, "How faithful is your synthetic data?" (ICML 2022,
arXiv 2102.08921). Both are curves over a share α of the most typical items; what is given is
one less twice the area between the curve and the diagonal, 1 being perfect.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ectype.measures.copying import nearest
from ectype.measures.features import Features

#: Shares α at which a curve is taken.
SHARES = np.linspace(0, 1, 31)


def alpha_precision(real: Features, generated: Features) -> float:
    """Integrated α-precision (equation 8).

    Of the smallest ball around the real mean that holds a share α of the real items, the share of
    generated items within should be α as well. (The paper embeds items so that their support is
    round; here a ball around the mean stands for it.)
    """
    centre = real.mean(0)
    radii = np.quantile(np.linalg.norm(real - centre, axis=1), SHARES)
    distance = np.linalg.norm(generated - centre, axis=1)
    return _faithful((distance[None] <= radii[:, None]).mean(1))


def beta_recall(real: Features, generated: Features) -> float:
    """Integrated β-recall (equation 9).

    A real item is reached by the share β of the most typical generated items if the nearest of
    these lies no farther than the real item's own nearest real neighbour.
    """
    centre = generated.mean(0)
    off_centre = np.linalg.norm(generated - centre, axis=1)
    index, distance = nearest(real, generated)
    own = _own_neighbour(real)
    within = np.asarray(distance) <= own
    radii = np.quantile(off_centre, SHARES)
    reached = within[None] & (off_centre[index][None] <= radii[:, None])
    return _faithful(reached.mean(1))


def _faithful(curve: NDArray[np.float64]) -> float:
    """1 − 2 ∫ |curve(α) − α| dα."""
    return float(1 - 2 * np.trapezoid(np.abs(curve - SHARES), SHARES))


def _own_neighbour(real: Features) -> NDArray[np.float32]:
    """Distance of each item to its nearest other, (n,)."""
    found = np.empty(len(real), np.float32)
    squared = np.square(real).sum(1)
    for start in range(0, len(real), 1024):
        block = slice(start, start + 1024)
        distance = squared[block, None] + squared[None] - 2 * real[block] @ real.T
        rows = np.arange(len(distance))
        distance[rows, rows + start] = np.inf
        found[block] = np.sqrt(np.clip(distance.min(1), 0, None))
    return found
