"""How near generated rows of a table are to real ones, column by column and pair by pair.

Rows are float64 (n, columns): numbers as they are, names by their position, NaN for what is
missing. `names` says of each column whether its values are names.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float64]
Flags = NDArray[np.bool_]

#: Into so many bins of equal width a number is cut where it meets a name.
BINS = 10
#: Above these two columns count as going together: of two numbers Pearson's correlation, else
#: Cramér's V.
CORRELATED, ASSOCIATED = 0.5, 0.3


def column_shapes(real: Rows, generated: Rows, names: Flags) -> NDArray[np.float64]:
    """How alike the values of each column are spread, 0 to 1, 1 being the same, (columns,).

    Of numbers one less the Kolmogorov–Smirnov distance of those that are not missing, of names
    one less the total variation distance, where missing is a name as any other.
    """
    scores = [
        1 - total_variation(_ranks(a), _ranks(b)) if is_name else 1 - kolmogorov_smirnov(a, b)
        for a, b, is_name in zip(real.T, generated.T, names, strict=True)
    ]
    return np.array(scores)


def pair_trends(real: Rows, generated: Rows, names: Flags) -> NDArray[np.float64]:
    """How alike two columns vary together, 0 to 1, (columns, columns), NaN on the diagonal.

    Of two numbers one less half the difference of Pearson's correlations, else one less the total
    variation distance of the joint frequencies, with numbers in ten bins of equal width over the
    range of the real ones. (The measures of that kind in the package sdmetrics.)
    """
    scores = 1 - np.abs(correlations(real) - correlations(generated)) / 2
    np.fill_diagonal(scores, np.nan)
    binned_real, binned = _binned(real, real, names), _binned(generated, real, names)
    stride = 1 + max(int(binned_real.max()), int(binned.max()))
    for i, j in combinations(range(real.shape[1]), 2):
        if names[i] or names[j]:
            joint, other = (b[:, i] * stride + b[:, j] for b in (binned_real, binned))
            scores[i, j] = scores[j, i] = 1 - total_variation(joint, other)
    return scores


def mean_trend(real: Rows, generated: Rows, names: Flags) -> float:
    """The mean of `pair_trends` over pairs of columns that go together in the real rows.

    Over all pairs if none does. Most pairs of most tables have little to do with one another, and
    columns shuffled each by itself get those right.
    """
    scores, together = pair_trends(real, generated, names), associated(real, names)
    return float(np.nanmean(scores[together] if together.any() else scores))


def associated(rows: Rows, names: Flags) -> Flags:
    """Which columns go together, (columns, columns), False on the diagonal.

    Two numbers do if the size of their correlation is above 0.5, other pairs if Cramér's V of
    their joint frequencies is above 0.3 (the bounds of the package sdmetrics' quality report).
    """
    found = np.abs(correlations(rows)) > CORRELATED
    np.fill_diagonal(found, val=False)
    binned = _binned(rows, rows, names)
    for i, j in combinations(range(rows.shape[1]), 2):
        if names[i] or names[j]:
            found[i, j] = found[j, i] = cramers_v(binned[:, i], binned[:, j]) > ASSOCIATED
    return found


def cramers_v(a: NDArray[np.int64], b: NDArray[np.int64]) -> float:
    """How far two columns of whole numbers ≥ 0 depend on one another, 0 to 1.

    With the correction for few rows of Bergsma (A bias-correction for Cramér's V and Tschuprow's T,
    2013, section 2), without which names of many kinds seem to depend on everything; 0 if one of
    the columns is constant.
    """
    (_, first), (_, second) = (np.unique(x, return_inverse=True) for x in (a, b))
    of_first, of_second = np.bincount(first), np.bincount(second)
    n, r, c = len(a), len(of_first), len(of_second)
    if min(r, c) < 2:
        return 0.0
    cells, counts = np.unique(first * c + second, return_counts=True)
    margins = of_first[cells // c] * of_second[cells % c]
    square = float((counts**2 / margins).sum()) - 1 - (r - 1) * (c - 1) / (n - 1)
    least = min(k - (k - 1) ** 2 / (n - 1) for k in (r, c)) - 1
    return float(np.sqrt(max(square, 0.0) / least)) if least > 0 else 0.0


def correlations(rows: Rows) -> NDArray[np.float64]:
    """Pearson's correlation of all pairs of columns over rows that have both; 0 for a constant."""
    there = ~np.isnan(rows)
    shifted = rows - np.nanmean(np.where(there.any(0), rows, 0.0), axis=0)
    x, mask = np.where(there, shifted, 0.0), there.astype(np.float64)
    n = np.maximum(mask.T @ mask, 1)
    mean, square = x.T @ mask / n, (x * x).T @ mask / n
    covariance = x.T @ x / n - mean * mean.T
    variance = square - mean * mean
    scale = np.sqrt(np.clip(variance * variance.T, 0, None))
    return np.divide(
        covariance, scale, out=np.zeros_like(scale), where=scale > 1e-12 * square.max()
    )


def kolmogorov_smirnov(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """The largest difference of two empirical distribution functions, missing values left out."""
    a, b = np.sort(a[~np.isnan(a)]), np.sort(b[~np.isnan(b)])
    if not len(a) or not len(b):
        return float(len(a) != len(b))
    points = np.concatenate([a, b])
    below_a = np.searchsorted(a, points, side="right") / len(a)
    below_b = np.searchsorted(b, points, side="right") / len(b)
    return float(np.abs(below_a - below_b).max())


def total_variation(a: NDArray[np.int64], b: NDArray[np.int64]) -> float:
    """Half the sum of differences between the frequencies of whole numbers."""
    values, inverse = np.unique(np.concatenate([a, b]), return_inverse=True)
    first = np.bincount(inverse[: len(a)], minlength=len(values)) / len(a)
    second = np.bincount(inverse[len(a) :], minlength=len(values)) / len(b)
    return float(np.abs(first - second).sum() / 2)


def missing_error(real: Rows, generated: Rows, most: int = 20) -> float:
    """How far patterns of missing values differ, 0 to 1: total variation distance of patterns.

    A pattern is which columns of a row are missing; of columns with missing values the `most`
    with the most of them count.
    """
    gaps = np.isnan(real)
    order = np.argsort(-gaps.mean(0), kind="stable")[:most]
    weights = 1 << np.arange(len(order), dtype=np.int64)
    return total_variation(gaps[:, order] @ weights, np.isnan(generated)[:, order] @ weights)


def exact_copies(rows: Rows, train: Rows) -> Flags:
    """Of each row whether it is a training row in every value, (n,)."""
    seen = {row.tobytes() for row in _plain(train)}
    return np.array([row.tobytes() in seen for row in _plain(rows)])


def _plain(rows: Rows) -> Rows:
    """Rows whose equal values have equal bytes."""
    return np.ascontiguousarray(np.where(np.isnan(rows), np.nan, rows + 0.0))


def _ranks(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Positions of names as whole numbers, missing as −1."""
    return np.where(np.isnan(values), -1, values).astype(np.int64)


def _binned(rows: Rows, real: Rows, names: Flags) -> NDArray[np.int64]:
    """Names as they are and numbers in bins over the range of the real ones; missing is 0."""
    columns = []
    for values, reference, is_name in zip(rows.T, real.T, names, strict=True):
        if is_name:
            columns.append(_ranks(values) + 1)
            continue
        there = reference[~np.isnan(reference)]
        edges = np.histogram_bin_edges(there, BINS)[1:-1] if len(there) else np.zeros(0)
        bins = np.searchsorted(edges, np.nan_to_num(values), side="right") + 1
        columns.append(np.where(np.isnan(values), 0, bins))
    return np.stack(columns, 1)
