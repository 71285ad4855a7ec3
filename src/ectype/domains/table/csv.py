"""Reading CSV: encoding, separator, quotes and header are found out, and lines are counted.

The whole file is read with the `csv` module, a record at a time, so that every complaint can name
the line and the column. Equal texts are kept once.
"""

from __future__ import annotations

import bz2
import codecs
import csv
import gzip
import io
import lzma
import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ectype.domains.base import Reject
from ectype.errors import DataError

SEPARATORS = ",;\t|"
#: Records that separator, quotes and header are found out from.
LOOKED_AT = 200
#: Lines with too few or too many fields are left out; of more than this share, nothing is right.
MOST_RAGGED = 0.01
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
#: Encodings that a file shows by itself; any other has been named.
FOUND_OUT = ("utf-8", *(codec for _, codec in _BOMS), "cp1252")
_YEAR = re.compile(r"(1[5-9]|2[01])\d\d")
_COMPRESSIONS = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7z": lzma.open}
csv.field_size_limit(2**30)


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """How a CSV file is written; samples are written the same way.

    Attributes:
        encoding: a Python codec; with -sig, or utf-16, a byte order mark leads.
        separator: between fields.
        quote: around fields that hold a separator, a quote or a line break.
        escape: before a quote within quotes; None where it is doubled.
        header: whether the first record names the columns.
        newline: at the end of a record.
    """

    encoding: str
    separator: str
    quote: str
    escape: str | None
    header: bool
    newline: str

    def reader(self, lines: Iterator[str]) -> Any:
        """A `csv.reader` of it."""
        return csv.reader(
            lines,
            delimiter=self.separator,
            quotechar=self.quote,
            escapechar=self.escape,
            doublequote=self.escape is None,
            skipinitialspace=self.separator != "\t",
        )


@dataclass(frozen=True, kw_only=True)
class Records:
    """What a CSV file holds.

    Attributes:
        names: of the columns.
        codes: of each column an index into its texts, int32, all of one length.
        texts: of each column the different texts, in the order in which they first stand.
        lines: line in which each record begins, 1 being the first of the file.
        dialect: how it is written.
        rejects: records that were left out.
        notes: what was found out, a sentence each.
    """

    names: list[str]
    codes: list[np.ndarray]
    texts: list[list[str]]
    lines: list[int]
    dialect: Dialect
    rejects: list[Reject] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_csv(path: Path, encoding: str | None = None) -> Records:
    """Read a CSV file, plain or compressed by gzip, bzip2 or xz.

    Args:
        path: the file.
        encoding: a Python codec; None to find it out.

    Raises:
        DataError: it is no table; the message names the line, and the column where it can.
    """
    content = _content(path)
    text, codec, notes = _decoded(content, encoding, path)
    del content
    if not text.strip("\r\n\t ,;|"):
        raise DataError("the file is empty: line 1 should name the columns", where=str(path))
    dialect, more = _dialect(text, codec)
    return _records(text, dialect, path, [*notes, *more])


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        head = file.read(6)
    opener = next((o for magic, o in _COMPRESSIONS.items() if head.startswith(magic)), None)
    try:
        if opener is None:
            return path.read_bytes()
        with opener(path) as file:
            return file.read()
    except (OSError, EOFError, lzma.LZMAError) as error:
        message = f"the file cannot be decompressed: {error}"
        raise DataError(message, where=str(path), hint="compress it again") from error


