"""What is said about pictures that were read: plain sentences and figures."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from ectype.domains.base import Part
from ectype.domains.image.decoding import Fit
from ectype.domains.image.files import Scan
from ectype.domains.image.size import size_figures
from ectype.domains.image.store import Stored

if TYPE_CHECKING:
    from ectype.domains.image.domain import ImageSpec

_FITS: dict[Fit, str] = {
    "crop": "Pictures are scaled to cover this size and cut evenly at both ends (data.fit=crop).",
    "pad": "Pictures are scaled to lie within this size; the rest takes their border's colour "
    "(data.fit=pad).",
    "stretch": "Pictures are stretched to this size (data.fit=stretch).",
}
_FORMS = {"L": "grey", "LA": "grey with alpha", "RGB": "colour", "RGBA": "colour with alpha"}


def fit_notes(scan: Scan, width: int, height: int, fit: Fit) -> list[str]:
    """How pictures of other sizes are brought to the working size."""
    if (scan.sizes == (width, height)).all():
        return []
    same_proportions = (scan.sizes[:, 0] * height == scan.sizes[:, 1] * width).all()
    notes = [] if same_proportions else [_FITS[fit]]
    smaller = int((scan.sizes < (width, height)).any(axis=1).sum())
    if smaller:
        notes.append(f"{smaller:,} pictures are smaller than this and are enlarged.")
    return notes


def form_note(stored: Stored, richest: str, alpha: str) -> str:
    """Which channels are learned, and what became of transparency."""
    note = f"{len(stored.items):,} pictures, learned in {_FORMS[stored.form]}"
    if "A" in richest and "A" not in stored.form and stored.alpha_used:
        note += f"; the {stored.alpha_used:,} that have transparency are laid on white"
        note += " (data.alpha=keep would learn it)"
    elif "A" in stored.form and alpha == "auto":
        note += f": {stored.alpha_used:,} have transparency"
    elif alpha == "drop":
        note += "; transparency is laid on white (data.alpha=drop)"
    return note + "."


def summary(
    spec: ImageSpec,
    scan: Scan,
    stored: Stored,
    labels: np.ndarray | None,
    parts: dict[Part, np.ndarray],
    rejected: int,
) -> dict[str, Any]:
    """Figures for `inspect --json`."""
    counts = Counter(spec.labels[label] for label in labels) if labels is not None else {}
    return {
        "count": len(stored.items),
        "rejected": rejected,
        "width": spec.width,
        "height": spec.height,
        "channels": spec.channels,
        "form": spec.form,
        "fit": spec.fit,
        "mirror": spec.mirror,
        "source_sizes": size_figures(scan.sizes),
        "labels": {name: counts[name] for name in spec.labels},
        "near_identical": len(stored.near) - len(np.unique(stored.near)),
        "parts": {name: len(indices) for name, indices in parts.items()},
    }
