"""Texts as files: one for a program to read, and sheets for people to look at."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

from ectype.domains.text.sources import Unit

#: Characters of a sheet's line; where a row of texts needs more, each text has its own line.
LINE = 132
BETWEEN = "  "
#: Shown in the place of a line's end within a text.
RETURN = " ⏎ "


def write_texts(texts: Iterable[str], unit: Unit, folder: Path) -> list[Path]:
    """Write texts as they lay in the source; gives the file's path.

    `samples.txt` with a text a line, or with blocks between blank lines; `samples.jsonl` where a
    text was a whole file, since it may hold blank lines itself.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / ("samples.jsonl" if unit == "files" else "samples.txt")
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for text in texts:
            if unit == "files":
                file.write(json.dumps({"text": text}, ensure_ascii=False) + "\n")
            elif unit == "blocks":
                lines = [line for line in text.split("\n") if line.strip()]
                file.write("\n".join(lines) + "\n\n")
            else:
                file.write(text.replace("\n", " ") + "\n")
    return [path]


def sheet(texts: Sequence[str], columns: int | None) -> str:
    """Texts to look at: row by row in columns where they are short, else each on its own line.

    Without a number of columns as many as a line holds. Rows of long texts are set apart by blank
    lines.
    """
    shown = [text.strip().replace("\n", RETURN) for text in texts]
    widest = max(map(width, shown), default=0)
    fits = max(1, (LINE + len(BETWEEN)) // max(widest + len(BETWEEN), 1))
    columns = columns or fits
    if not shown:
        return "\n"
    rows = [shown[start : start + columns] for start in range(0, len(shown), columns)]
    if columns == 1 or columns > fits:
        between = "\n\n" if columns > 1 else "\n"
        return between.join("\n".join(row) for row in rows) + "\n"
    cells = [max(width(row[i]) for row in rows if i < len(row)) for i in range(len(rows[0]))]
    lines = (
        BETWEEN.join(text + " " * (cells[i] - width(text)) for i, text in enumerate(row)).rstrip()
        for row in rows
    )
    return "\n".join(lines) + "\n"


def width(text: str) -> int:
    """Cells that a text takes on a terminal.

    >>> width("Ada"), width("数学")
    (3, 4)
    """
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    marks = sum(unicodedata.combining(character) > 0 for character in text)
    return len(text) + wide - marks
