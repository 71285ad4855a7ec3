"""Texts as vectors, without a network: counts of short strings, hashed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ectype.measures.features import Features, FeatureSpace

SPACE = "character-n-grams@256"
_LENGTHS = (1, 2, 3)
_DIM = 256
#: What begins and ends a text: no character of Unicode.
_EDGE = 0x110000


def text_space(name: str, texts_of: Callable[[NDArray[Any]], Sequence[str]]) -> FeatureSpace:
    """The space of a name, over stored items that a domain turns into texts.

    Raises:
        ValueError: there is none of that name.
    """
    if name != SPACE:
        raise ValueError(f"no feature space of texts is named {name!r}; known: {SPACE}")

    def extract(items: NDArray[Any], /, *, device: str = "cpu") -> Features:
        del device
        return character_n_grams(texts_of(items))

    return FeatureSpace(name=SPACE, dim=_DIM, extract=extract)


def character_n_grams(texts: Sequence[str]) -> Features:
    """Which strings of 1 to 3 characters texts hold, and how many they are, (n, 256) float32.

    Each string adds 1 or −1 to one of 255 places, both by a hash of it (Weinberger et al., arXiv
    0902.2206); strings that touch an edge of the text are told from others. The sum is divided by
    the root of the number of strings, so that texts of all lengths have vectors of about length 1.
    The last place is a fifth of the logarithm of the length.
    """
    lengths = np.array([len(text) for text in texts], np.int64)
    codes = np.full(int(lengths.sum()) + 2 * len(texts), _EDGE, np.uint64)
    ends = (lengths + 2).cumsum()
    inner = np.ones(len(codes), bool)
    inner[ends - 1] = inner[ends - lengths - 2] = False
    codes[inner] = np.frombuffer("".join(texts).encode("utf-32-le"), np.uint32)
    text = np.repeat(np.arange(len(texts)), lengths + 2)
    places = np.zeros(len(texts) * _DIM)
    for length in _LENGTHS:
        key = np.full(len(codes) - length + 1, length, np.uint64)
        for offset in range(length):
            key = _mixed(key ^ codes[offset : len(codes) - length + 1 + offset])
        there = text[: len(key)] == text[length - 1 :]  # no string spans two texts
        sign = np.where(key[there] >> np.uint64(63), 1.0, -1.0)
        place = (key[there] % np.uint64(_DIM - 1)).astype(np.int64)
        at = text[: len(key)][there] * _DIM + place
        places += np.bincount(at, weights=sign, minlength=len(places))
    strings = sum(np.maximum(lengths + 3 - length, 0) for length in _LENGTHS)
    features = places.reshape(len(texts), _DIM) / np.sqrt(strings)[:, None]
    features[:, -1] = 0.2 * np.log1p(lengths)
    return features.astype(np.float32)


def _mixed(key: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A well-mixed hash of each key: the finaliser of SplitMix64."""
    key = (key ^ (key >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    key = (key ^ (key >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return key ^ (key >> np.uint64(31))
