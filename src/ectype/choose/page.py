"""`compare.html`: the recommendation first, then the table, then samples side by side."""

from __future__ import annotations

from html import escape
from pathlib import Path

from ectype.choose.advice import advise, headings, rows
from ectype.choose.state import State
from ectype.config import format_seconds
from ectype.files import write_whole
from ectype.report.content import Exhibit
from ectype.report.page import (
    document,
    fact_list,
    figure,
    measures_table,
    plain_list,
    row,
    section,
    table,
)
from ectype.report.sheet import verdict_panel


def write_page(state: State, folder: Path) -> Path:
    """Write the page of a finished comparison into its folder; gives its path.

    Args:
        state: what was found.
        folder: holds the sheets of samples that the state names, and `real`.

    Raises:
        FileNotFoundError: a sheet is not there.
        StorageError: the disk is full or refuses.
    """
    name = folder.resolve().name
    winner = state.winner or ""
    body = (
        _header(name, state),
        verdict_panel(advise(state)),
        section(
            "All candidates",
            _table(state),
            lead="How many times worse than real data the samples are, half for closeness and half "
            "for variety, after ever longer trainings; 1× is as good as real data. The better ones "
            "go on, the last one for all the time that is left." + _held_back(state),
        ),
        section("Samples side by side", _sheets(state, folder)),
        section(
            f"{winner} on test data",
            measures_table(state.test),
            lead="Nothing was chosen by these data. The winner’s own report says more.",
        ),
        section(
            "What was tried",
            fact_list({c.name: c.about for c in state.candidates}),
        ),
    )
    path = folder / "compare.html"
    write_whole(path, document(f"{name} – ectype compare", "".join(body)))
    return path


def _header(name: str, state: State) -> str:
    facts = (
        f"{len(state.candidates)} candidates",
        f"{format_seconds(state.seconds)} of {format_seconds(state.budget)}",
        f"measured by {state.n:,} samples each",
    )
    return (
        f'<header><p class="eyebrow">ectype compare</p>\n<h1>{escape(name)}</h1>\n'
        f"{plain_list(facts, classes='facts')}</header>\n"
    )


def _held_back(state: State) -> str:
    """Why the last training's score stands apart; nothing where it does not."""
    if not state.held_back:
        return ""
    return (
        " Until the choice was made more data were held out to choose by, "
        f"{' '.join(state.held_back)}. The last training has them back, and its score here, by "
        "fewer items, does not compare with the others."
    )


def _table(state: State) -> str:
    columns = headings(state)
    # an interval stands below its figure
    lines = [[escape(cell).replace(" (", "<br>(") for cell in line] for line in rows(state)]
    return table(columns, [row(columns, cells) for cells in lines])


def _sheets(state: State, folder: Path) -> str:
    """Real data, then each candidate's samples after its longest training."""
    real = sorted(folder.glob("real.*"))
    shown = [Exhibit(key="real", title="real", caption="validation data", files=tuple(real))]
    for name, *_ in rows(state):
        for trial in state.results(name)[-1:]:
            after = f"after {format_seconds(trial.seconds)} of training"
            files = (folder / trial.samples,)
            shown.append(Exhibit(key="samples", title=name, caption=after, files=files))
    return f'<div class="gallery">{"".join(map(figure, shown))}</div>'
