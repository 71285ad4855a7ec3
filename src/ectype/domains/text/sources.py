"""Texts from wherever people keep them: text files, folders, JSON lines, tables, lists."""

from __future__ import annotations

import codecs
import csv
import io
import json
import os
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from ectype.domains.base import Reject
from ectype.domains.files import Tree, existing_path, is_archive, open_tree, printable
from ectype.errors import DataError, UsageError

Unit = Literal["lines", "blocks", "files"]

PLAIN = frozenset((".txt", ".text"))
JSON_LINES = frozenset((".jsonl", ".ndjson"))
COMMA, TAB = ".csv", ".tsv"
PARQUET = frozenset((".parquet", ".pq"))
#: A text of more characters is left out: most likely it is no text, or a whole book in a line.
MOST_CHARACTERS = 100_000
#: Columns that hold the texts, and their labels, where nobody says which do.
TEXT_COLUMNS = ("text", "texts", "content", "sentence", "body")
LABEL_COLUMNS = ("label", "labels", "class", "category")
#: Blocks separated by blank lines are taken for the texts if there are so many, and if they are
#: short, by the median: a list of names with a blank line after each letter is a list of lines.
FEWEST_BLOCKS, LONGEST_BLOCK = 8, 12
#: A folder whose files are so many, and hold so few texts each, holds a text a file.
FEWEST_FILES = 20

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark begins as this one does
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(kw_only=True)
class Found:
    """Texts, normalised to NFC, and what is to be said of them.

    Attributes:
        texts: those that can be used.
        places: where each stands, for messages.
        labels: of each, None where it has none.
        unit: what a text was in the source; decides how samples are written.
        rejects: what was left out.
        column: that held them, where there were columns.
        notes: sentences for `inspect`.
    """

    unit: Unit = "lines"
    column: str | None = None
    texts: list[str] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    labels: list[str | None] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, text: str, place: str, label: str | None = None) -> None:
        """Take a text in, or say why not; empty ones are passed over."""
        text = text.strip()
        fault = fault_of(text)
        text = unicodedata.normalize("NFC", text[: MOST_CHARACTERS + 1])
        if not text:
            return
        if fault:
            self.rejects.append(Reject(printable(place), fault))
            return
        self.texts.append(text)
        self.places.append(printable(place))
        self.labels.append(label)

    def keep(self, wanted: Sequence[bool], reason: Callable[[str], str]) -> None:
        """Leave out the texts that are not wanted, each for a reason."""
        for text, place, kept in zip(self.texts, self.places, wanted, strict=True):
            if not kept:
                self.rejects.append(Reject(place, reason(text)))
        index = [i for i, kept in enumerate(wanted) if kept]
        self.texts = [self.texts[i] for i in index]
        self.places = [self.places[i] for i in index]
        self.labels = [self.labels[i] for i in index]

    def keep_shorter(self, encoded: Sequence[list[int]], length: int, unit: str) -> list[list[int]]:
        """Leave out texts that do not fit into so many tokens with their end."""
        fits = [len(tokens) < length for tokens in encoded]
        self.keep(fits, lambda text: f"it has more than the {length - 1:,} {unit} of the others")
        return [tokens for tokens, kept in zip(encoded, fits, strict=True) if kept]


def fault_of(text: str) -> str:
    """Why a text cannot be used; empty if it can."""
    if len(text) > MOST_CHARACTERS:
        return f"it has {len(text):,} characters: more than {MOST_CHARACTERS:,} are no short text"
    for character in set(text):
        code = ord(character)
        if code == 0:
            return "it holds a NUL character: this is no text"
        if code == 0xFFFD:
            return "it holds replacement characters (U+FFFD): it was damaged earlier"
        if 0xD800 <= code < 0xE000:
            return f"it holds half a character (U+{code:04X})"
        if code < 0x20 and character not in "\t\n":
            return f"it holds the control character U+{code:04X}"
    return ""


def is_text_source(source: Any) -> bool:
    """Text files, JSON lines, folders and archives of text files, lists of texts.

    A CSV or Parquet file is a table unless somebody says otherwise.
    """
    if isinstance(source, str | os.PathLike):
        path = Path(source).expanduser()
        if path.is_dir() or is_archive(path):
            names = [PurePosixPath(name) for name in open_tree(path).first_names(200)]
            plain = sum(name.suffix.lower() in PLAIN for name in names)
            return plain > len(names) / 2
        return path.is_file() and path.suffix.lower() in PLAIN | JSON_LINES
    texts = _texts_of_pair(source)[0]
    return isinstance(texts, list | tuple) and bool(texts) and isinstance(texts[0], str)


