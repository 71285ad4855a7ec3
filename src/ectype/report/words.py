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
    "near_copies_log-mel-picture": Term(
        "Near copies, by spectrum over time",
        "near copies",
        "The same question asked of coarse spectra, which know when in a sound something is.",
    ),
    "silent_share": Term(
        "Silent sounds", "silent share", "Share of samples in which nothing is heard."
    ),
    "clipped_share": Term(
        "Clipped sounds", "clipped share", "Share of samples that are cut off at full scale."
    ),
    "stft_distance": Term(
        "Error of reconstructed spectra",
        "multi-resolution STFT distance",
        "How far spectra of reconstructions lie from those of the sounds, in four resolutions.",
    ),
    "mel_distance": Term(
        "Error of reconstructed spectra, as heard",
        "mel distance",
        "Mean difference of spectra in bands as people hear them, in decibels.",
    ),
    "si_sdr": Term(
        "Reconstructed waveforms",
        "SI-SDR",
        "How much of a reconstruction's waveform is that of the sound, in decibels.",
    ),
    "label_fidelity": Term(
        "Labels obeyed",
        "label fidelity",
        "Share of samples that a classifier finds to be what was asked for.",
    ),
    "column_shapes": Term(
        "Columns spread as in real rows",
        "column shapes",
        "How alike the values of each column are spread, a mean over columns; 1 is the same.",
    ),
    "pair_trends": Term(
        "Pairs of columns go together as in real rows",
        "pair trends",
        "How alike two columns vary together, a mean over pairs that do; 1 is the same.",
    ),
    "missing_error": Term(
        "Other gaps than in real rows",
        "missing-pattern error",
        "How far apart the patterns are in which values are missing; 0 is the same.",
    ),
    "alpha_precision": Term(
        "Typical rows are typical",
        "α-precision",
        "How well the samples keep to where real rows are typical; 1 is perfect.",
    ),
    "beta_recall": Term(
        "Real rows within reach of samples",
        "β-recall",
        "How well the samples reach real rows, the typical ones first; 1 is perfect.",
    ),
    "rule_validity": Term(
        "Rows that keep the rules", "rule validity", "Share of rows that keep every given rule."
    ),
    "train_on_synthetic": Term(
        "Use in the place of real rows",
        "train on synthetic, test on real",
        "How well a model that learned from samples predicts unseen real rows.",
    ),
    "exact_copies": Term(
        "Exact copies", "exact copies", "Share of samples that are a training row in every value."
    ),
    "closest_record": Term(
        "Distance to the closest training row",
        "distance to closest record",
        "How far the usual sample lies from the closest training row; an alarm, no guarantee.",
    ),
    "membership_auc": Term(
        "Training rows given away",
        "membership inference (AUC)",
        "How well the closest sample tells who was learned from; an alarm, no guarantee.",
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
    "kl": Term(
        "Nats that a latent costs",
        "KL divergence",
        "How far the latent of an item is from what is known without it; 0 is a collapsed model.",
    ),
    "mutual_information": Term(
        "What a latent tells",
        "mutual information",
        "How much the latent of an item says about which item it is.",
    ),
    "forward_perplexity": Term(
        "Unusual wording",
        "forward perplexity",
        "How much the samples surprise someone who has read unseen real texts.",
    ),
    "reverse_perplexity": Term(
        "Real wording that is missing",
        "reverse perplexity",
        "How much unseen real texts surprise someone who has read the samples.",
    ),
    "unique": Term("Samples that differ", "unique", "Share of different texts among the samples."),
    "distinct_2": Term(
        "Different pairs", "distinct-2", "Share of different pairs in a row, of all pairs."
    ),
    "distinct_3": Term(
        "Different triples", "distinct-3", "Share of different triples in a row, of all triples."
    ),
    "self_bleu": Term(
        "Likeness among the samples",
        "self-BLEU",
        "How much of a sample stands in other samples too; real texts set the mark.",
    ),
    "verbatim_copies": Term(
        "Whole copies", "verbatim copies", "Share of samples that are a training text, whole."
    ),
    "longest_copied": Term(
        "Longest copied part",
        "longest common substring",
        "The longest string that a sample shares with a training text, as a share of the sample.",
    ),
    "empty": Term("Empty samples", "empty", "Share of samples without a character."),
    "reconstruction_accuracy": Term(
        "Characters that come back",
        "reconstruction accuracy",
        "Share of an unseen text that is right after it went through the model.",
    ),
    "reconstruction_exact": Term(
        "Texts that come back whole",
        "exact reconstruction",
        "Share of unseen texts that come back without a fault.",
    ),
    "n_gram_nats": Term(
        "Fit of a plain language model",
        "negative log-likelihood",
        "How badly counting strings of characters explains unseen texts: to see the bounds by.",
    ),
    "active_units": Term(
        "Latent dimensions in use",
        "active units",
        "How many numbers the model really uses to describe an item.",
    ),
}


def term(name: str) -> Term:
    """The words for a measure; a domain's own measure goes by its given name.

    >>> term("recall").plain, term("stripe_trends").plain
    ('Real variety within reach', 'Stripe trends')
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
