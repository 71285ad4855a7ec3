"""The working form of sounds: sampling rate, length of a clip and channels."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from ectype.config import Budget
from ectype.domains.audio.decoding import Form, Heard

#: Rates that are chosen by themselves; any other can be asked for.
RATES = (8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000)
LOWEST_RATE, HIGHEST_RATE = 4_000, 96_000
SHORTEST, LONGEST = 0.02, 30.0
#: Seconds of budget up to which a rate and a length are learned, on the CPU and one step up.
_CAPS = (
    (15 * 60, (16_000, 1.5)),
    (2 * 3600, (22_050, 2.5)),
    (math.inf, (44_100, 4.0)),
    (math.inf, (44_100, 6.0)),
)
#: The length that holds this share of the sounds whole is taken.
WHOLE = 0.8
#: A sound of up to so many clip lengths gives only its beginning, a longer one is cut into clips.
ONE_UP_TO = 3.0
#: Stereo is learned where at least this share of the sounds really is.
STEREO = 0.5


def caps(budget: Budget, device: str) -> tuple[int, float]:
    """The highest rate and the greatest length that a budget can learn; steps count as short."""
    seconds = budget.seconds or 0
    row = next(i for i, (most, _) in enumerate(_CAPS) if seconds <= most)
    return _CAPS[row + 1 if device.startswith("cuda") else row][1]


def choose_form(
    heard: Sequence[Heard],
    *,
    rate: int | None,
    seconds: float | None,
    channels: str,
    loudness: str,
    trim: bool,
    cap: tuple[int, float],
) -> tuple[Form, list[str]]:
    """The form that sounds are learned in, and why, a sentence each.

    Args:
        heard: what is known of the sounds, at least one.
        rate: asked for, or None.
        seconds: asked for, or None.
        channels: `auto`, `mono` or `stereo`.
        loudness: see `Form`.
        trim: see `Form`.
        cap: from `caps`.
    """
    chosen_rate, rate_note = _rate(heard, rate, cap[0])
    length, length_note = _length(heard, seconds, chosen_rate, cap[1], trim=trim)
    count, channel_note = _channels(heard, channels)
    form = Form(rate=chosen_rate, length=length, channels=count, loudness=loudness, trim=trim)
    return form, [rate_note, length_note, channel_note]


def _rate(heard: Sequence[Heard], asked: int | None, cap: int) -> tuple[int, str]:
    counts = Counter(h.rate for h in heard)
    common = counts.most_common(1)[0][0]
    found = f"All sounds have {common:,} Hz"
    if len(counts) > 1:
        listed = ", ".join(f"{r:,} Hz ({n:,})" for r, n in counts.most_common(4))
        more = " and others" if len(counts) > 4 else ""
        found = f"Sampling rates are mixed: {listed}{more}"
    if asked is not None:
        return asked, f"{found}; they are learned at {asked:,} Hz, as data.rate says."
    if common < LOWEST_RATE:
        return LOWEST_RATE, f"{found}; they are resampled to {LOWEST_RATE:,} Hz: that is the least."
    if common <= cap:
        others = "" if len(counts) == 1 else ", the commonest; the others are resampled"
        return common, f"{found}; they are learned at {common:,} Hz{others}."
    rate = max(r for r in RATES if r <= cap)
    return rate, (
        f"{found}; they are resampled to {rate:,} Hz, as much as the budget allows "
        "(data.rate overrides)."
    )


def _length(
    heard: Sequence[Heard], asked: float | None, rate: int, cap: float, *, trim: bool
) -> tuple[int, str]:
    shortest = math.ceil(SHORTEST * rate)
    if asked is not None:
        return max(round(asked * rate), shortest), f"A clip is {asked:g} s, as data.seconds says."
    lengths = np.array([h.seconds if trim else h.end for h in heard])
    wholes = np.array([h.whole for h in heard])
    if (np.abs(wholes - wholes[0]) < 0.5 / rate).all() and wholes[0] <= cap:
        length = max(round(wholes[0] * rate), shortest)
        return length, f"All sounds are {length / rate:.2f} s long; a clip is as long."
    short = lengths[lengths <= ONE_UP_TO * cap]
    wanted = float(np.quantile(short, WHOLE)) if len(short) else cap
    seconds = min(max(math.ceil(wanted * 20) / 20, SHORTEST), cap)
    found = f"Without silence sounds are {lengths.min():.2f} to {lengths.max():,.2f} s long"
    found += f" (median {np.median(lengths):.2f}); a clip is {seconds:.2f} s"
    if seconds < wanted:
        found += ", as much as the budget allows (data.seconds overrides)"
    return round(seconds * rate), f"{found}."


def _channels(heard: Sequence[Heard], asked: str) -> tuple[int, str]:
    stereo = sum(h.stereo for h in heard)
    if asked != "auto":
        return (2 if asked == "stereo" else 1), f"Learned in {asked}, as data.channels says."
    if stereo >= STEREO * len(heard):
        rest = len(heard) - stereo
        return 2, "Learned in stereo" + (f"; {rest:,} mono sounds on both sides." if rest else ".")
    mixed = f"; {stereo:,} stereo sounds are mixed down" if stereo else ""
    return 1, f"Learned in mono{mixed}."
