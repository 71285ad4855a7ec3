"""What is said about sounds that were read: plain sentences and figures."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from ectype.domains.audio.decoding import PEAK, Form
from ectype.domains.audio.files import Survey
from ectype.domains.audio.form import ONE_UP_TO
from ectype.domains.audio.spec import AudioSpec
from ectype.domains.audio.store import Stored
from ectype.domains.base import Part


def cut_note(survey: Survey, stored: Stored, form: Form) -> str:
    """How sounds of other lengths became clips; those that gave none do not count."""
    clips = Counter(stored.index.tolist())
    sounds = [survey.heard[i] for i in clips]
    lengths = np.array([h.seconds if form.trim else h.end for h in sounds])
    shorter = int((lengths < form.seconds - 1e-3).sum())
    cut = int((lengths > ONE_UP_TO * form.seconds).sum())
    longer = int((lengths > form.seconds + 0.01).sum()) - cut
    said = []
    if shorter:
        said.append(f"{shorter:,} sounds are shorter: silence follows them")
    if longer:
        said.append(f"{longer:,} are up to {ONE_UP_TO:g} times as long: they give their beginning")
    if cut:
        count = np.array([*clips.values()])[lengths > ONE_UP_TO * form.seconds].sum()
        said.append(f"{cut:,} are longer still: cut at onsets, they give {count:,} clips")
    start = "Silence before a sound is left out (data.trim)" if form.trim else "Nothing is trimmed"
    return "; ".join([start, *said]) + "."


def loudness_note(form: Form) -> str:
    """What became of loudness."""
    if form.loudness == "keep":
        return "Loudness is kept (data.loudness=keep)."
    return f"Every clip is brought to a peak of {PEAK:g} (data.loudness=keep would leave it)."


def summary(
    spec: AudioSpec,
    survey: Survey,
    stored: Stored,
    labels: np.ndarray | None,
    parts: dict[Part, np.ndarray],
    rejected: int,
) -> dict[str, Any]:
    """Figures for `inspect --json`."""
    counts = Counter(spec.labels[label] for label in labels) if labels is not None else {}
    seconds = [heard.seconds for heard in survey.heard]
    length, channels = spec.shape
    return {
        "count": len(stored.items),
        "rejected": rejected,
        "rate": spec.rate,
        "seconds": length / spec.rate,
        "channels": channels,
        "loudness": spec.loudness,
        "source_rates": {str(r): n for r, n in Counter(h.rate for h in survey.heard).items()},
        "source_seconds": {
            "shortest": round(min(seconds), 4),
            "median": round(float(np.median(seconds)), 4),
            "longest": round(max(seconds), 4),
            "total": round(sum(seconds), 2),
        },
        "labels": {name: counts[name] for name in spec.labels},
        "near_identical": int((stored.near != np.arange(len(stored.near))).sum()),
        "parts": {name: len(indices) for name, indices in parts.items()},
    }
