"""How a row of a table lies in the vector that networks read.

A row is a vector of blocks, one a column. A number is its normal score: the standard normal
quantile of its rank, so that every column is about standard normal whatever its scale and tails.
A second place flags a missing value. A category is one-hot over its frequent values; where rare
ones share a place, a further number says which.

For the likelihood every column is a *code*: numbers fall into cells, each a single value that
occurs often or a stretch between values. A column of many codes is told in two *steps*, coarse and
fine, so that no step has more than about a hundred choices and its cost stays small.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

#: A column of more codes is told in two steps.
MOST_IN_ONE_STEP = 128
#: Normal scores end here: beyond lies less than one of 30,000 rows.
MOST_SCORE = 4.0
#: Waves that a number is told in, each an octave above the one before.
OCTAVES = 5
#: Rows of at most as many columns, all of them numbers, are few numbers.
FEW = 3


@dataclass(frozen=True)
class Number:
    """A number's block: its normal score, and whether it is missing.

    Attributes:
        uppers: share of the rows at or below the end of each cell, ascending, the last one 1.
        single: whether a cell is one value; else it is a stretch.
        missing: whether values may be missing.
    """

    uppers: tuple[float, ...]
    single: tuple[bool, ...]
    missing: bool

    @property
    def size(self) -> int:
        """Places in a row."""
        return 2 if self.missing else 1

    @property
    def codes(self) -> int:
        """Cells, and behind them one code for a missing value."""
        return len(self.uppers) + self.missing


@dataclass(frozen=True)
class Category:
    """A category's block: one place a code, the last of them for rare values if there are any."""

    codes: int
    rare: bool

    @property
    def size(self) -> int:
        """Places in a row."""
        return self.codes + self.rare


Block = Number | Category


