"""One code that judges every candidate's rows, beside the floor of real against real."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ectype.domains.base import PrepareOptions
from ectype.domains.table.domain import TableDomain, TableSettings, TableSpec
from ectype.domains.table.features import RowFeatures
from ectype.domains.table.reading import read_as
from ectype.domains.table.sources import open_table
from ectype.measures.copying import copying
from ectype.measures.neighbours import neighbourhoods
from ectype.measures.table import column_shapes, exact_copies, mean_trend, missing_error
from ectype.measures.trees import two_sample_trees, usefulness

#: Rows on each side of figures that compare every row with every other.
COMPARED = 5_000


class TableJudge:
    """Measures rows in a CSV file against held-out ones.

    Args:
        train: CSV file with the rows that candidates learned from.
        held_out: CSV file with rows that none has seen.
        target: column that is predicted from the others.
    """

    def __init__(self, train: Path, held_out: Path, target: str):
        domain, settings = TableDomain(), TableSettings(validation=0.0, test=0.0)
        dataset = domain.prepare(train, settings, PrepareOptions())
        assert isinstance(dataset.spec, TableSpec)
        self.spec = dataset.spec
        self.names = self.spec.names
        self.target = [column.name for column in self.spec.modelled].index(target)
        self.train = dataset.items[np.random.default_rng(0).permutation(len(dataset.items))]
        self.held_out = self.rows(held_out)
        self.extract = RowFeatures(self.spec.modelled)

    def rows(self, path: Path) -> np.ndarray:
        """Stored rows of a file; values that were never learned from are refused."""
        return read_as(open_table(path), self.spec.modelled)[0]

    def floor_row(self) -> dict[str, Any]:
        """Training rows in the samples' place; what they would say of copying is left out."""
        figures = self._figures(self.train)
        figures.update({"nearer to train": None, "exact copies": None})
        copies = exact_copies(self.held_out, self.train).mean()
        return {**figures, "exact copies": float(copies)}

    def row(self, generated: np.ndarray) -> dict[str, Any]:
        """The figures of generated stored rows."""
        return self._figures(generated)

    def columns(self, generated: np.ndarray) -> dict[str, float]:
        """The shape of each column by its name."""
        n = min(len(generated), len(self.held_out))
        scores = column_shapes(self.held_out[:n], generated[:n], self.names)
        return {c.name: float(s) for c, s in zip(self.spec.modelled, scores, strict=True)}

    def _figures(self, generated: np.ndarray) -> dict[str, Any]:
        n = min(len(generated), len(self.held_out))
        real, made = self.held_out[:n], generated[:n]
        compared = min(n, COMPARED)
        held_out, fake, seen = (self.extract(x[:compared]) for x in (real, made, self.train))
        near = neighbourhoods(held_out, fake)
        return {
            "shapes": float(column_shapes(real, made, self.names).mean()),
            "trends": mean_trend(real, made, self.names),
            "two-sample AUC": two_sample_trees(real, made, self.names),
            "train on it": usefulness(
                generated[: len(self.train)], self.held_out, self.names, self.target
            ),
            "density": near.density,
            "coverage": near.coverage,
            "missing error": missing_error(real, made),
            "nearer to train": copying(fake, seen, held_out)[1].value,
            "exact copies": float(exact_copies(generated, self.train).mean()),
        }
