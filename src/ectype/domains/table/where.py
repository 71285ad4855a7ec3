"""Conditions on the rows that are generated: "income=>50K,age>=60"."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np

from ectype.config import nearest
from ectype.domains.base import Conditions
from ectype.domains.table.columns import NAMES, Column
from ectype.domains.table.forms import dates, is_missing, numbers
from ectype.errors import UsageError

Test = Callable[[np.ndarray], np.ndarray]
_COMPARE: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
    "<=": np.less_equal,
    ">=": np.greater_equal,
    "!=": np.not_equal,
    "=": np.equal,
    "<": np.less,
    ">": np.greater,
}
_HINT = "for instance age>=60,income=>50K"


def conditions(text: str, columns: Sequence[Column], label: int | None) -> Conditions:
    """What a text asks of rows. Conditions stand between commas, and all must be met.

    Of a number or a date =, !=, <, <=, > and >=, of a name = and !=; “missing” stands for a
    missing value. A value may hold commas and signs: a condition begins with a column's name.

    Args:
        text: the conditions.
        columns: the modelled ones.
        label: which of them the model can be asked for.

    Raises:
        UsageError: there is no such column, or a value that it cannot have.
    """
    names = sorted((re.escape(column.name) for column in columns), key=len, reverse=True)
    sign = "|".join(re.escape(operator) for operator in _COMPARE)
    begins = [*re.finditer(rf"(?:^|,)\s*({'|'.join(names)})\s*({sign})", text)]
    if not begins or text[: begins[0].start()].strip():
        word = re.split(sign, text)[0].strip(" ,")
        guess = nearest(word, [column.name for column in columns])
        hint = f"did you mean {guess}?" if guess else _HINT
        message = f"“{text}” does not begin with a column's name and a comparison"
        raise UsageError(message, where="--where", hint=hint)
    by_name = {column.name: position for position, column in enumerate(columns)}
    tests: list[Test] = []
    asked: str | None = None
    ends = [match.start() for match in begins[1:]] + [len(text)]
    for match, end in zip(begins, ends, strict=True):
        position, operator = by_name[match[1]], match[2]
        value = text[match.end() : end].strip()
        if position == label and operator == "=":
            _position(columns[position], value)
            asked = value
            continue
        tests.append(_test(position, columns[position], operator, value))
    return Conditions(asked, lambda rows: _all(tests, rows))


def _all(tests: Sequence[Test], rows: np.ndarray) -> np.ndarray:
    met = np.ones(len(rows), bool)
    for test in tests:
        met &= test(rows)
    return met


def _test(position: int, column: Column, operator: str, value: str) -> Test:
    if column.missing is not None and operator in ("=", "!=") and is_missing(value):
        wanted = operator == "="
        return lambda rows: np.isnan(rows[:, position]) == wanted
    if column.kind in NAMES:
        if operator not in ("=", "!="):
            raise UsageError(
                f"“{column.name}” is a {column.kind}: its values have no order",
                where=f"--where {column.name}{operator}{value}",
                hint="compare it by = or !=",
            )
        wish = float(_position(column, value))
    else:
        wish = _number(column, value)
    compare = _COMPARE[operator]

    def test(rows: np.ndarray) -> np.ndarray:
        values = rows[:, position]
        return compare(values, wish) & ~np.isnan(values)

    return test


def _position(column: Column, value: str) -> int:
    known = [str(name) for name in column.values]
    if value not in known:
        guess = nearest(value, known)
        hint = f"did you mean {guess}?" if guess else f"there are: {', '.join(known[:20])}"
        raise UsageError(
            f"“{column.name}” is never “{value}”", where=f"--where {column.name}", hint=hint
        )
    return known.index(value)


def _number(column: Column, value: str) -> float:
    if column.kind == "date":
        found = dates([value], column.form["format"])
        if found is not None and np.isfinite(found[0]).all():
            return float(found[0][0] * found[1]["step"] / column.form["step"])
    else:
        parsed, _ = numbers([value], known=column.form)
        if np.isfinite(parsed).all():
            return float(parsed[0])
    raise UsageError(
        f"“{value}” is no {column.kind}",
        where=f"--where {column.name}",
        hint="write it as it stands in the data",
    )
