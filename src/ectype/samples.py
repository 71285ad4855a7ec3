"""Generated items: held in memory once they are asked for, written without ever being held whole.

Under conditions items are drawn until enough of them meet these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ectype.errors import DataError

if TYPE_CHECKING:
    import numpy as np

    from ectype.domains.base import Domain, Spec

Blocks = Callable[[], "Iterator[np.ndarray]"]

#: Items that are drawn for one that meets the conditions, at most, and beyond n of these so many.
MOST_FOR_ONE = 1_000
MOST_TRIED = 200_000


@dataclass
class Tally:
    """How many items were drawn, and how many of them met the conditions."""

    drawn: int = 0
    met: int = 0

    def __str__(self) -> str:
        share = self.met / max(self.drawn, 1)
        return f"{self.met:,} of {self.drawn:,} drawn items met the conditions ({share:.2%})"


class Samples:
    """Generated items, in the form in which the domain stores them.

    Args:
        blocks: gives them, some at a time; the same ones at every call.
        spec: of the run.
        domain: of the run.
        label: that was asked for.
        columns: how many stand in a row of the picture of all.
        as_grid: whether the items are walks, which are written as such.

    Attributes:
        tally: of the last time that they were drawn under conditions; None without these.
    """

    def __init__(
        self,
        blocks: Blocks,
        spec: Spec,
        domain: Domain,
        label: str | None = None,
        *,
        columns: int | None = None,
        as_grid: bool = False,
        tally: Tally | None = None,
    ):
        self.blocks = blocks
        self.spec = spec
        self.domain = domain
        self.label = label
        self.columns = columns
        self.as_grid = as_grid
        self.tally = tally

    @cached_property
    def items(self) -> np.ndarray:
        """All of them, (n, *spec.shape)."""
        import numpy as np

        return np.concatenate([*self.blocks()])

    @property
    def data(self) -> Any:
        """As a user of this kind of data wants them: pictures as a uint8 array, for instance."""
        return self.domain.present(self.items, self.spec)

    def save(self, folder: str | Path) -> list[Path]:
        """Write the samples as files, with a view of them; returns the paths.

        A kind of data whose items lie one after another in a file is written as it is generated,
        in bounded memory.
        """
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        if self.as_grid:
            steps = self.columns or len(self.items)
            paths = self.domain.write_walks(self.items, self.spec, target, steps)
        elif self.domain.shown_items is None:
            paths = self.domain.write(self.items, self.spec, target, self.label)
        else:
            return self._stream(target, self.domain.shown_items)
        grid = self.domain.preview(self.items, self.spec, target / "grid", columns=self.columns)
        return [*paths, grid]

    def _stream(self, target: Path, most: int) -> list[Path]:
        import numpy as np

        shown: list[np.ndarray] = []

        def watched() -> Iterator[np.ndarray]:
            blocks = iter([self.items]) if "items" in self.__dict__ else self.blocks()
            for block in blocks:
                if sum(map(len, shown)) < most:
                    shown.append(block[:most])
                yield block

        paths = self.domain.write_blocks(watched(), self.spec, target, self.label)
        first = np.concatenate(shown)[:most]
        return [*paths, self.domain.preview(first, self.spec, target / "grid")]


def meeting(
    blocks: Iterator[np.ndarray], n: int, meets: Callable[[np.ndarray], np.ndarray], tally: Tally
) -> Iterator[np.ndarray]:
    """Of endless blocks of items the first n that meet conditions.

    Args:
        blocks: of items.
        n: how many are wanted.
        meets: says it of each item of a block, bool (items,).
        tally: counts, from 0.

    Raises:
        DataError: they are met too rarely.
    """
    tally.drawn = tally.met = 0
    while tally.met < n:
        block = next(blocks)
        flags = meets(block)
        wanted = n - tally.met
        kept = block[flags][:wanted]
        tally.drawn += len(block)
        tally.met += int(flags.sum())
        if len(kept):
            yield kept
        if tally.met < n and tally.drawn > MOST_TRIED + MOST_FOR_ONE * tally.met:
            raise DataError(
                f"the conditions are met too rarely: {tally}, and {n:,} are wanted",
                hint="ask for less, or train on data that hold more of it",
            )
