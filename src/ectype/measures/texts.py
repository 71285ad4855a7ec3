"""What can be counted in texts: variety, sameness, copying, and how far two are apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

#: Longest strings of units that self-BLEU looks at.
BLEU_ORDER = 4
#: Texts of fewer words than this, on average, are compared by their characters.
FEW_WORDS = 4.0


def by_words(texts: Sequence[str]) -> bool:
    """Whether texts are long enough, and spaced, to be compared word by word."""
    return sum(len(text.split()) for text in texts) >= FEW_WORDS * len(texts)


def units(texts: Sequence[str], words: bool) -> list[list[str]]:
    """The words or the characters of each text."""
    return [text.split() if words else list(text) for text in texts]


def distinct(texts: Sequence[Sequence[str]], length: int) -> float:
    """Different strings of so many units, as a share of all there are; 1 where there are none.

    Li et al. (arXiv 1510.03055), section 5. It falls with the number of texts: compare at equal
    numbers only.
    """
    found = [string for text in texts for string in _strings(text, length)]
    return len(set(found)) / len(found) if found else 1.0


def self_bleu(texts: Sequence[Sequence[str]]) -> float:
    """Mean BLEU-4 of each text against all others: 1 where all are alike.

    Zhu et al., "Texygen" (arXiv 1802.01886). Of strings of 1 to 4 units those that another text
    has too, no more often than the text that has each most often; the geometric mean of the four
    shares. A text too short for the longest strings is judged by those it has, and a share of 0
    counts as half a string. With so many references some are of the text's own length, so there
    is no penalty for brevity.
    """
    logs = np.zeros(len(texts))
    orders = np.zeros(len(texts))
    for length in range(1, BLEU_ORDER + 1):
        counts = [Counter(_strings(text, length)) for text in texts]
        most: dict[tuple[str, ...], tuple[int, int, int]] = {}  # most, whose, most of the others
        for number, count in enumerate(counts):
            for string, times in count.items():
                first, whose, second = most.get(string, (0, -1, 0))
                if times > first:
                    most[string] = (times, number, first)
                elif times > second:
                    most[string] = (first, whose, times)
        for number, count in enumerate(counts):
            if not count:
                continue
            matched = 0
            for string, times in count.items():
                first, whose, second = most[string]
                matched += min(times, second if whose == number else first)
            logs[number] += np.log(max(matched, 0.5) / count.total())
            orders[number] += 1
    return float(np.exp(logs / orders.clip(min=1)).mean())


def longest_copied(texts: Sequence[str], train: Sequence[str]) -> NDArray[np.float64]:
    """The longest string that each text shares with a training text, as a share of its length.

    1 is a text that stands in the training data, whole or as part of a longer one. Strings are
    told apart by 64-bit hashes.

    Args:
        texts: not empty ones.
        train: any.

    Returns:
        (n,), each 0 to 1.
    """
    lengths = np.array([len(text) for text in texts])
    seen, own = _Strings(train), _Strings(texts)
    longest = np.zeros(len(texts), np.int64)
    alive = np.ones(len(texts), bool)
    for length in range(1, int(lengths.max()) + 1):
        keys, text = own.keys(length)
        asked = alive[text]
        known, _ = seen.keys(length)
        found = np.isin(keys[asked], np.unique(known))
        alive = np.zeros(len(texts), bool)
        alive[text[asked][found]] = True
        if not alive.any():
            break
        longest[alive] = length
    return longest / lengths


def edit_distances(first: Sequence[str], second: Sequence[str]) -> NDArray[np.int64]:
    """Levenshtein distance of each pair: characters put in, left out or exchanged, (n,).

    All pairs at once, a row of the table at a time. In a row, the cost of putting characters in
    is a running minimum: d[j] = min over i ≤ j of (t[i] + j − i).
    """
    a, b = _padded(first), _padded(second)
    a_length = np.array([len(text) for text in first], np.int64)
    b_length = np.array([len(text) for text in second], np.int64)
    places = np.arange(b.shape[1] + 1)
    row = np.tile(places, (len(first), 1))
    result = row[np.arange(len(first)), b_length].copy()
    for number in range(a.shape[1]):
        kept = row[:, :-1] + (a[:, number : number + 1] != b)
        step = np.concatenate([row[:, :1] + 1, np.minimum(kept, row[:, 1:] + 1)], 1)
        row = np.minimum.accumulate(step - places, 1) + places
        ends = a_length == number + 1
        result[ends] = row[ends, b_length[ends]]
    return result


class _Strings:
    """Hashes of all strings of a length in some texts, growing from length to length."""

    def __init__(self, texts: Sequence[str]):
        codes = np.frombuffer("".join(texts).encode("utf-32-le"), np.uint32).astype(np.uint64)
        lengths = np.array([len(text) for text in texts], np.int64)
        codes = (codes + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        self._codes = codes ^ (codes >> np.uint64(31))
        self._text = np.repeat(np.arange(len(texts)), lengths)
        self._left = np.repeat(lengths.cumsum(), lengths) - np.arange(len(codes))
        self._keys = np.zeros_like(self._codes)
        self._length = 0

    def keys(self, length: int) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """Of every string of this length, never less than when last asked, and its text."""
        while self._length < length:
            place = np.flatnonzero(self._left > self._length)
            following = self._codes[place + self._length]
            self._keys[place] = self._keys[place] * np.uint64(0xD6E8FEB86659FD93) + following
            self._length += 1
        there = self._left >= length
        return self._keys[there], self._text[there]


def _strings(text: Sequence[str], length: int) -> list[tuple[str, ...]]:
    return [tuple(text[i : i + length]) for i in range(len(text) - length + 1)]


def _padded(texts: Sequence[str]) -> NDArray[np.int64]:
    """Code points (n, longest), filled up with −1."""
    result = np.full((len(texts), max(map(len, texts), default=0)), -1, np.int64)
    for row, text in zip(result, texts, strict=True):
        row[: len(text)] = np.frombuffer(text.encode("utf-32-le"), np.uint32)
    return result
