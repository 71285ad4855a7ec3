"""The two sets of texts of `equal_time_text`, with the split that all candidates share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

SPLIT_SEED = 0


@dataclass(frozen=True, kw_only=True)
class Texts:
    """A task: texts to learn from, and three sets that no candidate sees.

    Attributes:
        name: of the set.
        train: what candidates learn from.
        held_out: what samples are judged by: they should tell much about these.
        real: as many, in the samples' place, for the floor.
        others: what the judge of samples learns from.
    """

    name: str
    train: list[str]
    held_out: list[str]
    real: list[str]
    others: list[str]


def names(path: Path) -> Texts:
    """US names: 16,000 to learn from, 4,000 held out, the other 67,910 for the judge."""
    return _parted("names", path, train=16_000, held_out=4_000)


def fortunes(path: Path) -> Texts:
    """Sayings of at most 200 characters: 8,000 to learn from, 1,000 held out."""
    return _parted("fortunes", path, train=8_000, held_out=1_000)


def _parted(name: str, path: Path, *, train: int, held_out: int) -> Texts:
    texts = list(dict.fromkeys(line for line in path.read_text("utf-8").splitlines() if line))
    if len(texts) < train + 3 * held_out // 2:
        raise SystemExit(f"{path} holds {len(texts)} texts, too few for this benchmark")
    order = np.random.default_rng(SPLIT_SEED).permutation(len(texts))
    shuffled = [texts[i] for i in order]
    ends = (train, train + held_out, train + 2 * held_out)
    return Texts(
        name=name,
        train=shuffled[: ends[0]],
        held_out=shuffled[ends[0] : ends[1]],
        real=shuffled[ends[1] : ends[2]],
        others=shuffled[ends[2] :],
    )
