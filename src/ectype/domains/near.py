"""Finding pictures that are nearly the same, so that they stay in one part.

Each picture gets a sketch: a difference hash of its grey version, and a small colour picture
with alpha. Two are near-identical when the hashes differ in at most `MOST_BITS` and the small
pictures hardly at all: icons of one outline and different colours are different pictures.

Reference: https://www.hackerfactor.com/blog/index.php?/archives/529-Kind-of-Like-That.html
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MOST_BITS = 3
#: Mean and largest difference of the small pictures, of 255.
MOST_MEAN, MOST_ANYWHERE = 3.0, 24
_SIDE = 8
_NEIGHBOURS = 8
_ONES = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(axis=1)


@dataclass(frozen=True)
class Sketches:
    """Hash (n,) uint64 and small picture (n, values) uint8 of each picture."""

    hashes: np.ndarray
    small: np.ndarray

    @staticmethod
    def join(several: list[Sketches]) -> Sketches:
        """Several one after another."""
        hashes = np.concatenate([sketches.hashes for sketches in several])
        return Sketches(hashes, np.concatenate([sketches.small for sketches in several]))


def sketch(items: np.ndarray) -> Sketches:
    """Sketches of items (n, h, w, c), c of 1 to 4, with alpha last where c is even."""
    values = items.astype(np.float32)
    if items.shape[-1] % 2 == 0:  # hidden colours must not count
        values[..., :-1] *= values[..., -1:] / 255
    small = _pooled(values, _SIDE, _SIDE)
    grey = _pooled(values.mean(axis=-1, keepdims=True), _SIDE, _SIDE + 1)[..., 0]
    # A difference below 2 levels is noise; flat areas give no bits.
    bits = (grey[:, :, 1:] - grey[:, :, :-1] > 2).reshape(len(items), -1)
    hashes = np.packbits(bits, axis=1).view(">u8")[:, 0].astype(np.uint64)
    return Sketches(hashes, np.rint(small).astype(np.uint8).reshape(len(items), -1))


def near_pairs(sketches: Sketches) -> list[tuple[int, int]]:
    """Pairs of indices of near-identical pictures; enough of them to connect each group.

    Sorted neighbourhoods: pictures are sorted by the hash, rotated four ways so that each quarter
    of the bits leads once, and compared with the next few. Three differing bits leave one of four
    quarters alone, so near hashes mostly stand together in one of the orders. Linear in time.
    """
    hashes, small = sketches.hashes, sketches.small
    brightness = small.mean(axis=1)
    pairs: set[tuple[int, int]] = set()
    for rotation in range(0, 64, 16):
        turned = hashes
        if rotation:
            turned = (hashes << np.uint64(rotation)) | (hashes >> np.uint64(64 - rotation))
        order = np.lexsort((brightness, turned))
        for step in range(1, min(_NEIGHBOURS + 1, len(order))):
            first, second = order[:-step], order[step:]
            close = _ones(hashes[first] ^ hashes[second]) <= MOST_BITS
            first, second = first[close], second[close]
            apart = np.abs(small[first].astype(np.int16) - small[second])
            alike = (apart.mean(axis=1) <= MOST_MEAN) & (apart.max(axis=1) <= MOST_ANYWHERE)
            pairs.update(zip(first[alike].tolist(), second[alike].tolist(), strict=True))
    return sorted(pairs)


def _ones(words: np.ndarray) -> np.ndarray:
    """Number of one bits in each uint64 word (n,)."""
    return _ONES[words.view(np.uint8).reshape(-1, 8)].sum(axis=1)


def _pooled(values: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Mean over a grid of cells: (n, h, w, c) to (n, rows, columns, c), float32."""
    down = _cells(values.shape[1], rows)
    across = _cells(values.shape[2], columns)
    pooled = np.tensordot(values, down, axes=(1, 1))  # (n, w, c, rows)
    pooled = np.tensordot(pooled, across, axes=(1, 1))  # (n, c, rows, columns)
    return np.moveaxis(pooled, 1, 3)


def _cells(side: int, count: int) -> np.ndarray:
    """Weight of each of `side` pixels in each of `count` equal cells, (count, side)."""
    edges = np.linspace(0, side, count + 1)
    pixels = np.arange(side)
    low = np.maximum(edges[:-1, None], pixels)
    high = np.minimum(edges[1:, None], pixels + 1)
    return (np.clip(high - low, 0, None) * count / side).astype(np.float32)