def read_source(
    source: Any, *, unit: Unit | Literal["auto"], column: str | None, labels: str
) -> Found:
    """Read all texts of a source.

    Args:
        source: a path, a list of texts, or a pair of such a list and labels.
        unit: what a text is in text files.
        column: the column or the key that holds the texts, in tables and JSON lines.
        labels: `auto`, `none`, or the column that holds the labels.

    Raises:
        UsageError: the path does not exist, or a column is not there.
        DataError: the file is damaged, or no kind of text file.
    """
    if not isinstance(source, str | os.PathLike):
        return _from_list(*_texts_of_pair(source))
    path = existing_path(source)
    suffix = path.suffix.lower()
    if suffix in JSON_LINES:
        return _from_rows(_json_rows(path), str(path), column, labels)
    if suffix in (COMMA, TAB):
        return _from_rows(_csv_rows(path), str(path), column, labels)
    if suffix in PARQUET:
        return _from_rows(_parquet_rows(path), str(path), column, labels)
    return _from_tree(open_tree(path), unit, labels)


# --- lists ----------------------------------------------------------------------------------


def _texts_of_pair(source: Any) -> tuple[Any, Any]:
    """Texts and labels of a pair of two lists; a pair of two texts is a list of texts."""
    if isinstance(source, tuple) and len(source) == 2 and not isinstance(source[0], str):
        return source
    return source, None


def _from_list(texts: Sequence[Any], labels: Any) -> Found:
    given = [None] * len(texts) if labels is None else [str(label) for label in labels]
    if len(given) != len(texts):
        raise DataError(f"there are {len(texts):,} texts and {len(given):,} labels")
    found = Found(unit="files" if any("\n" in str(text) for text in texts) else "lines")
    for number, (text, label) in enumerate(zip(texts, given, strict=True)):
        if isinstance(text, str):
            found.add(text, f"item {number}", label)
        else:
            kind = type(text).__name__
            found.rejects.append(Reject(f"item {number}", f"it is no text but a {kind}"))
    return found


# --- text files -----------------------------------------------------------------------------


def _from_tree(tree: Tree, unit: Unit | Literal["auto"], labels: str) -> Found:
    names = [name for name in tree.names if PurePosixPath(name).suffix.lower() in PLAIN]
    alone = len(tree.names) == 1
    names = tree.names if alone else names
    if not names:
        message = "there are no text files in it"
        raise DataError(message, where=str(tree.path), hint="files that end in .txt are read")
    found = Found(notes=[*tree.skipped])
    others = len(tree.names) - len(names)
    if others:
        found.notes.append(f"{others:,} files that do not end in .txt are left out.")
    files: list[tuple[str, list[str]]] = []
    with tree.reading() as open_file:
        for name in names:
            try:
                with open_file(name) as file:
                    content = file.read()
            except OSError as error:
                found.rejects.append(Reject(printable(name), str(error)))
                continue
            files.append((name, [*_decoded(content, name, found)]))
    found.unit = _unit_of([lines for _, lines in files]) if unit == "auto" else unit
    found.notes.append(_unit_note(found.unit, unit, alone))
    folders = _label_folders([name for name, _ in files])
    for (name, lines), folder in zip(files, folders, strict=True):
        label = None if labels == "none" else folder
        for number, text in _units(lines, found.unit):
            found.add(text, name if found.unit == "files" else f"{name}, line {number}", label)
    return found