def _decoded(content: bytes, encoding: str | None, path: Path) -> tuple[str, str, list[str]]:
    """The text, its codec, and what is to be said of it."""
    mark = next((codec for bom, codec in _BOMS if content.startswith(bom)), None)
    codec = encoding or mark or "utf-8"
    try:
        text = content.decode(codec)
        if "\0" in text:
            line = text[: text.index("\0")].count("\n") + 1
            raise DataError(
                f"line {line} holds a zero byte: this is no text, or UTF-16 without its mark",
                where=str(path),
                hint="name its encoding, for instance --set data.encoding=utf-16-le",
            )
        return text, codec, [f"Written in {codec}."] if codec != "utf-8" else []
    except LookupError:
        raise DataError(
            f"there is no encoding “{codec}”", where="data.encoding", hint="for instance cp1252"
        ) from None
    except UnicodeDecodeError as error:
        place, byte = _place(content, error.start), content[error.start]
        if encoding or mark or codec != "utf-8":
            raise DataError(
                f"{place}: the byte 0x{byte:02x} is no {codec}",
                where=str(path),
                hint="name the right encoding, for instance --set data.encoding=cp1252",
            ) from None
        try:
            text = content.decode("cp1252")
        except UnicodeDecodeError:
            raise DataError(
                f"{place}: the byte 0x{byte:02x} is neither UTF-8 nor Windows-1252",
                where=str(path),
                hint="name the encoding, for instance --set data.encoding=shift_jis",
            ) from None
        said = f"{place}: 0x{byte:02x} is no UTF-8, so the file is read as Windows-1252 (cp1252)."
        return text, "cp1252", [said]


def _place(content: bytes, at: int) -> str:
    """Line and field of a byte, roughly: quotes are not looked at."""
    before = content[:at]
    start = before.rfind(b"\n") + 1
    counts = {s: content[: content.find(b"\n") + 1].count(s.encode()) for s in SEPARATORS}
    separator = max(counts, key=lambda s: counts[s]).encode()
    column = before[start:].count(separator) + 1
    return f"line {before.count(10) + 1:,}, column {column}"


def _dialect(text: str, codec: str) -> tuple[Dialect, list[str]]:
    """Separator, quotes and newline, from the first records."""
    newline = "\r\n" if "\r\n" in text[:100_000] else ("\n" if "\n" in text else "\r")
    head = text[:1_000_000]
    escape = "\\" if '\\"' in head and '""' not in head.replace('\\"', "") else None
    single = head.count("'") > 2 * head.count('"') and _quoted_by(head, "'")
    single = single and not _quoted_by(head, '"')  # these may hold lists, as in "['a', 'b']"
    quote = "'" if single else '"'
    best, best_score = ",", (-1.0, 0)
    for separator in SEPARATORS:
        trial = Dialect(
            encoding=codec,
            separator=separator,
            quote=quote,
            escape=escape,
            header=True,
            newline=newline,
        )
        widths = [
            len(record) for _, record in zip(range(LOOKED_AT), _rows(trial, head), strict=False)
        ]
        if len(head) < len(text) and len(widths) > 1:
            widths = widths[:-1]  # the last may be cut
        usual = max(set(widths), key=widths.count)
        score = (widths.count(usual) / len(widths) if usual > 1 else 0.0, usual)
        if score > best_score:
            best, best_score = separator, score
    notes = [] if best == "," else [f"Fields are separated by {_named(best)}."]
    found = Dialect(
        encoding=codec, separator=best, quote=quote, escape=escape, header=True, newline=newline
    )
    records = [record for _, record in zip(range(LOOKED_AT), _rows(found, head), strict=False)]
    if any(_is_number(name) for name in records[0]) and not _names_years(records):
        notes.append("Line 1 holds numbers, so it is no header: columns go by their position.")
        found = Dialect(**{**found.__dict__, "header": False})
    return found, notes


def _rows(dialect: Dialect, text: str) -> Iterator[list[str]]:
    """Records that are not empty, as long as they can be read."""
    try:
        for record in dialect.reader(iter(io.StringIO(text, newline=""))):
            if record:
                yield record
    except csv.Error:
        return


def _quoted_by(head: str, quote: str) -> bool:
    """Whether fields begin and end with this quote, about as many.

    Names such as 's-Gravenhage only begin with it.
    """
    ends = f"[{SEPARATORS}\r\n]"
    opened = len(re.findall(rf"(?:^|{ends}) *{quote}", head))
    closed = len(re.findall(rf"{quote}(?={ends}|$)", head))
    return min(opened, closed) > 2 and abs(opened - closed) <= 0.1 * max(opened, closed)


