"""The feature space of rows: vectors in which a step is about as wide in every column."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import numpy as np

from ectype.domains.table.columns import NAMES, Column
from ectype.measures.features import Features, FeatureSpace

#: Of a category, the most frequent values that have a place of their own.
MOST_PLACES = 50


class RowFeatures:
    """Stored rows to vectors.

    A number is its share of the training rows (its rank in 0..1) times √12, so that its standard
    deviation is about 1 whatever its scale and its tails; missing is the middle, and a place of its
    own. Of names every frequent one has a place, 1/√2 where it holds, so that two different names
    are at distance 1; rare ones share a place.
    """

    def __init__(self, columns: Sequence[Column]):
        self.columns = columns

    def __call__(self, items: np.ndarray, /, *, device: str = "cpu") -> Features:
        """(n, columns) float64 to (n, d) float32."""
        del device
        parts = [
            self._names(column, values) if column.kind in NAMES else self._number(column, values)
            for column, values in zip(self.columns, np.asarray(items).T, strict=True)
        ]
        return np.concatenate(parts, 1, dtype=np.float32)

    @staticmethod
    def _number(column: Column, values: np.ndarray) -> np.ndarray:
        uppers = np.array(column.uppers)
        lowers = np.append(0.0, uppers[:-1])
        lows, highs = np.array(column.lows), np.array(column.highs)
        gap = np.isnan(values)
        filled = np.where(gap, lows[0], values)
        cell = np.searchsorted((highs[:-1] + lows[1:]) / 2, filled, side="right")
        width = highs[cell] - lows[cell]
        at = np.where(width > 0, (filled - lows[cell]) / np.where(width > 0, width, 1), 0.5)
        share = lowers[cell] + at.clip(0, 1) * (uppers[cell] - lowers[cell])
        place = np.where(gap, 0.0, (share - 0.5) * np.sqrt(12))
        return np.stack([place, gap], 1) if column.missing is not None else place[:, None]

    @staticmethod
    def _names(column: Column, values: np.ndarray) -> np.ndarray:
        kept = min(column.kept, MOST_PLACES)
        position = np.where(np.isnan(values), kept + 1, np.minimum(values, kept)).astype(np.int64)
        hot = np.zeros((len(values), kept + 2), np.float32)
        hot[np.arange(len(values)), position] = np.sqrt(0.5)
        return hot


def row_space(columns: Sequence[Column]) -> FeatureSpace:
    """The space `rows` of a table; its name tells tables apart that are learned from other data."""
    shape = json.dumps([[c.name, c.kind, c.uppers, c.kept] for c in columns])
    digest = hashlib.sha256(shape.encode()).hexdigest()[:6]
    return FeatureSpace(name=f"rows@{digest}", dim=None, extract=RowFeatures(columns))