def _decoded(content: bytes, name: str, found: Found) -> Iterator[str]:
    """The lines of a file; a line that is no UTF-8 comes as an empty one and is left out."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            try:
                yield from _split(content.decode(encoding))
            except UnicodeDecodeError:
                reason = f"it begins as {encoding} and is none"
                found.rejects.append(Reject(printable(name), reason))
            return
    for number, line in enumerate(_split(content), 1):
        try:
            yield line.decode()
        except UnicodeDecodeError as error:
            byte = line[error.start]
            reason = f"byte 0x{byte:02X} is no UTF-8: bring the file to UTF-8, with iconv for one"
            found.rejects.append(Reject(f"{printable(name)}, line {number}", reason))
            yield ""


def _split(content: Any) -> list[Any]:
    """Lines of bytes or text; a line feed, a carriage return or both end one."""
    if isinstance(content, bytes):
        return content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    return content.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _unit_of(files: Sequence[Sequence[str]]) -> Unit:
    """What a text is: a file, a block between blank lines, or a line."""
    blocks = [[*_units(lines, "blocks")] for lines in files]
    counts = sorted(len(each) for each in blocks)
    if len(files) >= FEWEST_FILES and counts[len(counts) // 2] <= 2 * LONGEST_BLOCK:
        lines = sorted(sum(1 for line in file if line.strip()) for file in files)
        if lines[len(lines) // 2] <= 2 * LONGEST_BLOCK:
            return "files"
    lengths = sorted(text.count("\n") + 1 for each in blocks for _, text in each)
    if len(lengths) >= FEWEST_BLOCKS and 1 < lengths[len(lengths) // 2] <= LONGEST_BLOCK:
        return "blocks"
    return "lines"


def _unit_note(unit: Unit, wish: str, alone: bool) -> str:
    said = {
        "lines": "Each line is a text",
        "blocks": "Each block between blank lines is a text",
        "files": "Each file is a text",
    }[unit]
    if wish != "auto":
        return f"{said}, as data.unit={wish} says."
    others = [name for name in ("lines", "blocks", "files") if name != unit]
    others = [name for name in others if not (alone and name == "files")]
    return f"{said}; data.unit={' or '.join(others)} would read it otherwise."


def _units(lines: Sequence[str], unit: Unit) -> Iterator[tuple[int, str]]:
    """Texts of a file and the lines that they begin at, counted from 1."""
    if unit == "files":
        yield 1, "\n".join(line.rstrip() for line in lines).strip("\n")
        return
    block: list[str] = []
    for number, line in enumerate([*lines, ""], 1):
        if unit == "lines":
            yield number, line
        elif line.strip():
            block.append(line.rstrip())
        elif block:
            yield number - len(block), "\n".join(block)
            block = []


def _label_folders(names: Sequence[str]) -> list[str | None]:
    """The first folder of each path that not all share."""
    folders = [PurePosixPath(name).parts[:-1] for name in names]
    while folders and folders[0] and all(path[:1] == folders[0][:1] for path in folders):
        folders = [path[1:] for path in folders]
    return [path[0] if path else None for path in folders]


# --- rows -----------------------------------------------------------------------------------


def _json_rows(path: Path) -> Iterator[tuple[str, dict[str, Any] | str]]:
    for number, line in enumerate(_split(path.read_bytes()), 1):
        if not line.strip():
            continue
        place = f"{path.name}, line {number}"
        try:
            row = json.loads(line.decode())
        except UnicodeDecodeError:
            yield place, "it is no UTF-8"
        except (ValueError, RecursionError):
            yield place, "it is no JSON"
        else:
            yield place, row if isinstance(row, dict) else {"text": row}


def _csv_rows(path: Path) -> Iterator[tuple[str, dict[str, Any] | str]]:
    try:
        content = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        hint = "bring the file to UTF-8, with iconv for one"
        message = f"it is no UTF-8: byte {error.start:,}"
        raise DataError(message, where=str(path), hint=hint) from None
    csv.field_size_limit(2**31 - 1)
    between = "\t" if path.suffix.lower() == TAB else ","
    rows = csv.DictReader(io.StringIO(content, newline=""), delimiter=between)
    for number, row in enumerate(rows, 2):
        yield f"{path.name}, row {number}", {str(key): value for key, value in row.items()}


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


def _from_rows(
    rows: Iterable[tuple[str, dict[str, Any] | str]], where: str, column: str | None, labels: str
) -> Found:
    read = [*rows]
    whole = [(place, row) for place, row in read if isinstance(row, dict)]
    names = list(dict.fromkeys(name for _, row in whole for name in row))
    texts = _text_column(column, names, [row for _, row in whole], where)
    label = _label_column(labels, [name for name in names if name != texts], where)
    found = Found(unit="files", column=texts)
    said = f"The texts are “{texts}”" + (f", their labels “{label}”." if label else ".")
    found.notes.append(said)
    for place, row in read:
        if isinstance(row, str):
            found.rejects.append(Reject(printable(place), row))
        elif not isinstance(row.get(texts), str):
            found.rejects.append(Reject(printable(place), f"“{texts}” holds no text"))
        else:
            value = None if label is None else row.get(label)
            found.add(row[texts], place, None if value in (None, "") else str(value))
    if all("\n" not in text for text in found.texts):
        found.unit = "lines"
    return found


def _text_column(
    asked: str | None, names: Sequence[str], rows: Sequence[dict[str, Any]], where: str
) -> str:
    """The column that is asked for, one of a telling name, or that of the longest texts."""
    if asked is not None:
        if asked not in names:
            hint = f"there are: {', '.join(names[:20])}"
            raise UsageError(f"there is no column “{asked}”", where=where, hint=hint)
        return asked

    def length(name: str) -> float:
        values = [row.get(name) for row in rows[:1000]]
        return sum(len(value) for value in values if isinstance(value, str)) / max(len(rows), 1)

    held = [name for name in names if length(name) > 0]
    if not held:
        raise DataError("no column holds texts", where=where)
    telling: Callable[[str], bool] = lambda name: name.lower() in TEXT_COLUMNS  # noqa: E731
    return next(filter(telling, held), None) or max(held, key=length)


def _label_column(asked: str, names: Sequence[str], where: str) -> str | None:
    if asked == "none":
        return None
    if asked != "auto":
        if asked not in names:
            hint = f"there are: {', '.join(names[:20])}"
            raise UsageError(f"there is no column “{asked}”", where=where, hint=hint)
        return asked
    return next((name for name in names if name.lower() in LABEL_COLUMNS), None)
