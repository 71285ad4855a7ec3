"""Texts as numbers: characters, bytes, or pieces of words (byte pair encoding).

Token 0 ends a text and fills up what follows; it belongs to every vocabulary. A text that takes
all places has no end: it was cut, and goes on.
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np

from ectype.errors import UsageError

Kind = Literal["characters", "bytes", "bpe"]

END = 0
#: More distinct characters than this are spelled in bytes: a network has an output for each.
MOST_CHARACTERS = 4_000
#: Texts of more characters than this, on average, are learned in pieces of words.
LONG = 60
#: Pieces that a vocabulary of byte pair encoding holds: at most, and for each text.
MOST_PIECES, PIECES_PER_TEXT = 4_000, 0.1
#: And at least: the bytes themselves and some more.
FEWEST_PIECES = 512


class Tokens(ABC):
    """A vocabulary, and how texts are written in it.

    Attributes:
        kind: `characters`, `bytes` or `bpe`.
        vocabulary: all that is needed to make it again, plain text.
        size: number of tokens, the end among them.
    """

    kind: Kind
    vocabulary: str
    size: int

    @abstractmethod
    def encode(self, texts: Iterable[str]) -> list[list[int]]:
        """Tokens of each text, without the end.

        Raises:
            KeyError: a text holds what the vocabulary lacks; see `lacks`.
        """

    @abstractmethod
    def decode(self, tokens: Sequence[int]) -> str:
        """The text that tokens stand for, the end not among them.

        Bytes that are no text by themselves are left out: a model may draw half a character.
        """

    def lacks(self, text: str) -> str:
        """Characters of a text that the vocabulary lacks, each once."""
        del text
        return ""


class Characters(Tokens):
    """A token for each character (code point) of the data."""

    kind = "characters"

    def __init__(self, vocabulary: str):
        self.vocabulary = vocabulary
        self.size = len(vocabulary) + 1
        self._number = {character: i + 1 for i, character in enumerate(vocabulary)}

    def encode(self, texts: Iterable[str]) -> list[list[int]]:
        """See `Tokens.encode`."""
        number = self._number
        return [[number[character] for character in text] for text in texts]

    def decode(self, tokens: Sequence[int]) -> str:
        """See `Tokens.decode`."""
        return "".join(self.vocabulary[token - 1] for token in tokens)

    def lacks(self, text: str) -> str:
        """See `Tokens.lacks`."""
        return "".join(dict.fromkeys(c for c in text if c not in self._number))


class Bytes(Tokens):
    """A token for each byte of UTF-8: few tokens, long texts, any script."""

    kind = "bytes"
    vocabulary = ""
    size = 257

    def encode(self, texts: Iterable[str]) -> list[list[int]]:
        """See `Tokens.encode`."""
        return [[byte + 1 for byte in text.encode()] for text in texts]

    def decode(self, tokens: Sequence[int]) -> str:
        """See `Tokens.decode`."""
        return bytes(token - 1 for token in tokens).decode(errors="ignore")


class BytePairs(Tokens):
    """Frequent strings of bytes, learned from the data; the bytes are those of the data.

    Sennrich et al. (arXiv 1508.07909), over bytes. From the package `tokenizers`.
    """

    kind = "bpe"

    def __init__(self, vocabulary: str):
        self.vocabulary = vocabulary
        self._tokenizer: Any = _tokenizers().Tokenizer.from_str(vocabulary)
        self.size = self._tokenizer.get_vocab_size() + 1
        of_byte = {character: byte for byte, character in _byte_characters().items()}
        names = (self._tokenizer.id_to_token(i) for i in range(self.size - 1))
        self._bytes = [bytes(of_byte[character] for character in name) for name in names]
        self._known = {name[0] for name in self._bytes if len(name) == 1}

    def encode(self, texts: Iterable[str]) -> list[list[int]]:
        """See `Tokens.encode`."""
        found = self._tokenizer.encode_batch(list(texts))
        return [[token + 1 for token in each.ids] for each in found]

    def decode(self, tokens: Sequence[int]) -> str:
        """See `Tokens.decode`."""
        return b"".join(self._bytes[token - 1] for token in tokens).decode(errors="ignore")

    def lacks(self, text: str) -> str:
        """See `Tokens.lacks`: characters with a byte that no training text has."""
        return "".join(dict.fromkeys(c for c in text if not self._known.issuperset(c.encode())))


@functools.lru_cache(maxsize=8)
def make(kind: Kind, vocabulary: str) -> Tokens:
    """The tokens that a spec names.

    Raises:
        UsageError: they need a package that is not installed.
    """
    if kind == "characters":
        return Characters(vocabulary)
    return Bytes() if kind == "bytes" else BytePairs(vocabulary)


def choose(texts: Sequence[str], wish: Kind | Literal["auto"]) -> tuple[Tokens, str]:
    """The tokens for some texts, and a sentence that says which and why.

    Raises:
        UsageError: byte pairs were asked for, and their package is not installed.
    """
    characters = "".join(sorted(set().union(*texts)))
    mean = sum(map(len, texts)) / len(texts)
    if wish != "auto":
        kind, why = wish, f"as data.tokens={wish} says"
    elif mean > LONG and has_byte_pairs():
        kind, why = "bpe", f"texts of {mean:,.0f} characters are long"
    elif len(characters) > MOST_CHARACTERS:
        kind, why = "bytes", f"{len(characters):,} characters differ"
    else:
        kind, why = "characters", f"{len(characters):,} differ"
        if mean > LONG:
            why += "; long texts do better in pieces of words: pip install 'ectype[text]'"
    if kind == "characters":
        return Characters(characters), f"Texts are learned in characters: {why}."
    if kind == "bytes":
        return Bytes(), f"Texts are learned in bytes (UTF-8): {why}."
    tokens = learn_byte_pairs(texts)
    return tokens, f"Texts are learned in {tokens.size:,} pieces of words (byte pairs): {why}."


def has_byte_pairs() -> bool:
    """Whether the package that learns byte pairs is installed."""
    from importlib.util import find_spec

    return find_spec("tokenizers") is not None


def learn_byte_pairs(texts: Sequence[str]) -> BytePairs:
    """Learn a vocabulary of frequent strings.

    Raises:
        UsageError: the package `tokenizers` is not installed.
    """
    package = _tokenizers()
    tokenizer = package.Tokenizer(package.models.BPE())
    tokenizer.pre_tokenizer = package.pre_tokenizers.ByteLevel(add_prefix_space=False)
    size = min(MOST_PIECES, max(FEWEST_PIECES, round(PIECES_PER_TEXT * len(texts))))
    trainer = package.trainers.BpeTrainer(
        vocab_size=size,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return BytePairs(tokenizer.to_str())


def to_items(encoded: Sequence[Sequence[int]], length: int, size: int) -> np.ndarray:
    """Tokens as stored items (n, length), ended and filled up with `END`, cut where too long.

    The smallest integer type that holds `size` tokens and that torch knows well.
    """
    kind = np.uint8 if size <= 2**8 else np.int16 if size <= 2**15 else np.int32
    items = np.full((len(encoded), length), END, kind)
    for row, tokens in zip(items, encoded, strict=True):
        row[: len(tokens)] = tokens[:length]
    return items


def to_texts(items: np.ndarray, tokens: Tokens) -> list[str]:
    """The texts of stored items (n, length)."""
    ends = np.where((items == END).any(1), (items == END).argmax(1), items.shape[1])
    rows = zip(items.tolist(), ends.tolist(), strict=True)
    return [tokens.decode(row[:end]) for row, end in rows]


def _tokenizers() -> Any:
    try:
        import tokenizers
        import tokenizers.models
        import tokenizers.pre_tokenizers
        import tokenizers.trainers
    except ImportError:
        raise UsageError(
            "pieces of words need the package tokenizers, which is not installed",
            hint="pip install 'ectype[text]', or --set data.tokens=characters",
        ) from None
    return tokenizers


def _byte_characters() -> dict[int, str]:
    """The printable character that stands for each byte in a byte-level vocabulary (GPT-2's)."""
    shown = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return {
        **{byte: chr(byte) for byte in shown},
        **{byte: chr(256 + i) for i, byte in enumerate(hidden)},
    }
