"""Further rows for a run: a table read in the form that the run knows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ectype.domains.base import Reject
from ectype.domains.table.columns import NAMES, Column
from ectype.domains.table.kinds import find
from ectype.domains.table.sources import Table
from ectype.errors import DataError


def read_as(table: Table, columns: Sequence[Column]) -> tuple[np.ndarray, list[Reject]]:
    """Rows as stored rows (n, columns), and those that hold what the run does not know.

    Raises:
        DataError: a column is missing or of another kind, or no row is left.
    """
    raws = {raw.name: raw for raw in table.columns}
    lacking = [column.name for column in columns if column.name not in raws]
    if lacking:
        raise DataError(
            f"the table lacks {len(lacking)} of the run's columns, “{lacking[0]}” among them",
            where=table.where,
            hint="give a table with the columns that the run was made with",
        )
    stored = np.full((table.rows, len(columns)), np.nan)
    unknown: dict[int, str] = {}
    for position, column in enumerate(columns):
        raw = raws[column.name]
        found = find(raw, column.kind, column.form)
        values = found.stored
        if found.column.kind == "constant":  # no row has a value
            values = np.full(table.rows, np.nan)
        elif column.kind in NAMES:
            known = {str(value): place for place, value in enumerate(column.values)}
            places = np.array([known.get(str(name), -1) for name in found.names] + [np.nan])
            values = places[np.where(np.isnan(values), -1, values).astype(np.int64)]
            for row in np.flatnonzero(values == -1).tolist():
                value = raw.values[raw.codes[row]]
                unknown.setdefault(row, f"column “{column.name}”: “{value}” is not known")
        elif column.kind == "date" and found.column.form.get("step") != column.form["step"]:
            values = np.round(values * found.column.form["step"] / column.form["step"])
        if column.missing is None:
            for row in np.flatnonzero(np.isnan(values)).tolist():
                unknown.setdefault(row, f"column “{column.name}” lacks a value, which none did")
        stored[:, position] = values
    kept = np.setdiff1d(np.arange(table.rows), [*unknown])
    rejects = [*table.rejects, *_rejects(table, unknown)]
    if not len(kept):
        reason = f"; {rejects[0].item}: {rejects[0].reason}" if rejects else ""
        raise DataError(f"no row can be used{reason}", where=table.where)
    return stored[kept], rejects


def _rejects(table: Table, unknown: dict[int, str]) -> list[Reject]:
    lines = table.columns[0].lines
    rows = sorted(unknown)
    places = [f"line {lines[row]:,}" if lines is not None else f"row {row:,}" for row in rows]
    return [Reject(place, unknown[row]) for place, row in zip(places, rows, strict=True)]
