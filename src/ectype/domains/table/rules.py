"""What always holds in a table: rules that a user gives, and that every generated row keeps.

Rows of the data that break a rule are left out and named. Generated rows break them rarely, since
the model has seen none that does; where one does, as little of it is changed as the rule asks.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from ectype.config import nearest
from ectype.domains.table.columns import NUMBERS, Column
from ectype.errors import UsageError

HINT = "rules look so: a <= b; a + b = c; positive: a; unique: a; fixed: a, b"
#: One rule may undo another: so often all are applied again before a row is given up.
_ROUNDS = 10


class Rule(ABC):
    """One thing that holds.

    Args:
        text: as the user wrote it.
        at: positions of its columns among the modelled ones.
        columns: these columns.
    """

    def __init__(self, text: str, at: Sequence[int], columns: Sequence[Column]):
        self.text, self.at, self.columns = text, list(at), list(columns)

    @abstractmethod
    def holds(self, rows: np.ndarray) -> np.ndarray:
        """Of stored rows (n, all modelled columns) whether they keep it, bool (n,)."""

    @abstractmethod
    def mend(self, rows: np.ndarray) -> None:
        """Change stored rows in place so that they keep it."""

    def learn(self, rows: np.ndarray) -> dict[str, Any]:
        """What must be remembered of the data to mend rows, as plain values."""
        del rows
        return {}

    def size(self, rows: np.ndarray, index: int) -> np.ndarray:
        """Values of one of its columns in a unit that they share: dates in seconds."""
        return rows[:, self.at[index]] * self.columns[index].form.get("step", 1)


class AtMost(Rule):
    """The first column is at most the second; a missing value breaks nothing."""

    def holds(self, rows: np.ndarray) -> np.ndarray:
        """See `Rule.holds`."""
        return ~(self.size(rows, 0) > self.size(rows, 1))

    def mend(self, rows: np.ndarray) -> None:
        """The second is raised to the first."""
        broken = ~self.holds(rows)
        step = self.columns[1].form.get("step", 1)
        raised = self.size(rows[broken], 0) / step
        digits = 10.0 ** (self.columns[1].form.get("decimals") or 0)
        exact = self.columns[1].form.get("decimals") is None
        up = raised if exact else np.ceil(np.round(raised * digits, 6)) / digits
        rows[broken, self.at[1]] = up


class Sum(Rule):
    """The last column is the sum of the others, to half of its last digit."""

    def holds(self, rows: np.ndarray) -> np.ndarray:
        """See `Rule.holds`."""
        total, last = self._total(rows), rows[:, self.at[-1]]
        decimals = self.columns[-1].form.get("decimals")
        least = 1e-9 * np.abs(total) if decimals is None else 0.5 * 10.0**-decimals + 1e-9
        return ~(np.abs(total - last) > least)

    def mend(self, rows: np.ndarray) -> None:
        """The sum is computed anew, except where it or a summand is missing."""
        total, last = self._total(rows), rows[:, self.at[-1]]
        there = ~(np.isnan(total) | np.isnan(last))
        decimals = self.columns[-1].form.get("decimals")
        total = total if decimals is None else np.round(total, decimals)
        rows[there, self.at[-1]] = total[there]

    def _total(self, rows: np.ndarray) -> np.ndarray:
        return rows[:, self.at[:-1]].sum(1)


class Positive(Rule):
    """A column is more than 0."""

    def holds(self, rows: np.ndarray) -> np.ndarray:
        """See `Rule.holds`."""
        return ~(rows[:, self.at[0]] <= 0)

    def mend(self, rows: np.ndarray) -> None:
        """What is not becomes the least value of the data."""
        rows[~self.holds(rows), self.at[0]] = self.columns[0].form["bounds"][0]


class Fixed(Rule):
    """Columns whose values only go together as they do in the data."""

    def __init__(
        self,
        text: str,
        at: Sequence[int],
        columns: Sequence[Column],
        known: Sequence[Sequence[float | None]] = (),
    ):
        super().__init__(text, at, columns)
        values = [[np.nan if v is None else v for v in row] for row in known]
        self._known = np.array(values, dtype=np.float64).reshape(-1, len(self.at))
        self._codes = {row.tobytes() for row in _plain(self._known)}
        self._best: dict[bytes, int] = {}
        for width in range(len(self.at), 0, -1):
            for index, row in enumerate(_plain(self._known[:, :width])):
                self._best.setdefault(row.tobytes(), index)

    def holds(self, rows: np.ndarray) -> np.ndarray:
        """See `Rule.holds`; in the data itself everything goes together."""
        if not len(self._known):
            return np.ones(len(rows), bool)
        seen = [row.tobytes() in self._codes for row in _plain(rows[:, self.at])]
        return np.array(seen, dtype=bool)

    def learn(self, rows: np.ndarray) -> dict[str, Any]:
        """All combinations, the most frequent first."""
        found, counts = np.unique(
            np.where(np.isnan(rows[:, self.at]), np.inf, rows[:, self.at]),
            axis=0,
            return_counts=True,
        )
        order = np.argsort(-counts, kind="stable")
        return {
            "known": [[None if np.isinf(v) else v for v in row] for row in found[order].tolist()]
        }

    def mend(self, rows: np.ndarray) -> None:
        """The first columns stay, as many as go together; the rest is what most often goes so."""
        for index in np.flatnonzero(~self.holds(rows)).tolist():
            row = rows[index, self.at]
            for width in range(len(self.at) - 1, 0, -1):
                best = self._best.get(_plain(row[None, :width])[0].tobytes())
                if best is not None:
                    break
            else:
                best = 0
            rows[index, self.at] = self._known[best]


_KINDS: dict[str, Callable[..., Rule]] = {
    "at_most": AtMost,
    "sum": Sum,
    "positive": Positive,
    "fixed": Fixed,
}


class Rules:
    """All rules of a table.

    Args:
        plain: each as `{"kind", "text", "columns"}` and what it has learned; plain JSON.
        columns: the modelled columns.
    """

    def __init__(self, plain: Sequence[dict[str, Any]], columns: Sequence[Column]):
        self.plain = plain
        names = [column.name for column in columns]
        self.rules: list[Rule] = []
        for rule in plain:
            at = [names.index(name) for name in rule["columns"]]
            more = {k: v for k, v in rule.items() if k not in ("kind", "text", "columns")}
            made = _KINDS[rule["kind"]](rule["text"], at, [columns[i] for i in at], **more)
            self.rules.append(made)

    def valid(self, rows: np.ndarray) -> np.ndarray:
        """Of stored rows (n, columns) whether they keep every rule, bool (n,)."""
        return np.all([rule.holds(rows) for rule in self.rules], axis=0)

    def broken(self, rows: np.ndarray) -> dict[int, str]:
        """The rows that break a rule, with the first that they break."""
        found: dict[int, str] = {}
        for rule in self.rules:
            for row in np.flatnonzero(~rule.holds(rows)).tolist():
                found.setdefault(row, rule.text)
        return found

    def kept(self, rows: np.ndarray) -> np.ndarray:
        """The same rows, changed where they break a rule.

        Where rules undo each other without end, a row becomes that of another index.
        """
        rows = rows.copy()
        broken = np.arange(len(rows))
        for _ in range(_ROUNDS):
            part = rows[broken]
            for rule in self.rules:
                rule.mend(part)
            rows[broken] = part
            broken = broken[~self.valid(part)]
            if not len(broken):
                return rows
        good = np.flatnonzero(self.valid(rows))
        if len(good):
            rows[broken] = rows[good[broken % len(good)]]
        return rows

    def learned(self, rows: np.ndarray) -> list[dict[str, Any]]:
        """The rules as plain values, with what they learn of stored rows."""
        pairs = zip(self.plain, self.rules, strict=True)
        return [{**plain, **rule.learn(rows)} for plain, rule in pairs]


def parse(text: str | None, names: Sequence[str]) -> tuple[list[dict[str, Any]], list[str]]:
    """What a user's text says: rules as plain values, and columns whose values are unique.

    >>> parse("a <= b; unique: id", ["a", "b", "id"])
    ([{'kind': 'at_most', 'text': 'a <= b', 'columns': ['a', 'b']}], ['id'])

    Raises:
        UsageError: a rule is no rule, or names a column that does not exist.
    """
    found: list[dict[str, Any]] = []
    unique: list[str] = []
    for part in (p.strip() for p in (text or "").split(";")):
        if not part:
            continue
        word, colon, rest = part.partition(":")
        given = [name.strip() for name in rest.split(",")]
        if colon and word.strip() in ("unique", "positive", "fixed") and rest.strip():
            kind, columns = word.strip(), given
        elif "<=" in part or "≤" in part:
            kind, columns = "at_most", [name.strip() for name in re.split("<=|≤", part)]
        elif "=" in part:
            left, _, right = part.partition("=")
            sides = sorted((left, right), key=lambda side: "+" not in side)
            kind = "sum"
            columns = [n.strip() for n in sides[0].split("+")] + [sides[1].strip()]
        else:
            raise UsageError(f"“{part}” is no rule", where="data.rules", hint=HINT)
        for name in columns:
            _require(name, names, part)
        if kind == "unique":
            unique += columns
        elif kind == "positive":
            found += [{"kind": kind, "text": part, "columns": [name]} for name in columns]
        elif kind == "at_most":
            pairs = pairwise(columns)
            found += [{"kind": kind, "text": part, "columns": [*pair]} for pair in pairs]
        else:
            found.append({"kind": kind, "text": part, "columns": columns})
    return found, unique


def check_kinds(rules: Sequence[dict[str, Any]], columns: Sequence[Column]) -> None:
    """See that rules speak of columns that they can be kept in.

    Raises:
        UsageError: one does not.
    """
    kinds = {column.name: column.kind for column in columns}
    modelled = {column.name for column in columns if column.modelled}
    for rule in rules:
        for name in rule["columns"]:
            ordered = rule["kind"] == "fixed" or kinds[name] in NUMBERS
            if name not in modelled or not ordered:
                raise UsageError(
                    f"“{rule['text']}” cannot be kept: “{name}” is of the kind {kinds[name]}",
                    where="data.rules",
                    hint=f"if that is wrong: --set data.columns.{name}=number",
                )


def _require(name: str, names: Sequence[str], rule: str) -> None:
    if name not in names:
        guess = nearest(name, names)
        hint = f"did you mean {guess}?" if guess else HINT
        raise UsageError(f"“{rule}”: there is no column “{name}”", where="data.rules", hint=hint)


def _plain(rows: np.ndarray) -> np.ndarray:
    """Rows whose equal values have equal bytes."""
    return np.ascontiguousarray(np.where(np.isnan(rows), np.nan, rows + 0.0))
