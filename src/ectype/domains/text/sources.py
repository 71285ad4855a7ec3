"""Texts from wherever people keep them: text files, folders, JSON lines, tables, lists."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from ectype.domains.base import Part, Reject
from ectype.domains.files import Tree, existing_path, is_archive, open_tree, printable
from ectype.domains.labels import parts_and_labels
from ectype.domains.text.lines import Fault, lines_of, with_line_feeds
from ectype.domains.text.rows import JSON_LINES, TABLES, Rows, read_rows
from ectype.errors import DataError, UsageError

Unit = Literal["lines", "blocks", "files"]

PLAIN = frozenset((".txt", ".text"))
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


@dataclass(kw_only=True)
class Found:
    """Texts, normalised to NFC, and what is to be said of them.

    Attributes:
        texts: those that can be used.
        places: where each stands, for messages.
        labels: of each, None where it has none.
        parts: the part that the source prescribes for each, None where it does not.
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
    parts: list[Part | None] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(
        self, text: str, place: str, label: str | None = None, part: Part | None = None
    ) -> None:
        """Take a text in, or say why not; empty ones are passed over."""
        text = with_line_feeds(text).strip()
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
        self.parts.append(part)

    def keep(self, wanted: Sequence[bool], reason: Callable[[str], str]) -> None:
        """Leave out the texts that are not wanted, each for a reason."""
        for text, place, kept in zip(self.texts, self.places, wanted, strict=True):
            if not kept:
                self.rejects.append(Reject(place, reason(text)))
        index = [i for i, kept in enumerate(wanted) if kept]
        self.texts = [self.texts[i] for i in index]
        self.places = [self.places[i] for i in index]
        self.labels = [self.labels[i] for i in index]
        self.parts = [self.parts[i] for i in index]

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
    if path.suffix.lower() in JSON_LINES | TABLES:
        return _from_rows(read_rows(path), str(path), column, labels)
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
            files.append((name, _decoded(content, name, found)))
    found.unit = _unit_of([lines for _, lines in files]) if unit == "auto" else unit
    found.notes.append(_unit_note(found.unit, unit, alone))
    parts, folders = parts_and_labels([name for name, _ in files])
    for (name, lines), part, folder in zip(files, parts, folders, strict=True):
        label = None if labels == "none" else folder
        for number, text in _units(lines, found.unit):
            place = name if found.unit == "files" else f"{name}, line {number}"
            found.add(text, place, label, part)
    return found


def _decoded(content: bytes, name: str, found: Found) -> list[str]:
    """The lines of a file; those that cannot be decoded are left out and come as empty ones."""
    lines: list[str] = []
    for number, line in enumerate(lines_of(content), 1):
        if isinstance(line, Fault):
            found.rejects.append(Reject(f"{printable(name)}, line {number}", line.reason))
        lines.append("" if isinstance(line, Fault) else line)
    return lines


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


# --- rows -----------------------------------------------------------------------------------


def _from_rows(rows: Rows, where: str, column: str | None, labels: str) -> Found:
    whole = [row for _, row in rows.read if isinstance(row, dict)]
    names = list(dict.fromkeys(name for row in whole for name in row))
    texts = _text_column(column, names, whole, where)
    label = _label_column(labels, [name for name in names if name != texts], where)
    found = Found(unit="files", column=texts, notes=[*rows.notes])
    said = f"The texts are “{texts}”" + (f", their labels “{label}”." if label else ".")
    found.notes.append(said)
    for place, row in rows.read:
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
