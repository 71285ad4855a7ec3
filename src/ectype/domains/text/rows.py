"""Rows of JSON lines and of tables, as texts are taken from their columns."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any

from ectype.domains.text.lines import Fault, encoding_of, lines_of, with_line_feeds
from ectype.errors import DataError, UsageError

JSON_LINES = frozenset((".jsonl", ".ndjson"))
_CSV = frozenset((".csv", ".tsv"))
_PARQUET = frozenset((".parquet", ".pq"))
TABLES = _CSV | _PARQUET
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
#: Records that the separator is found out from.
_LOOKED_AT = 200
#: A line, or what stands in quotes that begin and end with one.
_VALUE = re.compile(r'(?:"((?:[^"]++|"")*+)"|([^\n]*))(?:\n|\Z)')


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Each row with its place, or the reason why it cannot be read; and what is to be said."""

    read: list[tuple[str, dict[str, Any] | str]]
    notes: list[str] = field(default_factory=list)


def read_rows(path: Path) -> Rows:
    """The rows of a file.

    Raises:
        UsageError: a package is missing.
        DataError: the file is damaged.
    """
    suffix = path.suffix.lower()
    if suffix in JSON_LINES:
        return Rows(read=[*_json_rows(path)])
    return _csv_rows(path) if suffix in _CSV else Rows(read=[*_parquet_rows(path)])


def _json_rows(path: Path) -> Iterator[tuple[str, dict[str, Any] | str]]:
    for number, line in enumerate(lines_of(path.read_bytes()), 1):
        place = f"{path.name}, line {number}"
        if isinstance(line, Fault):
            yield place, line.reason
        elif line.strip():
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                yield place, "it is no JSON"
            else:
                yield place, row if isinstance(row, dict) else {"text": row}


def _csv_rows(path: Path) -> Rows:
    content = path.read_bytes()
    encoding = encoding_of(content)
    try:
        text = with_line_feeds(content.decode(encoding))
    except UnicodeDecodeError as error:
        hint = "bring the file to UTF-8, with iconv for one"
        message = f"it is no {encoding.removesuffix('-sig').upper()}: byte {error.start:,}"
        raise DataError(message, where=str(path), hint=hint) from None
    separator = _separator(text)
    if separator is None:
        return _one_column(text, path)
    header, *records = _records(text, separator)
    names = [name.strip() for name in header]
    named = _SEPARATORS[separator]
    surplus = f"fields of {len(names)}: a text that holds {named} must stand in quotes"
    read: list[tuple[str, dict[str, Any] | str]] = []
    for number, record in enumerate(records, 2):
        fits = len(record) <= len(names)
        row = dict(zip_longest(names, record)) if fits else f"it has {len(record)} {surplus}"
        read.append((f"{path.name}, row {number}", row))
    return Rows(read=read, notes=[] if separator == "," else [f"Fields are separated by {named}."])


def _records(text: str, separator: str) -> Iterator[list[str]]:
    csv.field_size_limit(2**31 - 1)
    return filter(None, csv.reader(io.StringIO(text, newline=""), delimiter=separator))


def _separator(text: str) -> str | None:
    """What parts most records into as many fields as the header; None where it has but one."""

    def agreement(separator: str) -> tuple[float, int]:
        widths = [len(record) for record in islice(_records(text, separator), _LOOKED_AT)]
        header = widths[0] if widths else 1
        return (widths.count(header) / len(widths) if header > 1 else 0.0), header

    best = max(_SEPARATORS, key=agreement)
    return best if agreement(best)[1] > 1 else None


def _one_column(text: str, path: Path) -> Rows:
    """A column alone is most likely lines of text: separators in them are part of it."""
    values: list[tuple[int, str]] = []
    line = 1
    for match in _VALUE.finditer(text):
        quoted, whole = match.groups()
        value = whole if quoted is None else quoted.replace('""', '"')
        if value.strip():
            values.append((line, value))
        line += match[0].count("\n")
    (_, name), *rest = values or [(1, "text")]
    return Rows(
        read=[(f"{path.name}, line {number}", {name.strip(): value}) for number, value in rest],
        notes=["Line 1 names one column: each line is a text, whatever separators it holds."],
    )


def _parquet_rows(path: Path) -> Iterator[tuple[str, dict[str, Any] | str]]:
    try:
        from pyarrow import ArrowInvalid, parquet
    except ImportError:
        message = "Parquet files need the package pyarrow, which is not installed"
        raise UsageError(message, where=str(path), hint="pip install 'ectype[table]'") from None
    try:
        rows = parquet.read_table(path).to_pylist()
    except ArrowInvalid as error:
        raise DataError(f"it is no Parquet file: {error}", where=str(path)) from None
    for number, row in enumerate(rows, 1):
        yield f"{path.name}, row {number}", row
