"""What a report shows beside its figures: samples, real items, neighbours, walks, copies.

Every exhibit is a file that the domain's `preview` draws, so every kind of data has them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ectype.domains.base import Chosen
from ectype.domains.grids import in_pairs
from ectype.measures.copying import near_copies, nearest
from ectype.measures.suite import FeatureSets
from ectype.report import Exhibit

if TYPE_CHECKING:  # a run can be evaluated, so `run` knows the modules above this one
    from ectype.run import Run

#: Items on a sheet, pairs on a sheet of pairs; walks, and the steps of each.
SHEET, PAIRS, COLUMNS = 64, 16, 8
#: Samples at each temperature that a domain shows.
TEMPERATURE_ITEMS = 1000
#: Samples among which the nearest are sought where no sample is a near copy.
LOOKED_AT = 2000
#: Previews of the training that are shown, the first and the last among them.
PREVIEWS = 5


def exhibits(
    run: Run,
    sets: Sequence[FeatureSets],
    *,
    generated: np.ndarray,
    reference: Chosen,
    train: Chosen | None,
    copies: np.ndarray | None,
) -> tuple[Exhibit, ...]:
    """Draw all exhibits into `RUN/report`.

    Args:
        run: the run that is reported on.
        sets: features of the items below, in their order, in every space that copies are sought in.
        generated: stored items.
        reference: held-out items.
        train: training items, if they are at hand.
        copies: the first held-out items as they came out of a model with an encoder, if it has one.
    """
    sheets = _Sheets(run)
    count = min(SHEET, len(generated), len(reference))
    found = [
        sheets.draw("samples", "Samples", "The first samples, not chosen.", generated[:count]),
        sheets.draw("real", "Real", "As many held-out real items.", reference[:count]),
    ]
    if train is not None:
        found += _neighbours(sheets, sets, generated, train)
    walks = run.interpolate(rows=COLUMNS, steps=COLUMNS)
    caption = "From one latent to another, a walk a row: smooth changes speak for a learned space."
    found.append(sheets.draw("interpolation", "Walks", caption, walks.items, COLUMNS))
    if copies is not None:
        caption = "Held-out items, and below each what the model makes of it."
        pairs = (reference[:PAIRS], copies[:PAIRS])
        found.append(sheets.draw_pairs("reconstruction", "Reconstructions", caption, *pairs))
    own = run.domain.own_exhibits(generated, reference, train, run.spec, sheets.folder)
    count = min(TEMPERATURE_ITEMS, len(generated), len(reference))
    drawn = {t: run.sample(count, temperature=t).items for t in run.domain.temperatures}
    over = run.domain.temperature_exhibits(drawn, reference, train, run.spec, sheets.folder)
    return (*found, *own, *over, *_previews(run))


class _Sheets:
    """Draws items into a run's folder `report`."""

    def __init__(self, run: Run):
        self.run = run
        self.folder = run.path / "report"
        self.folder.mkdir(exist_ok=True)
        self.columns = run.domain.columns(run.spec)

    def draw(
        self, key: str, title: str, caption: str, items: np.ndarray, columns: int | None = None
    ) -> Exhibit:
        """One sheet of items."""
        path = self.run.domain.preview(
            items,
            self.run.spec,
            self.folder / key.replace("_", "-"),
            columns=columns or self.columns,
        )
        return Exhibit(key=key, title=title, caption=caption, files=(path,))

    def draw_pairs(
        self, key: str, title: str, caption: str, above: np.ndarray, below: np.ndarray
    ) -> Exhibit:
        """Items above others, as many as fill whole rows: gaps would look like items."""
        columns = min(self.columns, len(above))
        whole = len(above) // columns * columns
        pairs = in_pairs(above[:whole], below[:whole], columns)
        return self.draw(key, title, caption, pairs, columns)


def _neighbours(
    sheets: _Sheets, sets: Sequence[FeatureSets], generated: np.ndarray, train: Chosen
) -> Iterator[Exhibit]:
    """Samples above the training items that they are nearest to: the most suspicious, and any."""

    def pairs(shown: np.ndarray, space: FeatureSets) -> tuple[np.ndarray, np.ndarray]:
        neighbours, _ = nearest(space.generated[shown], _seen(space))
        return generated[shown], train[neighbours]

    # one held-out item will do: how often they are near copies is a measure, not an exhibit
    copies = [near_copies(s.generated, _seen(s), s.reference[:1]).items for s in sets]
    space, found = max(zip(sets, copies, strict=True), key=lambda pair: len(pair[1]))
    if len(found):
        title = "Near copies"
        caption = f"{len(found):,} of {len(generated):,} samples are nearly a training item in "
        caption += f"{space.space}. The nearest, and below each the item that it resembles."
    else:
        title = "Nearest pairs"
        caption = "No sample is nearly a training item. The nearest, each above that item."
        _, distances = nearest(space.generated[:LOOKED_AT], _seen(space))
        found = np.argsort(distances, kind="stable")
    yield sheets.draw_pairs("near_copies", title, caption, *pairs(found[:PAIRS], space))
    caption = "The first samples, and below each the training item that is nearest to it."
    first = np.arange(min(PAIRS, len(generated)))
    title = "Nearest training items"
    yield sheets.draw_pairs("neighbours", title, caption, *pairs(first, sets[0]))


def _seen(sets: FeatureSets) -> np.ndarray:
    assert sets.train is not None
    return sets.train


def _previews(run: Run) -> Iterator[Exhibit]:
    """A few of the previews that training drew, spread over it."""
    files = sorted(run.folder.samples.glob("step-*.*"))
    if files:
        spread = np.linspace(0, len(files) - 1, min(PREVIEWS, len(files))).round().astype(int)
        yield Exhibit(
            key="previews",
            title="Over time",
            caption="The same latents drawn again as training went on, the earliest first.",
            files=tuple(files[i] for i in spread),
        )