def _names_years(records: list[list[str]]) -> bool:
    """Whether the numbers of line 1 are years that name columns, as in country,1990,1995.

    Two years at least, no two alike, over columns that mostly hold something else.
    """
    first, *rows = records
    places = [place for place, name in enumerate(first) if _is_number(name)]
    years = {first[place].strip() for place in places}
    if not 2 <= len(years) == len(places) or not all(map(_YEAR.fullmatch, years)):
        return False
    below = [row[place].strip() for row in rows for place in places if place < len(row)]
    return sum(bool(_YEAR.fullmatch(text)) for text in below) < len(below) / 2


def _named(separator: str) -> str:
    return {";": "semicolons", "\t": "tabs", "|": "bars"}[separator]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text.strip().lower() not in ("nan", "inf", "infinity")


def _records(content: str, dialect: Dialect, path: Path, notes: list[str]) -> Records:
    reader = dialect.reader(iter(io.StringIO(content, newline="")))
    names: list[str] | None = None
    codes: list[array[int]] = []
    known: list[dict[str, int]] = []
    lines: list[int] = []
    rejects: list[Reject] = []
    begin = 1
    try:
        for record in reader:
            line, begin = begin, reader.line_num + 1
            if not record:
                continue
            if names is None:
                names = _names(record, dialect, path)
                codes, known = [array("i") for _ in names], [{} for _ in names]
                if dialect.header:
                    continue
            if len(record) != len(names):
                if len(names) == 1 or any(record):
                    rejects.append(_ragged(line, record, names))
                continue
            # among numbers it would be found as no number; among names nothing else shows it
            if dialect.header and len(names) > 1 and [t.strip() for t in record] == names:
                raise DataError(
                    f"line {line:,}: from column 1 “{names[0]}” on it repeats the header of line 1",
                    where=str(path),
                    hint="remove that line",
                )
            lines.append(line)
            for column, index, text in zip(codes, known, record, strict=True):
                column.append(index.setdefault(text, len(index)))
    except csv.Error as error:
        hint = "a quote may be opened and not closed"
        raise DataError(f"line {begin:,}: {error}", where=str(path), hint=hint) from error
    assert names is not None  # the text is not empty
    _check(names, lines, rejects, path)
    return Records(
        names=names,
        codes=[np.frombuffer(column, np.int32) for column in codes],
        texts=[[*index] for index in known],
        lines=lines,
        dialect=dialect,
        rejects=rejects,
        notes=notes,
    )


def _names(record: list[str], dialect: Dialect, path: Path) -> list[str]:
    if not dialect.header:
        return [f"column {position}" for position in range(1, len(record) + 1)]
    names = [name.strip() for name in record]
    check_names(names, "line 1", str(path))
    return names


def check_names(names: list[str], place: str, where: str) -> None:
    """See that no two columns share a name.

    Raises:
        DataError: two do.
    """
    seen: dict[str, int] = {}
    for position, name in enumerate(names, 1):
        if name in seen:
            said = f"are both named “{name}”" if name else "both have no name"
            raise DataError(
                f"{place}: columns {seen[name]} and {position} {said}",
                where=where,
                hint="give every column a name of its own",
            )
        seen[name] = position


def _ragged(line: int, record: list[str], names: list[str]) -> Reject:
    have, want = len(record), len(names)
    if have < want:
        reason = f"it has {have} fields of {want}: column {have + 1} “{names[have]}” is missing"
    else:
        reason = f"it has {have} fields, {want} are named: “{record[want]}” in column {want + 1}"
    return Reject(f"line {line:,}", reason)


def _check(names: list[str], lines: list[int], rejects: list[Reject], path: Path) -> None:
    if len(rejects) > MOST_RAGGED * (len(lines) + len(rejects)) and len(rejects) > 1:
        first = rejects[0]
        raise DataError(
            f"{first.item}: {first.reason}; {len(rejects):,} of {len(lines) + len(rejects):,} "
            "lines are of another length than line 1",
            where=str(path),
            hint="a field that holds a separator or a line break must stand in quotes",
        )
    if not lines:
        first = f" ({rejects[0].item}: {rejects[0].reason})" if rejects else ""
        message = f"line 1 names {len(names)} columns, and no row follows{first}"
        raise DataError(message, where=str(path))