@dataclass(frozen=True)
class Layout:
    """The blocks of a row in order; which of them is the label, and the code of each label."""

    blocks: tuple[Block, ...]
    label: int | None = None
    label_codes: tuple[int, ...] = field(default=())

    @property
    def size(self) -> int:
        """Length of a row."""
        return sum(block.size for block in self.blocks)

    @property
    def few(self) -> bool:
        """Whether a row is a few numbers and nothing else, as a place on a map is."""
        return len(self.blocks) <= FEW and all(isinstance(b, Number) for b in self.blocks)

    @property
    def steps(self) -> tuple[tuple[int, int, int], ...]:
        """Of each step the column, the number of choices, and what a code is divided by."""
        found: list[tuple[int, int, int]] = []
        for column, block in enumerate(self.blocks):
            if block.codes <= MOST_IN_ONE_STEP:
                found.append((column, block.codes, 1))
            else:
                fine = math.isqrt(block.codes - 1) + 1
                found += [(column, -(-block.codes // fine), fine), (column, fine, 0)]
        return tuple(found)


class Rows(nn.Module):
    """Passes between rows (n, layout.size), codes (n, columns) and steps (n, steps)."""

    label_codes: Tensor
    frequencies: Tensor

    def __init__(self, layout: Layout):
        super().__init__()
        self.layout = layout
        ends = torch.tensor([block.size for block in layout.blocks]).cumsum(0).tolist()
        self.places = [slice(e - b.size, e) for e, b in zip(ends, layout.blocks, strict=True)]
        for column, block in enumerate(layout.blocks):
            if isinstance(block, Number):
                uppers = torch.tensor(block.uppers, dtype=torch.float64)
                lowers = torch.cat([uppers.new_zeros(1), uppers[:-1]])
                middle, half = (lowers + uppers) / 2, (uppers - lowers) / 2
                half = torch.where(torch.tensor(block.single), 0.0, half)
                self._keep(f"edges{column}", scores(uppers[:-1]).float())
                self._keep(f"middles{column}", middle)
                self._keep(f"halves{column}", half)
        self._keep("label_codes", torch.tensor(layout.label_codes, dtype=torch.int64))
        fine = {column: vocabulary for column, vocabulary, divisor in layout.steps if not divisor}
        self._keep("frequencies", frequencies())
        self._columns = [column for column, _, _ in layout.steps]
        self._fine = [fine.get(column, 0) for column in range(len(layout.blocks))]

    def codes(self, x: Tensor) -> Tensor:
        """The code of every column, int64 (n, columns)."""
        found: list[Tensor] = []
        for column, (block, place) in enumerate(zip(self.layout.blocks, self.places, strict=True)):
            part = x[:, place]
            if isinstance(block, Category):
                found.append(part[:, : block.codes].argmax(1))
                continue
            cell = torch.bucketize(part[:, 0].contiguous(), getattr(self, f"edges{column}"))
            if block.missing:
                cell = torch.where(part[:, 1] > 0.5, len(block.uppers), cell)
            found.append(cell)
        return torch.stack(found, 1)

    def rows(self, codes: Tensor, place: Tensor) -> Tensor:
        """Rows of codes (n, columns); `place` (n, columns) in 0..1 is where in a cell they lie."""
        columns = range(len(self.layout.blocks))
        return torch.cat([self.part(c, codes[:, c], place[:, c]) for c in columns], 1)

    def part(self, column: int, code: Tensor, place: Tensor) -> Tensor:
        """A column's part of rows (n, block.size), from codes and places in cells, both (n,)."""
        block = self.layout.blocks[column]
        if isinstance(block, Category):
            hot = one_hot(code, block.codes).float()
            if not block.rare:
                return hot
            rare = torch.where(code == block.codes - 1, scores(place), 0.0)
            return torch.cat([hot, rare.float()[:, None]], 1)
        missing = code >= len(block.uppers)
        cell = code.clamp(max=len(block.uppers) - 1)
        middles, halves = getattr(self, f"middles{column}"), getattr(self, f"halves{column}")
        score = scores(middles[cell] + (2 * place - 1) * halves[cell])
        score = torch.where(missing, 0.0, score).float()
        return torch.stack([score, missing.float()], 1) if block.missing else score[:, None]

    def positions(self, step: int) -> Tensor | None:
        """Where the choices of a number's step lie on a line, (choices,); None for a category.

        Of whole cells their normal scores, of cells within a coarse one −1 to 1; NaN for missing.
        """
        column, choices, divisor = self.layout.steps[step]
        block = self.layout.blocks[column]
        if isinstance(block, Category):
            return None
        if divisor == 0:
            return torch.linspace(-1, 1, choices)
        found = scores(getattr(self, f"middles{column}")).float()
        gaps = found.new_full((choices * divisor - len(found),), torch.nan)
        return torch.cat([found, gaps]).view(choices, divisor).nanmean(1)

    def to_steps(self, codes: Tensor) -> Tensor:
        """Codes (n, columns) as the choices of each step (n, steps)."""
        choices = [self.choice(step, codes[:, column]) for step, column in enumerate(self._columns)]
        return torch.stack(choices, 1)

    def choice(self, step: int, code: Tensor) -> Tensor:
        """What a code (n,) of a step's column makes that step choose."""
        column, _, divisor = self.layout.steps[step]
        if divisor == 0:
            return code % self._fine[column]
        return code if divisor == 1 else code // divisor

    def told(self, step: int, code: Tensor, choice: Tensor) -> Tensor:
        """A column's code (n,) as known after a step of it chose, given what was known before."""
        column, _, divisor = self.layout.steps[step]
        if divisor == 0:
            return (code + choice).clamp(max=self.layout.blocks[column].codes - 1)
        return choice * divisor

    def _keep(self, name: str, tensor: Tensor) -> None:
        """A buffer that follows the device and is no part of the weights: the spec has it."""
        self.register_buffer(name, tensor, persistent=False)


def frequencies() -> Tensor:
    """Of the waves that a score is told in, radians, (OCTAVES,)."""
    return math.pi / 2 * 2.0 ** torch.arange(OCTAVES)


def scores(share: Tensor) -> Tensor:
    """Shares in 0..1 as normal scores, within ±`MOST_SCORE`."""
    return torch.special.ndtri(share).clamp(-MOST_SCORE, MOST_SCORE)
