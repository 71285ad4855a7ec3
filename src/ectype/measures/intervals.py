"""Intervals of figures by subsampling: how far a figure moves when its items are drawn anew.

Not a bootstrap, whose draws hold items twice: duplicates lie at distance 0 from each other, which
shrinks the balls of nearest neighbours and biases a Fréchet distance upwards. "Large Sample
Confidence Regions Based on Subsamples under Minimal Assumptions" (Politis and Romano, Annals of
Statistics 22, 1994); the rescaling for draws without replacement is that of "A General Theory for
Jackknife Variance Estimation" (Shao and Wu, Annals of Statistics 17, 1989), the delete-d jackknife.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

DRAWS = 20
LARGEST = 500
"""Items of the largest set in one draw, for the sake of time."""

NORMAL_95 = 1.96
"""Standard deviations to either side that hold 95 % of a normal distribution."""

Indices = NDArray[np.int64]
Deviations = NDArray[np.float64]


def deviations(
    figures: Callable[..., Mapping[str, float]], *sizes: int, seed: int
) -> dict[str, Deviations]:
    """How far figures move from their mean over draws of all their items, by subsampling.

    Each of the draws takes the same share f of every set, without replacement: half, or less where
    a set has over 1,000 items. For a mean of n items with variance s^2, a draw of m = f n has

        Var = s^2 / m (1 - m / n) = s^2 / n (1 - f) / f

    since the draws share items (the finite-population correction), so sd_n = sd_m sqrt(f / (1-f)).
    What holds for a mean holds for every figure that is smooth enough in the distributions. Where
    a figure's deviation falls faster than 1 / sqrt(n), as that of KID does when both sets have
    one distribution, the result is too large, never too small.

    Args:
        figures: computes the figures from one array of indices a set, sorted and distinct.
        *sizes: n of each set. What is drawn of the first hangs on its size and the seed alone.
        seed: fixes the draws.

    Returns:
        (draws,) a figure, rescaled to what it is with all n items.
    """
    share = min(0.5, LARGEST / max(sizes))
    generators = np.random.default_rng(seed).spawn(len(sizes))
    draws = [
        figures(
            *(
                choice(size, round(share * size), generator)
                for size, generator in zip(sizes, generators, strict=True)
            )
        )
        for _ in range(DRAWS)
    ]
    rescale = (share / (1 - share)) ** 0.5
    found: dict[str, Deviations] = {}
    for name in draws[0]:
        values = np.array([draw[name] for draw in draws])
        found[name] = rescale * (values - values.mean())
    return found


def standard_deviations(
    figures: Callable[..., Mapping[str, float]], *sizes: int, seed: int
) -> dict[str, float]:
    """The standard deviations of what `deviations` gives."""
    moved = deviations(figures, *sizes, seed=seed)
    return {name: float(np.std(values, ddof=1)) for name, values in moved.items()}


def choice(n: int, m: int, generator: np.random.Generator) -> Indices:
    """Choose m of n indices, sorted, no index twice; all of them where m is n or more."""
    return np.sort(generator.permutation(n)[:m])


def interval(
    value: float, deviation: float, low: float = -np.inf, high: float = np.inf
) -> tuple[float, float]:
    """Give value ± 1.96 deviations, about 95 %, within what the figure can be."""
    reach = NORMAL_95 * deviation
    return max(low, value - reach), min(high, value + reach)


def share_interval(share: float, n: int) -> tuple[float, float]:
    """The interval of a share of n items, about 95 %; not empty at 0 and 1 either.

    The score interval of "Probable Inference, the Law of Succession, and Statistical Inference"
    (Wilson, JASA 22, 1927).
    """
    z2 = NORMAL_95**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    reach = NORMAL_95 / (1 + z2 / n) * (share * (1 - share) / n + z2 / (4 * n**2)) ** 0.5
    return max(0.0, middle - reach), min(1.0, middle + reach)
