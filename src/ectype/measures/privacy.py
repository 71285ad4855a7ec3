"""Alarms for rows that are too near to those learned from. Neither is a guarantee of privacy.

A generator may pass both and still give somebody away: they look at single distances, and an
attacker may know more. What guarantees privacy is noise in training, which ectype does not add.
"""

from __future__ import annotations

import numpy as np

from ectype.measures.copying import nearest
from ectype.measures.features import Features
from ectype.measures.linear import auc


def closest(generated: Features, train: Features) -> float:
    """The median distance from a generated row to the closest training row."""
    return float(np.median(nearest(generated, train)[1]))


def membership(generated: Features, train: Features, held_out: Features) -> float:
    """How well the closest sample tells rows that were learned from, 0.5 being not at all.

    The attacker takes a row for learned from the closer it lies to a sample: the area under the
    ROC curve of that guess over training and held-out rows (van Breugel et al., arXiv 2302.12580,
    call this attack DCR).
    """
    seen, unseen = (nearest(rows, generated)[1] for rows in (train, held_out))
    return auc(-np.asarray(seen), -np.asarray(unseen))
