"""The figures that only texts have, each with the same figure of real texts beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ectype.measures.intervals import (
    NORMAL_95,
    interval,
    share_interval,
    standard_deviations,
)
from ectype.measures.measure import Measure
from ectype.measures.ngrams import UNKNOWN, NGrams
from ectype.measures.texts import (
    by_words,
    distinct,
    edit_distances,
    longest_copied,
    self_bleu,
    units,
)

#: Texts on each side at most for what grows fast with them, or means little of more.
MOST_COMPARED = 1_000
DISTINCT = (2, 3)


def text_measures(
    generated: Sequence[str], reference: Sequence[str], train: Sequence[str] | None
) -> dict[str, Measure]:
    """Perplexities, variety and copying of generated texts.

    Figures of a whole set depend on its size, so all sets are cut to that of the smallest;
    figures of single texts use all of them.

    Args:
        generated: drawn from the model; empty ones are left out, and counted as `empty`.
        reference: held-out real texts.
        train: training texts, or None where they are not at hand: then there are no floors and
            no figures of copying.
    """
    written = [text for text in generated if text.strip()]
    measures = {"empty": _share([not text.strip() for text in generated], 0.0)}
    if len(written) < 2:
        return measures
    n = min(len(written), len(reference), len(reference) if train is None else len(train))
    real = None if train is None else train[:n]
    sets = written[:n], reference[:n], real
    measures |= _perplexities(*sets)
    measures |= _variety(*sets)
    if train is not None:
        measures |= _copying(written, reference, train)
        measures["n_gram_nats"] = _plain_model(reference, train)
    return measures


def reconstruction_measures(originals: Sequence[str], copies: Sequence[str]) -> dict[str, Measure]:
    """How much of held-out texts comes back, greedy and free-running.

    The accuracy is 1 − edits / characters over all texts, edits counted one by one (Levenshtein).
    """
    edits = edit_distances(originals, copies)
    lengths = np.array([len(text) for text in originals])

    def accuracy(chosen: np.ndarray) -> float:
        return 1 - float(edits[chosen].sum() / max(lengths[chosen].sum(), 1))

    everything = np.arange(len(originals))
    value = accuracy(everything)
    deviation = standard_deviations(lambda i: {"value": accuracy(i)}, len(originals), seed=0)
    return {
        "reconstruction_accuracy": Measure(
            value=value,
            better="higher",
            n=len(originals),
            interval=interval(value, deviation["value"], -np.inf, 1),
            note="1 − edits / characters of held-out texts, written anew from their latents",
        ),
        "reconstruction_exact": Measure(
            value=float((edits == 0).mean()),
            better="higher",
            n=len(originals),
            note="share of held-out texts that come back without a fault",
        ),
    }


def _perplexities(
    generated: Sequence[str], reference: Sequence[str], train: Sequence[str] | None
) -> dict[str, Measure]:
    """Each side judged by a model of n-grams that learned from the other."""
    sides = [generated, reference, *([] if train is None else [train])]
    alphabet = len(set().union(*(set(text) for side in sides for text in side))) + UNKNOWN
    judge = NGrams(reference, alphabet=alphabet)
    own = NGrams(generated, alphabet=alphabet)
    floor = None if train is None else NGrams(train, alphabet=alphabet).perplexity(reference)
    n = len(generated)
    return {
        "forward_perplexity": Measure(
            value=judge.perplexity(generated),
            better="lower",
            n=n,
            floor=None if train is None else judge.perplexity(train),
            note="of samples, under 6-grams of held-out texts; below its floor is no merit: it "
            "means samples that are more usual than real ones",
        ),
        "reverse_perplexity": Measure(
            value=own.perplexity(reference),
            better="lower",
            n=n,
            floor=floor,
            note="of held-out texts, under 6-grams of samples",
        ),
    }


def _variety(
    generated: Sequence[str], reference: Sequence[str], train: Sequence[str] | None
) -> dict[str, Measure]:
    words = by_words(reference)
    kind = "words" if words else "characters"
    figures: dict[str, tuple[Callable[[Sequence[str]], float], int]] = {
        "unique": (lambda texts: len(set(texts)) / len(texts), len(generated))
    }
    for length in DISTINCT:
        figures[f"distinct_{length}"] = (
            lambda texts, length=length: distinct(units(texts, words), length),
            len(generated),
        )
    some = min(MOST_COMPARED, len(generated))
    figures["self_bleu"] = (lambda texts: self_bleu(units(texts[:some], words)), some)
    return {
        name: Measure(
            value=figure(generated),
            better="lower" if name == "self_bleu" else "higher",
            n=n,
            floor=None if train is None else figure(train),
            note=None if name == "unique" else f"counted in {kind}",
        )
        for name, (figure, n) in figures.items()
    }


def _plain_model(reference: Sequence[str], train: Sequence[str]) -> Measure:
    """What a language model without a latent makes of held-out texts: to see `iwae` beside."""
    alphabet = len(set().union(*(set(text) for text in (*reference, *train)))) + UNKNOWN
    nats = NGrams(train, alphabet=alphabet).nats(reference)
    error = NORMAL_95 * float(nats.std(ddof=1)) / len(nats) ** 0.5
    value = float(nats.mean())
    return Measure(
        value=value,
        better="lower",
        n=len(nats),
        interval=(value - error, value + error),
        note="−log p of a held-out text under 6-grams of the training texts, nats: no model of "
        "ours, and to be compared with the negative of iwae",
    )


def _copying(
    generated: Sequence[str], reference: Sequence[str], train: Sequence[str]
) -> dict[str, Measure]:
    seen = set(train)
    some, real = generated[:MOST_COMPARED], reference[:MOST_COMPARED]
    copied = longest_copied(some, train)
    value = float(copied.mean())
    error = float(copied.std(ddof=1)) / len(copied) ** 0.5
    return {
        "verbatim_copies": _share(
            [text in seen for text in generated],
            float(np.mean([text in seen for text in reference])),
        ),
        "longest_copied": Measure(
            value=value,
            better="lower",
            n=len(some),
            floor=float(longest_copied(real, train).mean()),
            interval=interval(value, error, 0, 1),
            note="the longest string that a sample shares with a training text, as a share of it",
        ),
    }


def _share(flags: Sequence[bool], floor: float) -> Measure:
    """The share of samples that something is true of: less is better."""
    share = float(np.mean(flags))
    return Measure(
        value=share,
        better="lower",
        n=len(flags),
        floor=floor,
        interval=share_interval(share, len(flags)),
    )
