"""From stored rows to what networks read, and back.

A stored row holds a number for every modelled column: the number itself, seconds since 1970 of a
date, the position of a category's value among all its values, NaN for what is missing. How network
rows are laid out is said in `nets/rows.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ectype.domains.table.columns import NAMES, Column
from ectype.nets.rows import MOST_SCORE, Block, Category, Layout, Number, scores

#: How near to the ends of its cell a value may come, as a share of the cell.
_EDGE = 1e-3


class NumberCoder:
    """Passes between a column of numbers and its block."""

    def __init__(self, column: Column):
        self.missing = column.missing is not None
        lows, highs = torch.tensor([column.lows, column.highs], dtype=torch.float64)
        self.lows, self.highs = lows, highs
        self.uppers = torch.tensor(column.uppers, dtype=torch.float64)
        self.lowers = torch.cat([self.uppers.new_zeros(1), self.uppers[:-1]])
        self.cuts = (highs[:-1] + lows[1:]) / 2
        self.decimals = column.form.get("decimals")
        self.bounds = column.form["bounds"]
        self.block = Number(
            tuple(column.uppers), tuple((lows == highs).tolist()), missing=self.missing
        )

    def encode(self, values: Tensor) -> Tensor:
        """Float64 values (n,), NaN where missing, to (n, block.size)."""
        device = values.device
        there = ~values.isnan()
        values = torch.where(there, values, self.lows[0].to(device))
        cell = torch.bucketize(values, self.cuts.to(device), right=True)
        low, high = self.lows.to(device)[cell], self.highs.to(device)[cell]
        at = (values - low) / (high - low).clamp_min(1e-300)
        at = torch.where(high == low, 0.5, at.clamp(_EDGE, 1 - _EDGE))
        lower, upper = self.lowers.to(device)[cell], self.uppers.to(device)[cell]
        score = torch.where(there, scores(lower + at * (upper - lower)), 0.0).float()
        return torch.stack([score, (~there).float()], 1) if self.missing else score[:, None]

    def decode(self, part: Tensor) -> np.ndarray:
        """(n, block.size) to values (n,), rounded as the column is and within its bounds."""
        score = part[:, 0].clamp(-MOST_SCORE, MOST_SCORE)
        cell = torch.bucketize(score.contiguous(), scores(self.uppers[:-1]).float())
        lower, upper = self.lowers[cell], self.uppers[cell]
        at = ((torch.special.ndtr(score.double()) - lower) / (upper - lower)).clamp(0, 1)
        low, high = self.lows[cell], self.highs[cell]
        values = torch.where(low == high, low, low + at * (high - low)).numpy()
        if self.decimals is not None:
            values = np.round(values, self.decimals)
        values = np.clip(values, *self.bounds)
        return np.where(part[:, 1].numpy() > 0.5, np.nan, values) if self.missing else values


class CategoryCoder:
    """Passes between a category's column and its block.

    Codes: the kept values by their position, then missing, then all the other values.
    """

    def __init__(self, column: Column):
        self.kept = column.kept
        self.missing = column.missing is not None
        self.shares = torch.tensor(column.shares, dtype=torch.float64)
        rare = bool(column.shares) and column.shares[-1] > 0
        self.rare = self.kept + self.missing
        self.block = Category(self.rare + rare, rare)

    def encode(self, values: Tensor) -> Tensor:
        """Positions (n,) as float64, NaN where missing, to (n, block.size)."""
        there = ~values.isnan()
        position = torch.where(there, values, 0.0).long()
        other = position >= self.kept
        code = torch.where(other, self.block.codes - 1, position)
        code = torch.where(there, code, self.kept)
        hot = torch.nn.functional.one_hot(code, self.block.codes).float()
        if not self.block.rare:
            return hot
        shares = self.shares.to(values.device)
        rank = (position - self.kept).clamp(0, len(shares) - 1)
        lower = torch.where(rank > 0, shares[rank - 1], 0.0)
        place = torch.where(other & there, scores((lower + shares[rank]) / 2), 0.0).float()
        return torch.cat([hot, place[:, None]], 1)

    def decode(self, part: Tensor) -> np.ndarray:
        """(n, block.size) to positions (n,)."""
        code = part[:, : self.block.codes].argmax(1)
        position = code.double()
        if self.block.rare:
            share = torch.special.ndtr(part[:, -1].double().clamp(-MOST_SCORE, MOST_SCORE))
            rank = torch.bucketize(share.contiguous(), self.shares).clamp(max=len(self.shares) - 1)
            position = torch.where(code == self.rare, self.kept + rank.double(), position)
        if self.missing:
            position = torch.where(code == self.kept, torch.nan, position)
        return position.numpy()


class Coding:
    """Passes between stored rows and network rows of one table.

    Args:
        columns: the modelled columns, in the order of stored rows.
        label: which of them is the label.
        label_codes: the code of each label in that column.
    """

    def __init__(
        self, columns: Sequence[Column], label: int | None, label_codes: Sequence[int] = ()
    ):
        self.coders = [
            CategoryCoder(column) if column.kind in NAMES else NumberCoder(column)
            for column in columns
        ]
        blocks: list[Block] = [coder.block for coder in self.coders]
        self.layout = Layout(tuple(blocks), label, tuple(label_codes))
        ends = np.cumsum([block.size for block in blocks]).tolist()
        self.places = [slice(e - b.size, e) for e, b in zip(ends, blocks, strict=True)]

    def encode(self, items: Tensor) -> Tensor:
        """Stored rows (n, columns) to network rows (n, layout.size), float32."""
        items = items.double()
        parts = [coder.encode(items[:, i]) for i, coder in enumerate(self.coders)]
        return torch.cat(parts, 1)

    def decode(self, rows: Tensor) -> np.ndarray:
        """Network rows to stored rows, float64 (n, columns)."""
        rows = rows.detach().float().cpu()
        pairs = zip(self.coders, self.places, strict=True)
        return np.stack([coder.decode(rows[:, place]) for coder, place in pairs], 1)
