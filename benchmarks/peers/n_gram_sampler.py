"""Texts drawn from 6-grams of characters: what copying and no thought come to.

Interpolated Kneser–Ney probabilities are a mixture: with 1 − D·N / C a string that was seen, with
D·N / C what the shorter context says. So a draw needs no probabilities of all characters.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict

import numpy as np

from benchmarks.peers.text_protocol import Result, Task, argument_parser, read_task, write_result

ORDER = 6
BEGIN, END = "\x02", "\x03"
LONGEST = 400


def main() -> None:
    """Count and sample; there is nothing to train."""
    task = read_task(argument_parser(__doc__).parse_args())
    start = time.perf_counter()
    tables = count(task)
    counted = time.perf_counter()
    random = np.random.default_rng(task.seed)
    samples = [draw(tables, random) for _ in range(task.samples)]
    result = Result(
        samples=samples,
        train_seconds=counted - start,
        sample_seconds=time.perf_counter() - counted,
        items=len(task.train),
        note=f"{ORDER}-grams",
    )
    write_result(task, result)


def count(task: Task) -> list[dict[str, tuple[str, np.ndarray, float]]]:
    """For each length and context: what may follow, its cumulative share, and what is left over."""
    tables = []
    for length in range(1, ORDER + 1):
        strings: Counter[str] = Counter()
        before: defaultdict[str, set[str]] = defaultdict(set)
        for text in task.train:
            marked = f"{BEGIN}{text}{END}"
            for end in range(max(length, 2), len(marked) + 1):
                string = marked[end - length : end]
                if length == ORDER or end == length:
                    strings[string] += 1
                else:
                    before[string].add(marked[end - length - 1])
        strings.update({string: len(found) for string, found in before.items()})
        once = sum(c == 1 for c in strings.values())
        twice = sum(c == 2 for c in strings.values())
        discount = once / (once + 2 * twice) if once else 0.5
        following: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
        for string, times in strings.items():
            following[string[:-1]].append((string[-1], times))
        tables.append(
            {
                context: _shares(entries, discount if length > 1 else 0.0)
                for context, entries in following.items()
            }
        )
    return tables


def _shares(entries: list[tuple[str, int]], discount: float) -> tuple[str, np.ndarray, float]:
    counts = np.array([times for _, times in entries], float)
    shares = np.maximum(counts - discount, 0).cumsum() / counts.sum()
    return "".join(symbol for symbol, _ in entries), shares, 1 - float(shares[-1])


def draw(
    tables: list[dict[str, tuple[str, np.ndarray, float]]], random: np.random.Generator
) -> str:
    """One text."""
    text = BEGIN
    while len(text) < LONGEST:
        for length in range(min(ORDER, len(text) + 1), 0, -1):
            found = tables[length - 1].get(text[len(text) - length + 1 :])
            if found is None:
                continue
            symbols, shares, left = found
            place = random.random()
            if place < 1 - left or length == 1:
                index = min(int(np.searchsorted(shares, place, "right")), len(symbols) - 1)
                break
        else:
            raise AssertionError("single characters always follow")
        if symbols[index] == END:
            break
        text += symbols[index]
    return text[1:]


if __name__ == "__main__":
    main()
