"""Figures that take a strong classifier of rows: boosted trees, from scikit-learn.

A linear classifier sees means; trees see any way in which few columns together give a row away.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ectype.errors import UsageError
from ectype.measures.linear import auc
from ectype.measures.table import Flags, Rows

#: Trees sort a column into at most so many values; rarer names are taken together.
MOST_NAMES = 250


def two_sample_trees(real: Rows, generated: Rows, names: Flags, *, seed: int = 0) -> float:
    """How often trees rank a generated row as less real than a real one; 0.5 is guessing.

    Fitted to half of both, at equal numbers, and asked about the other half.
    """
    n = min(len(real), len(generated)) // 2 * 2
    random = np.random.default_rng(seed)
    first, second = (x[random.permutation(len(x))[:n]] for x in (real, generated))
    half = n // 2
    fit_x = np.concatenate([first[:half], second[:half]])
    new_x = np.concatenate([first[half:], second[half:]])
    target = np.repeat([1.0, 0.0], half)
    model = _trees("HistGradientBoostingClassifier", names, seed)
    frequent = _Frequent(fit_x, names)
    model.fit(frequent(fit_x), target)
    generated_looks, real_looks = np.split(model.predict_proba(frequent(new_x))[:, 1], [half])
    return auc(generated_looks, real_looks)


def usefulness(fit_to: Rows, held_out: Rows, names: Flags, target: int, *, seed: int = 0) -> float:
    """How well trees that are fitted to some rows predict a column of others.

    Of a name the area under the ROC curve, each name against the rest and weighted by how often
    it is; of a number the share of variance that is explained (R²).

    Raises:
        ValueError: the target is the same in all rows that can be used.
    """
    others = np.arange(fit_to.shape[1]) != target
    frequent = _Frequent(fit_to[:, others], names[others])
    fit_to = fit_to[~np.isnan(fit_to[:, target])]
    held_out = held_out[~np.isnan(held_out[:, target])]
    fit_x, new_x = frequent(fit_to[:, others]), frequent(held_out[:, others])
    fit_y, new_y = fit_to[:, target], held_out[:, target]
    if len(np.unique(new_y)) < 2 or len(np.unique(fit_y)) < 2:
        raise ValueError("the target never varies")
    if not names[target]:
        model = _trees("HistGradientBoostingRegressor", names[others], seed).fit(fit_x, fit_y)
        error = np.square(new_y - model.predict(new_x)).sum()
        return float(1 - error / np.square(new_y - new_y.mean()).sum())
    model = _trees("HistGradientBoostingClassifier", names[others], seed).fit(fit_x, fit_y)
    judged = model.predict_proba(new_x)
    found: list[tuple[float, float]] = []
    for position, name in enumerate(model.classes_):
        there = new_y == name
        if 0 < there.sum() < len(there):
            score = judged[:, position]
            found.append((auc(score[there], score[~there]), float(there.mean())))
    if not found:
        raise ValueError("no name of the target is in both sets")
    areas, weights = np.array(found).T
    return float(np.average(areas, weights=weights))


class _Frequent:
    """Brings names beyond the `MOST_NAMES` most frequent of some rows together."""

    def __init__(self, rows: Rows, names: Flags):
        self.names = names
        self.kept: dict[int, NDArray[np.float64]] = {}
        for position in np.flatnonzero(names):
            values = rows[:, position]
            found, counts = np.unique(values[~np.isnan(values)], return_counts=True)
            self.kept[int(position)] = np.sort(found[np.argsort(-counts)[:MOST_NAMES]])

    def __call__(self, rows: Rows) -> Rows:
        """The same rows with names as small whole numbers."""
        rows = rows.copy()
        for position, kept in self.kept.items():
            values = rows[:, position]
            place = np.searchsorted(kept, values).clip(max=max(len(kept) - 1, 0))
            same = kept[place] == values if len(kept) else np.zeros(len(values), bool)
            coded = np.where(same, place, len(kept)).astype(np.float64)
            rows[:, position] = np.where(np.isnan(values), np.nan, coded)
        return rows


def _trees(kind: str, names: Flags, seed: int) -> Any:
    try:
        ensemble = importlib.import_module("sklearn.ensemble")
    except ImportError:
        message = "boosted trees need the package scikit-learn, which is not installed"
        raise UsageError(message, hint="pip install 'ectype[table]'") from None
    return getattr(ensemble, kind)(categorical_features=names, random_state=seed)
