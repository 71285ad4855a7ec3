"""The report as a page: the verdict first, then the figures, then all else."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from ectype.report.charts import learning_curves
from ectype.report.content import Report
from ectype.report.page import (
    disclosure,
    document,
    fact_list,
    figure,
    measures_table,
    plain_list,
    row,
    section,
    table,
)
from ectype.report.verdict import Verdict

#: Sections of what there is to see, and the exhibits that stand in each, in this order.
_SHOWN = {
    "Samples beside real data": ("samples", "real"),
    "Near copies and nearest neighbours": ("near_copies", "neighbours"),
    "What the model has learned": ("interpolation", "reconstruction"),
}
_TRAINING = ("previews",)
_KINDS = {"image": "images", "audio": "sounds", "text": "texts", "table": "tables"}


def sheet(report: Report) -> str:
    """The whole page.

    Raises:
        FileNotFoundError: an exhibit's file is not there.
        ValueError: an exhibit's file is of a kind that the page cannot show.
    """
    placed = {key for keys in _SHOWN.values() for key in keys}.union(_TRAINING)
    others = tuple(e.key for e in report.exhibits if e.key not in placed)
    shown = {**_SHOWN, "More to see": others}
    body = (
        _header(report),
        verdict_panel(report.verdict),
        section(
            "The figures",
            measures_table(report.measures),
            lead="A figure says little alone. Beside each stands its floor: the same figure with "
            "real data in the samples’ place. A perfect model would meet it.",
        ),
        *(section(title, _gallery(report, keys)) for title, keys in shown.items()),
        section("How training went", _training(report)),
        section("What it was made from", _facts(report)),
    )
    return document(f"{report.name} – ectype report", "".join(body))


def verdict_panel(verdict: Verdict) -> str:
    """The verdict and the reasons to doubt it; it stands out where the model copies."""
    doubts = plain_list(verdict.doubts)
    return (
        f'<section class="verdict{" alarm" if verdict.copying else ""}">\n'
        f"<h2>{escape(verdict.headline)}</h2>\n{plain_list(verdict.sentences)}"
        f"{f'<h3>Reasons to doubt it</h3>{doubts}' if doubts else ''}</section>\n"
    )


def flattened(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings under dotted keys, as `--set` takes them.

    >>> flattened({"seed": 0, "gan": {"loss": "hinge"}})
    {'seed': 0, 'gan.loss': 'hinge'}
    """
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            flat |= flattened(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _header(report: Report) -> str:
    kind = _KINDS.get(report.domain, report.domain)
    facts = (
        f"{report.family.upper()} for {kind}",
        f"{report.n:,} samples",
        f"{report.held_out_n:,} held-out real items",
        f"features {report.features}",
    )
    return (
        f'<header><p class="eyebrow">ectype report</p>\n<h1>{escape(report.name)}</h1>\n'
        f"{plain_list(facts, classes='facts')}</header>\n"
    )


def _gallery(report: Report, keys: tuple[str, ...]) -> str:
    """The exhibits of these keys beside one another, in the order of the keys."""
    found = [e for key in dict.fromkeys(keys) for e in report.exhibits if e.key == key]
    return f'<div class="gallery">{"".join(map(figure, found))}</div>' if found else ""


def _training(report: Report) -> str:
    charts = "".join(learning_curves(report.log))
    curves = f'<div class="charts">{charts}</div>\n' if charts else ""
    return curves + _gallery(report, _TRAINING) + _events(report)


def _events(report: Report) -> str:
    if not report.events:
        return '<p class="lead">Nothing out of the ordinary was recorded.</p>' if report.log else ""
    headings = ("Event", "What happened")
    rows = []
    for event in report.events:
        rest = ", ".join(f"{k} {_text(v)}" for k, v in event.items() if k != "event")
        rows.append(row(headings, (escape(str(event.get("event", "event"))), escape(rest or "–"))))
    return "<h3>Events</h3>\n" + table(headings, rows, classes="events")


def _facts(report: Report) -> str:
    sections = "".join(
        f"<div><h3>{escape(title)}</h3>{fact_list(facts)}</div>"
        for title, facts in report.facts.items()
    )
    settings = {key: _text(value) for key, value in flattened(report.settings).items()}
    shown = disclosure("All settings", fact_list(settings)) if settings else ""
    return f'<div class="fact-sections">{sections}</div>\n{shown}' if sections or shown else ""


def _text(value: Any) -> str:
    """A plain value of a setting or an event as people read it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value)) or "none"
    return f"{value:,}" if isinstance(value, int) else str(value)
