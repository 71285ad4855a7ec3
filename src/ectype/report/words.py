"""Names, explanations and numbers as people read them."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Term:
    """A measure's name for everyone, its name in the field, and what it says."""

    plain: str
    term: str
    meaning: str

    @property
    def aside(self) -> str:
        """The name in the field where it is another one, else nothing."""
        return "" if self.term == self.plain.lower() else self.term


_TERMS = {
    "frechet": Term(
        "Distance of the whole",
        "Fréchet distance",
        "How far the samples, taken together, lie from real data.",
    ),
    "kid": Term(
        "Distance of the whole, second opinion",
        "kernel distance (KID)",
        "The same question asked in another way, less swayed by how many were measured.",
    ),
    "precision": Term(
        "Believable samples",
        "precision",
        "Share of samples that lie among real data.",
    ),
    "recall": Term(
        "Real variety within reach",
        "recall",
        "Share of real data that lies among the samples.",
    ),
    "density": Term(
        "Closeness to real data",
        "density",
        "How thickly real data surrounds each sample; about 1 where both are alike.",
    ),
    "coverage": Term(
        "Real variety covered",
        "coverage",
        "Share of real data with a sample close by.",
    ),
    "two_sample_auc": Term(
        "Told apart by a classifier",
        "two-sample test (AUC)",
        "How often a classifier picks the real one out of a pair; 0.5 is guessing.",
    ),
    "diversity": Term(
        "Different things among the samples",
        "diversity (Vendi score)",
        "How many wholly different things the samples amount to.",
    ),
    "nearer_to_train": Term(
        "Pull towards the training data",
        "nearer to train",
        "Share of samples nearer to training data than to unseen data; 0.5 is ideal.",
    ),
    "near_copies": Term(
        "Near copies",
        "near copies",
        "Share of samples that are nearly a training item.",
    ),
    "near_copies_pixels": Term(
        "Near copies, by pixels",
        "near copies",
        "The same question asked of coarse pixels, which know a blurred copy.",
    ),
    "label_fidelity": Term(
        "Labels obeyed",
        "label fidelity",
        "Share of samples that a classifier finds to be what was asked for.",
    ),
    "elbo": Term(
        "Fit to unseen data",
        "evidence lower bound (ELBO)",
        "How well the model explains data that it never saw.",
    ),
    "iwae": Term(
        "Fit to unseen data, tighter",
        "importance-weighted bound (IWAE)",
        "The same from more draws, so nearer to the truth.",
    ),
    "bits_per_dimension": Term(
        "Compression of unseen data",
        "bits per dimension",
        "How many bits the model would need for each value of an item.",
    ),
    "reconstruction": Term(
        "Error of reconstructions",
        "mean squared error",
        "How far unseen data that pass through the model come back changed.",
    ),
    "reconstruction_frechet": Term(
        "Distance of reconstructions",
        "Fréchet distance",
        "How far reconstructions of real data, taken together, lie from them.",
    ),
    "active_units": Term(
        "Latent dimensions in use",
        "active units",
        "How many numbers the model really uses to describe an item.",
    ),
}


def term(name: str) -> Term:
    """The words for a measure; a domain's own measure goes by its given name.

    >>> term("recall").plain, term("pair_trends").plain
    ('Real variety within reach', 'Pair trends')
    """
    given = name.replace("_", " ")
    return _TERMS.get(name) or Term(given[:1].upper() + given[1:], given.lower(), "")


def number(value: float | None) -> str:
    """A figure with as many digits as can be read; a dash where there is none.

    >>> number(0.79183), number(47.42), number(1307.4), number(0.00042), number(None)
    ('0.792', '47.4', '1,307', '0.00042', '–')
    """
    if value is None or not math.isfinite(value):
        return "–"
    size = abs(value)
    if 0 < size < 0.001:
        return f"{value:.2g}"
    if size < 9.9995:
        return f"{value:.3f}"
    return f"{value:.1f}" if size < 999.95 else f"{value:,.0f}"


def interval(limits: tuple[float, float] | None) -> str:
    """Both ends of an interval.

    >>> interval((0.81, 0.8466))
    '0.810 to 0.847'
    """
    return "–" if limits is None else f"{number(limits[0])} to {number(limits[1])}"


def in_100(share: float) -> str:
    """A share as people count.

    >>> in_100(0.431), in_100(0.003), in_100(0.0), in_100(0.998)
    ('43 in 100', 'fewer than 1 in 100', 'none', 'more than 99 in 100')
    """
    if share <= 0:
        return "none"
    if share < 0.01:
        return "fewer than 1 in 100"
    if 0.99 < share < 1:
        return "more than 99 in 100"
    return "all" if share >= 1 else f"{100 * share:.0f} in 100"


BETTER = {"lower": "lower", "higher": "higher", "0.5": "near 0.5"}
