"""Texts as vectors: counts of short strings, hashed; and the mean of what their words mean.

The first sees spelling, in any script, and needs nothing. The second sees what a text is about:
the embeddings are those of the PyPI package `wordllama` (MIT licence), of which only the files of
weights and of the tokenizer are read; none of its code is run.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ectype.errors import UsageError
from ectype.measures.features import Features, FeatureSpace

if TYPE_CHECKING:
    from tokenizers import Tokenizer

SPACE = "character-n-grams@256"
EMBEDDED = "wordllama@256"
_WEIGHTS = Path("weights", "l2_supercat_256.safetensors")
_TOKENIZER = Path("tokenizers", "l2_supercat_tokenizer_config.json")
_LENGTHS = (1, 2, 3)
_DIM = 256
#: What begins and ends a text: no character of Unicode.
_EDGE = 0x110000


def text_space(name: str, texts_of: Callable[[NDArray[Any]], Sequence[str]]) -> FeatureSpace:
    """The space of a name, over stored items that a domain turns into texts.

    Raises:
        ValueError: there is none of that name.
    """
    spaces = {SPACE: character_n_grams, EMBEDDED: mean_embeddings}
    if name not in spaces:
        known = ", ".join(spaces)
        raise ValueError(f"no feature space of texts is named {name!r}; known: {known}")

    def extract(items: NDArray[Any], /, *, device: str = "cpu") -> Features:
        del device
        return spaces[name](texts_of(items))

    return FeatureSpace(name=name, dim=_DIM, extract=extract)


def mean_embeddings(texts: Sequence[str]) -> Features:
    """The mean of the embeddings of each text's pieces of words, (n, 256) float32; 0 of none.

    Raises:
        UsageError: the packages that hold them are not installed.
    """
    tokenizer, embeddings = _wordllama()
    features = np.zeros((len(texts), _DIM), np.float32)
    for row, found in zip(
        features, tokenizer.encode_batch(list(texts), add_special_tokens=False), strict=True
    ):
        if found.ids:
            row[:] = embeddings[found.ids].mean(0, dtype=np.float32)
    return features


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


@lru_cache(maxsize=1)
def _wordllama() -> tuple[Tokenizer, NDArray[np.float16]]:
    package = importlib.util.find_spec("wordllama")
    if package is None or not package.submodule_search_locations:
        message = f"the feature space {EMBEDDED} needs the package wordllama"
        raise UsageError(
            message, hint=f"pip install 'ectype[text]', or leave evaluation.features at {SPACE}"
        )
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer  # wordllama cannot be without it

    folder = Path(package.submodule_search_locations[0])
    weights = load_file(folder / _WEIGHTS)["embedding.weight"]
    return Tokenizer.from_file(str(folder / _TOKENIZER)), weights


def _mixed(key: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A well-mixed hash of each key: the finaliser of SplitMix64."""
    key = (key ^ (key >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    key = (key ^ (key >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return key ^ (key >> np.uint64(31))
