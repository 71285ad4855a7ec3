"""Building blocks of a page: one file that asks nothing of anywhere.

Every block returns HTML with all given text escaped; only what is named `body` is taken as HTML.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from html import escape
from importlib.resources import files
from pathlib import Path

from ectype.measures.measure import Measure
from ectype.report.charts import measure_bar
from ectype.report.content import Exhibit
from ectype.report.words import BETTER, interval, number, term

#: Nothing may be asked of anywhere, whatever a name or a text in the page holds.
POLICY = (
    "default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'"
)
#: Images narrower than this are drawn with sharp pixels where the page enlarges them.
_SHARP = 400


def document(title: str, body: str) -> str:
    """A whole page.

    Args:
        title: of the window.
        body: HTML of what is inside `main`.
    """
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(title)}</title>
<link rel="icon" href="data:,">
<style>
{style()}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""


@cache
def style() -> str:
    """The style sheet."""
    return files("ectype.report").joinpath("style.css").read_text(encoding="utf-8")


def section(title: str, body: str, *, lead: str = "") -> str:
    """A part of the page under a heading; nothing where the body is empty.

    Args:
        title: the heading.
        body: HTML.
        lead: a sentence or two below the heading.
    """
    if not body:
        return ""
    said = f'<p class="lead">{escape(lead)}</p>\n' if lead else ""
    return f"<section>\n<h2>{escape(title)}</h2>\n{said}{body}\n</section>\n"


def measures_table(measures: Mapping[str, Measure]) -> str:
    """The figures beside their floors and intervals, a measure a row; cards on a phone."""
    headings = (
        "Measure",
        "At a glance",
        "Value",
        "Floor",
        "95 % interval",
        "Better",
        "n",
        "Features",
    )
    rows = [_measure_row(name, measure, headings) for name, measure in measures.items()]
    return table(headings, rows, classes="measures") + _KEY if rows else ""


def table(headings: Sequence[str], rows: Iterable[str], *, classes: str = "") -> str:
    """A table from rows of HTML (see `row`)."""
    head = "".join(f'<th scope="col">{escape(heading)}</th>' for heading in headings)
    return (
        f'<table class="{escape(classes)}">\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{''.join(rows)}</tbody>\n</table>\n"
    )


def row(headings: Sequence[str], cells: Sequence[str]) -> str:
    """A row whose first cell heads it.

    Args:
        headings: of the columns, repeated beside each cell where the page is narrow.
        cells: HTML, one a column.
    """
    rest = "".join(
        f'<td data-heading="{escape(heading)}">{cell}</td>'
        for heading, cell in zip(headings[1:], cells[1:], strict=True)
    )
    return f'<tr><th scope="row">{cells[0]}</th>{rest}</tr>\n'


def figure(exhibit: Exhibit) -> str:
    """Something to look at, to listen to or to read, with its files inside.

    Raises:
        FileNotFoundError: a file is not there.
        ValueError: a file is neither PNG, WAV nor text.
    """
    media = "".join(_medium(path, exhibit) for path in exhibit.files)
    return (
        f'<figure class="exhibit {_kind(exhibit)}"><figcaption>'
        f"<strong>{escape(exhibit.title)}</strong> {escape(exhibit.caption)}</figcaption>"
        f'<div class="media">{media}</div></figure>\n'
    )


def fact_list(facts: Mapping[str, str]) -> str:
    """Names and what is known of each."""
    entries = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(text)}</dd></div>" for name, text in facts.items()
    )
    return f"<dl>{entries}</dl>\n"


def disclosure(summary: str, body: str) -> str:
    """Something that opens when it is asked for."""
    return f"<details><summary>{escape(summary)}</summary>\n{body}</details>\n"


def plain_list(items: Iterable[str], *, classes: str = "") -> str:
    """Sentences, a line each; nothing where there are none."""
    entries = "".join(f"<li>{escape(item)}</li>" for item in items)
    return f'<ul class="{escape(classes)}">{entries}</ul>\n' if entries else ""


# --- parts --------------------------------------------------------------------------------

_KEY = (
    '<ul class="legend key">'
    '<li><svg viewBox="0 0 24 24" class="bar" aria-hidden="true">'
    '<circle class="value" cx="12" cy="12" r="4.5"/></svg>this model</li>'
    '<li><svg viewBox="0 0 24 24" class="bar" aria-hidden="true">'
    '<rect class="band" x="2" y="7" width="20" height="10" rx="2"/></svg>'
    "where it would lie 95 times in 100</li>"
    '<li><svg viewBox="0 0 24 24" class="bar" aria-hidden="true">'
    '<path class="floor" d="M12 2V22"/></svg>'
    "floor: real data in the samples’ place</li></ul>\n"
)


def _measure_row(name: str, measure: Measure, headings: Sequence[str]) -> str:
    words = term(name)
    about = [f'<span class="term">{escape(words.aside)}</span>'] if words.aside else []
    about += [
        f'<span class="meaning">{escape(text)}</span>'
        for text in (words.meaning, measure.note)
        if text
    ]
    cells = (
        f"<strong>{escape(words.plain)}</strong> {' '.join(about)}",
        measure_bar(measure),
        f"<b>{number(measure.value)}</b>",
        number(measure.floor),
        interval(measure.interval),
        BETTER[measure.better],
        f"{measure.n:,}",
        escape(measure.features or "–"),
    )
    return row(headings, cells)


def _medium(path: Path, exhibit: Exhibit) -> str:
    content = path.read_bytes()
    suffix = path.suffix.lower()
    if suffix == ".png":
        return _image(content, f"{exhibit.title}: {exhibit.caption}")
    if suffix == ".wav":
        name = escape(path.stem)
        return (
            f'<div class="sound"><span>{name}</span><audio controls preload="metadata" '
            f'aria-label="{name}" src="{_data("audio/wav", content)}"></audio></div>'
        )
    if suffix == ".txt":
        return f"<pre>{escape(content.decode('utf-8', errors='replace'))}</pre>"
    raise ValueError(f"a report shows PNG, WAV and text files, not {path.name}")


def _image(content: bytes, alt: str) -> str:
    """An image with its size, so that the page does not jump; its header has it at byte 16."""
    width, height = struct.unpack(">II", content[16:24])
    sharp = ' class="sharp"' if width < _SHARP else ""
    return (
        f'<img{sharp} width="{width}" height="{height}" alt="{escape(alt)}" '
        f'src="{_data("image/png", content)}">'
    )


def _data(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _kind(exhibit: Exhibit) -> str:
    """How the style sheet lays the files out: one, or several beside one another."""
    return "many" if len(exhibit.files) > 1 else "one"
