"""Steps on the way from a table as it was read to a dataset."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence

import numpy as np

from ectype.config import nearest
from ectype.domains.base import Part, Reject
from ectype.domains.table.columns import NAMES, Column, cells, frequent
from ectype.domains.table.kinds import Found, Raw
from ectype.domains.table.rules import Rules
from ectype.domains.table.sources import Table
from ectype.errors import DataError, UsageError

#: A rule that more rows break is no rule of these data.
MOST_BROKEN = 0.5


def require(name: str, names: Sequence[str]) -> None:
    """See that there is a column of a name.

    Raises:
        UsageError: there is none; the hint names the nearest.
    """
    if name not in names:
        guess = nearest(name, names)
        hint = f"did you mean {guess}?" if guess else f"there are: {', '.join(names[:20])}"
        raise UsageError(f"there is no column “{name}”", hint=hint)


def label_of(wish: str, found: Sequence[Found], names: Sequence[str]) -> str | None:
    """The column that samples can be asked by; none unless it is named.

    Raises:
        UsageError: there is no such column, or it is no category.
        DataError: it lacks values.
    """
    if wish in ("auto", "none"):
        return None
    require(wish, names)
    column = next(f.column for f in found if f.column.name == wish)
    if column.kind not in NAMES:
        raise UsageError(
            f"the column “{wish}” is a {column.kind}: a label is a category",
            where=f"--labels {wish}",
            hint=f"--set data.columns.{wish}=category makes it one",
        )
    if column.missing is not None:
        raise DataError(
            f"the column “{wish}” lacks values, so it cannot be the label",
            hint="fill them in, or leave such rows out",
        )
    return wish


def guess_target(modelled: Sequence[Column]) -> str:
    """What evaluation predicts: a column whose name says so, else the last one."""
    for column in modelled:
        if column.name.lower() in ("target", "label", "class", "y", "outcome", "income", "price"):
            return column.name
    return modelled[-1].name


def keys(stored: np.ndarray) -> list[str]:
    """A hash of each row: rows that are alike in every value share a part."""
    plain = np.ascontiguousarray(np.where(np.isnan(stored), np.nan, stored + 0.0))
    return [hashlib.blake2b(row.tobytes(), digest_size=12).hexdigest() for row in plain]


def settled(
    found: Sequence[Found], stored: np.ndarray, train: np.ndarray, label: str | None = None
) -> tuple[list[Column], np.ndarray]:
    """Columns with the spread of their values in the training rows; stored rows to match.

    Every value of the label that a training row has is learned one by one, however rare.
    """
    stored = stored.copy()
    columns: list[Column] = []
    position = 0
    for f in found:
        if not f.column.modelled:
            columns.append(f.column)
            continue
        values = stored[:, position]
        seen = values[train]
        seen = seen[~np.isnan(seen)]
        if f.column.kind in NAMES:
            counts = np.bincount(seen.astype(np.int64), minlength=len(f.names))
            order, kept, shares = frequent(counts)
            if f.column.name == label:
                kept, shares = int((counts > 0).sum()), []
                order = order[:kept]
            place = np.full(len(f.names) + 1, np.nan)
            place[order] = np.arange(len(order))
            gone = np.isnan(values)
            stored[:, position] = place[np.where(gone, -1, values).astype(np.int64)]
            values = [f.names[i] for i in order.tolist()]
            columns.append(dataclasses.replace(f.column, values=values, kept=kept, shares=shares))
        else:
            there = values[~np.isnan(values)]
            seen = seen if len(seen) else there
            spread = cells(seen, f.column.form.get("decimals"))
            form = {**f.column.form, "bounds": [float(there.min()), float(there.max())]}
            columns.append(dataclasses.replace(f.column, form=form, **spread))
        position += 1
    return columns, stored


def with_all_labels(parts: dict[Part, np.ndarray], labels: np.ndarray) -> dict[Part, np.ndarray]:
    """The parts, with rows of labels that training lacks moved into it."""
    lacking = np.setdiff1d(labels, labels[parts["train"]])
    result = dict(parts)
    for part in ("validation", "test"):
        moved = np.isin(labels[result[part]], lacking)
        result["train"] = np.sort(np.concatenate([result["train"], result[part][moved]]))
        result[part] = result[part][~moved]
    return result


def without_broken(
    stored: np.ndarray, rules: Rules, unique: Sequence[Raw], table: Table
) -> tuple[np.ndarray, list[Reject]]:
    """The rows that keep all rules, as indices, and the others.

    Args:
        stored: rows (n, modelled columns).
        rules: what they should keep.
        unique: columns in which no value may stand twice.
        table: that they are of.

    Raises:
        DataError: more than half of them break a rule.
    """
    broken = rules.broken(stored)
    for raw in unique:
        _, first = np.unique(raw.codes, return_index=True)
        for row in np.setdiff1d(np.flatnonzero(raw.codes >= 0), first).tolist():
            value = raw.values[raw.codes[row]]
            broken.setdefault(row, f"“{value}” is in column “{raw.name}” before")
    lines = table.columns[0].lines
    rejects = [
        Reject(
            f"row {row:,}" if lines is None else f"line {lines[row]:,}",
            f"it breaks the rule {broken[row]}",
        )
        for row in sorted(broken)
    ]
    if len(rejects) > MOST_BROKEN * len(stored):
        raise DataError(
            f"{rejects[0].item}: {rejects[0].reason}, and so do {len(rejects):,} of "
            f"{len(stored):,} rows",
            where=table.where,
            hint="correct data.rules, or the data",
        )
    return np.setdiff1d(np.arange(len(stored)), [*broken]), rejects
