"""Identifiers: made anew after the pattern of the real ones, none twice and none of theirs."""

from __future__ import annotations

import math
import string
from typing import Any

import numpy as np

_CLASSES = (string.digits, "0123456789abcdef", string.ascii_lowercase, string.ascii_uppercase)
#: Longer ones are not looked at further than this.
_LONGEST = 64


def template(values: list[Any]) -> dict[str, Any]:
    """How to make more of some identifiers; holds none of them.

    Whole numbers go on after the largest. Texts of one length vary where the real ones vary, and
    begin with characters that no real one begins with. Other texts are `row-1`, `row-2`, ….

    Args:
        values: all real ones, texts or numbers.
    """
    texts = [str(value) for value in values]
    number = all(isinstance(value, int | float | np.number) for value in values)
    if number or all(text.strip().isdecimal() for text in texts):
        largest = max(int(value) for value in values)
        width = len(texts[0]) if len({len(t) for t in texts}) == 1 and not number else 0
        return {"next": largest + 1, "width": width, "number": number}
    if len({len(text) for text in texts}) > 1 or len(texts[0]) > _LONGEST:
        return {"prefix": "row-"}
    places = [_alphabet({text[i] for text in texts}) for i in range(len(texts[0]))]
    free = [i for i, alphabet in enumerate(places) if len(alphabet) > 1]
    used = 0
    for used in range(1, len(free) + 1):
        seen = {tuple(text[i] for i in free[:used]) for text in texts}
        room = math.prod(len(places[i]) for i in free[:used])
        if len(seen) < room:
            fresh = _unseen(seen, [places[i] for i in free[:used]])
            return {"places": _fixed(places, free, fresh), "prefix": ""}
    return {"places": places, "prefix": "x"}  # every one is taken: one more character


def make(template: dict[str, Any], start: int, n: int) -> list[Any]:
    """Identifiers `start` to `start + n`; each index has its own.

    >>> make({"next": 8, "width": 3, "number": False}, 0, 2)
    ['008', '009']
    """
    if "next" in template:
        found = range(template["next"] + start, template["next"] + start + n)
        return [*found] if template["number"] else [str(i).zfill(template["width"]) for i in found]
    if "places" not in template:
        return [f"{template['prefix']}{i + 1}" for i in range(start, start + n)]
    places = template["places"]
    sizes = [len(alphabet) for alphabet in places]
    room = math.prod(sizes)
    stride = _coprime(room)
    found = []
    for i in range(start, start + n):
        rounds, index = divmod(i, room)
        index = index * stride % room
        characters = []
        for alphabet in reversed(places):
            index, at = divmod(index, len(alphabet))
            characters.append(alphabet[at])
        more = f"-{rounds}" if rounds else ""
        found.append(template["prefix"] + "".join(reversed(characters)) + more)
    return found


def _alphabet(characters: set[str]) -> str:
    """The class of characters that some belong to, or just these."""
    if len(characters) == 1:
        return next(iter(characters))
    return next((c for c in _CLASSES if characters <= set(c)), "".join(sorted(characters)))


def _unseen(seen: set[tuple[str, ...]], alphabets: list[str]) -> str:
    """The first combination of characters that is not among those seen."""
    index = 0
    while True:
        rest, characters = index, []
        for alphabet in reversed(alphabets):
            rest, at = divmod(rest, len(alphabet))
            characters.append(alphabet[at])
        if tuple(reversed(characters)) not in seen:
            return "".join(reversed(characters))
        index += 1


def _fixed(places: list[str], free: list[int], characters: str) -> list[str]:
    """The places with the first free ones fixed to some characters."""
    fixed = dict(zip(free, characters, strict=False))
    return [fixed.get(i, alphabet) for i, alphabet in enumerate(places)]


def _coprime(room: int) -> int:
    """A stride that visits all of `room` indices, in an order that does not look like counting."""
    if room < 3:
        return 1
    stride = int(room * 0.6180339887) | 1
    while math.gcd(stride, room) != 1:
        stride += 2
    return stride
