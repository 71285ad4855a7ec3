"""How long texts may be, and what is said about those that were read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from ectype.domains.base import Reject
from ectype.domains.text.tokens import Tokens

#: Tokens of the longest texts that are learned unless the user says otherwise.
MOST_TOKENS = 512
#: The longest text counts if it is no longer than this multiple of the 99 in 100 that are shorter.
OUTLIER = 3.0
#: Where a larger share of the texts is too long, they are cut rather than left out.
MOST_LEFT_OUT = 0.05

NAMES = {"characters": "characters", "bytes": "bytes", "bpe": "pieces of words"}


def choose_length(
    encoded: Sequence[Sequence[int]],
    tokens: Tokens,
    asked: int | None,
    longer: Literal["auto", "drop", "cut"],
) -> tuple[int, bool, str]:
    """How many tokens an item has, its end among them, and whether longer texts are cut.

    Returns:
        Both, and a sentence that says so.
    """
    needed = np.array([len(text) + 1 for text in encoded])
    if asked is None:
        longest, most = int(needed.max()), int(np.quantile(needed, 0.99, method="higher"))
        length = min(longest if longest <= OUTLIER * most else most, MOST_TOKENS)
        why = ""
    else:
        length, why = asked, f", as data.length={asked} says"
    too_long = int((needed > length).sum())
    share = too_long / len(needed)
    cut = longer == "cut" or (longer == "auto" and share > MOST_LEFT_OUT)
    said = f"A text has up to {length - 1:,} {NAMES[tokens.kind]}{why}"
    said += f"; on average {needed.mean() - 1:,.0f}"
    if too_long:
        what = "cut there (data.longer=drop leaves them out)"
        what = what if cut else "left out (data.longer=cut keeps their beginnings)"
        said += f". {too_long:,} longer ones are {what}"
    return length, cut, f"{said}."


def count_note(texts: Sequence[str], keys: Sequence[str]) -> str:
    """How many texts there are, and how many are the same as another."""
    said = f"{len(texts):,} texts"
    repeated = len(keys) - len(set(keys))
    if repeated:
        said += (
            f"; {repeated:,} repeat another, but for case and punctuation: they are kept, and "
            "lie in one part with it"
        )
    return f"{said}."


def reject_note(rejects: Sequence[Reject]) -> str:
    """How many texts were left out; empty where none were."""
    return f"{len(rejects):,} texts are left out." if rejects else ""


def summary(
    texts: Sequence[str],
    labels: np.ndarray | None,
    names: Sequence[str],
    rejects: Sequence[Reject],
    tokens: Tokens,
    length: int,
    unit: str,
) -> dict[str, Any]:
    """Figures for `inspect --json`."""
    counts = Counter(names[label] for label in labels) if labels is not None else {}
    lengths = np.array([len(text) for text in texts])
    return {
        "count": len(texts),
        "rejected": len(rejects),
        "unit": unit,
        "tokens": tokens.kind,
        "vocabulary": tokens.size,
        "length": length,
        "characters": {
            "least": int(lengths.min()),
            "mean": float(lengths.mean()),
            "most": int(lengths.max()),
            "different": len(set().union(*texts)),
        },
        "labels": {name: counts[name] for name in names},
    }
