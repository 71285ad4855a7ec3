"""One code that judges every candidate's texts, beside real texts in the samples' place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from benchmarks.text_data import Texts
from ectype.measures.ngrams import UNKNOWN, NGrams
from ectype.measures.texts import by_words, distinct, longest_copied, self_bleu, units

#: Texts that self-BLEU is computed of: its time grows with them.
COMPARED = 1_000


class TextJudge:
    """Measures samples of one number.

    Forward perplexity is that of samples under 6-grams of texts that no model saw, and of the
    training texts, which copies please; reverse perplexity is that of held-out texts under 6-grams
    of the samples.
    """

    def __init__(self, texts: Texts):
        self.texts = texts
        self.n = len(texts.held_out)
        everything = (texts.train, texts.held_out, texts.real, texts.others)
        self.alphabet = len(set().union(*(set(t) for part in everything for t in part))) + UNKNOWN
        self.judge = NGrams(texts.others, alphabet=self.alphabet)
        self.learned = NGrams(texts.train, alphabet=self.alphabet)
        self.seen = set(texts.train)
        self.words = by_words(texts.held_out)

    def row(self, samples: Sequence[str]) -> dict[str, Any]:
        """The figures of samples; empty ones count as such and nowhere else.

        Raises:
            ValueError: there are too few.
        """
        if len(samples) < self.n:
            raise ValueError(f"{len(samples)} samples where {self.n} are judged")
        samples = samples[: self.n]
        written = [text for text in samples if text.strip()]
        some = units(written[:COMPARED], self.words)
        return {
            "forward": self.judge.perplexity(written),
            "forward, learned": self.learned.perplexity(written),
            "reverse": NGrams(written, alphabet=self.alphabet).perplexity(self.texts.held_out),
            "copies": sum(text in self.seen for text in samples) / self.n,
            "longest copied": float(longest_copied(written[:COMPARED], self.texts.train).mean()),
            "unique": len(set(samples)) / self.n,
            "empty": 1 - len(written) / self.n,
            "distinct-2": distinct(some, 2),
            "self-BLEU": self_bleu(some),
        }

    def likelihood(self, nats: float, texts: Sequence[str]) -> dict[str, float]:
        """Mean −log p of some texts, and the perplexity a character, the end counted as one."""
        characters = sum(len(text) + 1 for text in texts) / len(texts)
        return {"nats": nats, "perplexity": math.exp(nats / characters)}

    def n_gram_nats(self) -> float:
        """−log p of a held-out text under 6-grams of the training texts, nats."""
        return float(self.learned.nats(self.texts.held_out).mean())
