"""What a command says, as a page for people or as one JSON object for programs."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Table:
    """Rows under headings."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]

    def __str__(self) -> str:
        from rich.console import Console
        from rich.table import Table as RichTable

        table = RichTable(*self.headings, box=None, pad_edge=False, header_style="bold")
        for row in self.rows:
            table.add_row(*row)
        terminal = sys.stdout.isatty()
        file = io.StringIO()
        # A pipe has no width: 160 columns keep a row on one line for grep and friends.
        console = Console(
            file=file,
            force_terminal=terminal,
            width=None if terminal else 160,
            markup=False,
            emoji=False,
            highlight=False,
        )
        console.print(table)
        return "\n".join(line.rstrip() for line in file.getvalue().splitlines())


@dataclass(frozen=True)
class Answer:
    """What a command found or did: `values` for programs, `page` for people."""

    values: dict[str, Any]
    page: Sequence[str | Table]

    def show(self, *, as_json: bool) -> None:
        """Print it on standard output."""
        if as_json:
            _print_json(self.values)
        else:
            print(*self.page, sep="\n", flush=True)


def show_failure(
    *, code: str, message: str, where: str | None, hint: str | None, as_json: bool
) -> None:
    """Say what went wrong: on standard error, and as JSON on standard output if asked."""
    if as_json:
        _print_json({"error": {"code": code, "message": message, "where": where, "hint": hint}})
    place = f" ({where})" if where else ""
    advice = f"\n  → {hint}" if hint else ""
    print(f"ectype: {message}{place}{advice}", file=sys.stderr)


def _print_json(values: dict[str, Any]) -> None:
    print(json.dumps(values, ensure_ascii=False, default=str), flush=True)
