"""The figures that rows of a table have beside those in a feature space."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ectype.domains.base import Chosen
from ectype.domains.table.features import RowFeatures
from ectype.measures.measure import Better, Measure
from ectype.measures.privacy import closest, membership
from ectype.measures.support import alpha_precision, beta_recall
from ectype.measures.table import (
    column_shapes,
    exact_copies,
    mean_trend,
    missing_error,
)
from ectype.measures.trees import two_sample_trees, usefulness

if TYPE_CHECKING:
    from ectype.domains.table.domain import TableSpec

#: Rows on each side for figures that compare every row with every other.
MOST_COMPARED = 5_000
#: Training rows that trees are fitted to.
MOST_FITTED = 50_000
NO_GUARANTEE = "an alarm, not a guarantee of privacy"


def row_measures(
    generated: np.ndarray, reference: Chosen, train: Chosen | None, spec: TableSpec
) -> dict[str, Measure]:
    """All of them by name; floors, usefulness and copying need training rows.

    Args:
        generated: stored rows.
        reference: held-out rows.
        train: training rows, or None where they are not at hand.
        spec: of the table.
    """
    real, seen = np.asarray(reference), None if train is None else np.asarray(train)
    n = min(len(real), len(generated), len(real) if seen is None else len(seen))
    judging = _Judging(generated, real, seen, n, spec)
    return {**judging.likeness(), **judging.use(), **judging.copying()}


class _Judging:
    def __init__(
        self,
        generated: np.ndarray,
        real: np.ndarray,
        train: np.ndarray | None,
        n: int,
        spec: TableSpec,
    ):
        self.generated, self.real, self.train = generated, real, train
        self.n, self.spec, self.names = n, spec, spec.names

    def likeness(self) -> dict[str, Measure]:
        """How alike the rows are, by column, by pair, as a whole."""
        names = self.names
        found = {
            "column_shapes": self._against_real(
                lambda a, b: float(column_shapes(a, b, names).mean()), "higher"
            ),
        }
        if len(names) > 1:
            found["pair_trends"] = self._against_real(
                lambda a, b: mean_trend(a, b, names), "higher"
            )
        found["two_sample_auc"] = self._against_real(
            lambda a, b: two_sample_trees(a, b, names), "0.5", "boosted trees"
        )
        if np.isnan(self.real).any() or np.isnan(self.generated).any():
            found["missing_error"] = self._against_real(missing_error, "lower")
        extract, most = RowFeatures(self.spec.modelled), min(self.n, MOST_COMPARED)
        for name, figure in (("alpha_precision", alpha_precision), ("beta_recall", beta_recall)):
            found[name] = self._against_real(
                lambda a, b, figure=figure: figure(extract(a[:most]), extract(b[:most])), "higher"
            )
        if self.spec.keeping is not None:
            valid = self.spec.keeping.valid(self.generated).mean()
            found["rule_validity"] = Measure(
                value=float(valid), better="higher", n=len(self.generated), floor=1.0
            )
        return found

    def use(self) -> dict[str, Measure]:
        """How well a model fitted to generated rows predicts real ones; the floor is real rows."""
        names = [column.name for column in self.spec.modelled]
        if self.train is None or self.spec.target not in names or len(names) < 2:
            return {}
        target = names.index(self.spec.target)
        most = min(len(self.train), len(self.generated), MOST_FITTED)
        kind = "area under the ROC curve" if self.names[target] else "share of variance explained"
        try:
            value, floor = (
                usefulness(rows[:most], self.real, self.names, target)
                for rows in (self.generated, self.train)
            )
        except ValueError:  # the target does not vary in what there is
            return {}
        note = f"of predicting “{self.spec.target}” ({kind}), fitted to {most:,} rows"
        return {
            "train_on_synthetic": Measure(
                value=value, better="higher", n=most, floor=floor, features="trees", note=note
            )
        }

    def copying(self) -> dict[str, Measure]:
        """Whether rows are those of the training data, or give away which rows these are."""
        if self.train is None:
            return {}
        copies = exact_copies(self.generated, self.train)
        floor = exact_copies(self.real, self.train)
        most = min(self.n, MOST_COMPARED)
        extract = RowFeatures(self.spec.modelled)
        made, real, seen = (extract(x[:most]) for x in (self.generated, self.real, self.train))
        return {
            "exact_copies": Measure(
                value=float(copies.mean()),
                better="lower",
                n=len(copies),
                floor=float(floor.mean()),
                note=f"of {len(self.train):,} training rows, in every column",
            ),
            "closest_record": Measure(
                value=closest(made, seen),
                better="higher",
                n=most,
                floor=closest(real, seen),
                note=f"median distance to the closest training row; {NO_GUARANTEE}",
            ),
            "membership_auc": Measure(
                value=membership(made, seen, real),
                better="0.5",
                n=most,
                floor=0.5,
                note=f"who was learned from, guessed by the closest sample; {NO_GUARANTEE}",
            ),
        }

    def _against_real(
        self,
        figure: Callable[[np.ndarray, np.ndarray], float],
        better: Better,
        features: str | None = None,
    ) -> Measure:
        """A figure of real against generated rows; its floor of real against training rows."""
        n, real = self.n, self.real[: self.n]
        floor = None if self.train is None else figure(real, self.train[:n])
        value = figure(real, self.generated[:n])
        return Measure(value=value, better=better, n=n, floor=floor, features=features)
