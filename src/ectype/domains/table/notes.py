"""What is said about a table, in plain sentences and in figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ectype.domains.table.columns import NAMES, Column

_WHAT_BECOMES = {
    "identifier": "made anew, never copied",
    "text": "left out: ectype does not write free text in tables",
    "constant": "given back as it is",
}


def kinds_notes(columns: Sequence[Column]) -> list[str]:
    """A sentence a column: its kind, the evidence, and what becomes of it."""
    notes = []
    for column in columns:
        said = f"“{column.name}” is {_article(column.kind)} {column.kind} ({column.evidence})"
        if column.kind in _WHAT_BECOMES:
            said += f": {_WHAT_BECOMES[column.kind]}"
        if column.missing is not None and column.modelled:
            said += "; it lacks some values"
        rare = len(column.values) - column.kept
        if column.kind in NAMES and rare and column.shares:
            said += f"; {rare:,} rare ones are drawn as often as they stand in the data"
        notes.append(f"{said}.")
    return notes


def label_note(label: str | None, wish: str) -> str:
    """What the label is."""
    if label is not None:
        return f"Samples can be asked for by “{label}”."
    return "" if wish == "none" else "No column is the label (--labels NAME makes one)."


def summary(columns: Sequence[Column], rows: int) -> dict[str, Any]:
    """Figures for `inspect --json`."""
    return {
        "rows": rows,
        "columns": [
            {
                "name": column.name,
                "kind": column.kind,
                "evidence": column.evidence,
                "missing": column.missing is not None,
                "values": len(column.values) or None,
            }
            for column in columns
        ],
    }


def _article(kind: str) -> str:
    return "an" if kind[0] in "ai" else "a"
