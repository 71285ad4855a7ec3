"""One sound: what is in it, and clips of it as numbers.

A sound is read in blocks, twice: first to hear how loud it is, where it begins and ends and where
its onsets are, then to cut clips. So a recording of hours needs the memory of a few seconds.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ectype.errors import UsageError

Floats = NDArray[np.float32]

#: Frames (at the file's rate) that are read at a time.
BLOCK = 2**16
#: Frames of the envelope, seconds: how exactly beginnings are known.
ENVELOPE_SECONDS = 0.001
#: A sound whose every sample stays below this is silent (1 is full scale).
SILENT = 1e-3
#: It begins and ends where it first and last exceeds these shares of its peak: −40 and −60 dB.
BEGINS, ENDS = 1e-2, 1e-3
#: What is left before the beginning, seconds.
LEAD_SECONDS = 0.002
#: Samples at or above this lie at full scale; clipped is a sound of which more than this share
#: lies there, three and more in a row.
FULL_SCALE, MOST_CLIPPED = 0.9995, 0.01
#: An onset: the envelope rises to this multiple of its mean over the time before, is at least this
#: share of the peak, and comes at least so many seconds after the last one.
ONSET_RISE, ONSET_LEVEL, ONSET_BEFORE, ONSET_APART = 2.5, 0.05, 0.05, 0.08
#: A clip that is cut off ends with a fade of so many seconds; one cut from the middle begins with
#: a tenth of it.
FADE_SECONDS = 0.02
#: What every clip's peak is brought to where loudness is normalised.
PEAK = 0.9


class BadSoundError(Exception):
    """A sound that cannot be used; the message says why."""


class Reader(Protocol):
    """What can be read from its start, like `soundfile.SoundFile`."""

    samplerate: int
    channels: int
    frames: int

    def read(self, frames: int) -> Floats:
        """The next frames, (at most frames, channels); fewer at the end."""
        ...


@dataclass(frozen=True, kw_only=True)
class Heard:
    """What is known of a sound.

    Attributes:
        rate: samples a second.
        channels: how many.
        stereo: whether channels differ.
        whole: seconds in all.
        start: second at which it begins, silence before it left out.
        end: and at which it ends.
        peak: largest sample.
        clipped: share of the samples that lie at full scale, three and more in a row.
        onsets: seconds at which something begins, ascending; the start is not among them.
    """

    rate: int
    channels: int
    stereo: bool
    whole: float
    start: float
    end: float
    peak: float
    clipped: float
    onsets: tuple[float, ...]

    @property
    def seconds(self) -> float:
        """How long it is without the silence around it."""
        return self.end - self.start


@dataclass(frozen=True, kw_only=True)
class Form:
    """What sounds are made into.

    Attributes:
        rate: samples a second.
        length: samples of a clip.
        channels: 1 or 2.
        loudness: `peak` brings every clip to one peak, `keep` leaves it.
        trim: whether silence at the start is left out.
    """

    rate: int
    length: int
    channels: int
    loudness: str
    trim: bool

    @property
    def seconds(self) -> float:
        """Of a clip."""
        return self.length / self.rate


def libraries() -> tuple[Any, Any]:
    """The modules soundfile and soxr.

    Raises:
        UsageError: they are not installed.
    """
    try:
        import soundfile
        import soxr
    except (ImportError, OSError) as error:  # OSError: soundfile without its library
        raise UsageError(
            f"sounds need packages that are not installed: {error}",
            hint="pip install 'ectype[audio]'",
        ) from None
    return soundfile, soxr


def listen(reader: Reader) -> Heard:
    """Read a sound through once.

    Raises:
        BadSoundError: it is empty, silent, truncated, or holds what is no number.
    """
    rate = reader.samplerate
    step = max(1, round(ENVELOPE_SECONDS * rate))
    envelope: list[Floats] = []
    clipped, stereo, count = 0, False, 0
    while len(block := reader.read(BLOCK // step * step)):
        if not np.isfinite(block).all():
            raise BadSoundError("it holds values that are no numbers (NaN or infinite)")
        loud = np.abs(block).max(1)
        clipped += _flat(loud)
        stereo = stereo or bool((np.abs(block[:, 0] - block[:, -1]) > 0.01 * loud.max()).any())
        padded = np.pad(loud, (0, -len(loud) % step))
        envelope.append(padded.reshape(-1, step).max(1))
        count += len(block)
    if count == 0:
        raise BadSoundError("it is empty")
    if count < 0.98 * reader.frames:
        raise BadSoundError(
            f"it is truncated: {count / rate:.2f} of {reader.frames / rate:.2f} s can be read"
        )
    levels = np.concatenate(envelope)
    peak = float(levels.max())
    if peak < SILENT:
        raise BadSoundError("it is silent")
    first = int(np.argmax(levels >= BEGINS * peak))
    last = len(levels) - int(np.argmax(levels[::-1] >= ENDS * peak))
    return Heard(
        rate=rate,
        channels=reader.channels,
        stereo=stereo,
        whole=count / rate,
        start=max(0.0, first * step / rate - LEAD_SECONDS),
        end=min(last * step, count) / rate,
        peak=peak,
        clipped=clipped / count,
        onsets=tuple(round(i * step / rate, 4) for i in onsets(levels, step / rate, first)),
    )


def onsets(envelope: Floats, seconds: float, first: int) -> list[int]:
    """Frames of an envelope at which something begins, after the frame `first`.

    Args:
        envelope: largest magnitude in each frame, (n,).
        seconds: of a frame.
        first: where the sound itself begins.
    """
    before = max(1, round(ONSET_BEFORE / seconds))
    sums = np.concatenate([[0.0], np.cumsum(envelope, dtype=np.float64)])
    index = np.arange(first + 1, len(envelope))
    low = np.maximum(index - before, 0)
    mean = (sums[index] - sums[low]) / (index - low)
    peak = float(envelope.max(initial=0.0))
    rises = (envelope[index] > ONSET_RISE * mean) & (envelope[index] > ONSET_LEVEL * peak)
    found: list[int] = []
    latest = first
    for i in index[rises].tolist():
        if (i - latest) * seconds >= ONSET_APART:
            found.append(i)
            latest = i
    return found


def starts(heard: Heard, seconds: float, *, trim: bool, one_up_to: float) -> list[float]:
    """Seconds at which the clips of a sound begin.

    A sound of at most `one_up_to` clip lengths gives one clip, its beginning. A longer one gives
    a clip from each onset that no earlier clip holds; where none comes for a clip's length, one
    begins right there.
    """
    start = heard.start if trim else 0.0
    if heard.end - start <= one_up_to * seconds:
        return [start]
    found = [start]
    onset = iter(heard.onsets)
    following = next(onset, math.inf)
    while True:
        free = found[-1] + seconds
        while following < free:
            following = next(onset, math.inf)
        at = following - LEAD_SECONDS if following < free + seconds else free
        if at + seconds / 4 > heard.end:
            return found
        found.append(at)


def clips(reader: Reader, heard: Heard, at: list[float], form: Form) -> Iterator[Floats]:
    """Clips of a sound, (length, channels) floats within ±1, in the order of their starts.

    Those that are silent beside the whole are left out.

    Args:
        reader: at its start.
        heard: what `listen` found.
        at: seconds at which clips begin, ascending, at least a clip's length apart.
        form: what they are made into.
    """
    _, soxr = libraries()
    rate, position = heard.rate, 0
    wanted = math.ceil(form.seconds * rate) + 1
    for number, second in enumerate(at):
        position += _skip(reader, round(second * rate) - position)
        piece = reader.read(wanted)
        position += len(piece)
        if len(piece) == 0 or np.abs(piece).max() < BEGINS * heard.peak:
            continue
        clip = _in_channels(piece, form.channels)
        if rate != form.rate:
            clip = soxr.resample(clip, rate, form.rate, quality="HQ")
        clip = _of_length(np.asarray(clip, np.float32), form, goes_on=position / rate < heard.end)
        if number:
            fade = max(1, round(0.1 * FADE_SECONDS * form.rate))
            clip[:fade] *= np.linspace(0, 1, fade, dtype=np.float32)[:, None]
        yield _as_loud(clip, form, heard.peak)


def _skip(reader: Reader, frames: int) -> int:
    """Read past so many frames; a decoder's seek is not exact in every format."""
    left = frames
    while left > 0 and len(block := reader.read(min(left, BLOCK))):
        left -= len(block)
    return frames - left


def _flat(loud: Floats) -> int:
    """How many samples (n,) lie at full scale, three and more in a row."""
    at = loud >= FULL_SCALE
    if not at.any():
        return 0
    even = at[1:] & at[:-1] & (np.abs(np.diff(loud)) < 1 - FULL_SCALE)
    inside = even[1:] & even[:-1]
    flat = np.zeros_like(at)
    for shift in range(3):
        flat[shift : len(flat) - 2 + shift] |= inside
    return int(flat.sum())


def _in_channels(piece: Floats, channels: int) -> Floats:
    """(n, any) as (n, channels): the mean of all, or the first two, or one twice."""
    if channels == 1:
        return piece.mean(1, keepdims=True)
    return piece[:, :2] if piece.shape[1] >= 2 else piece.repeat(2, axis=1)


def _of_length(clip: Floats, form: Form, *, goes_on: bool) -> Floats:
    """(n, channels) as (length, channels): silence added, or cut, with a fade if it goes on."""
    short = form.length - len(clip)
    clip = np.pad(clip, ((0, max(0, short)), (0, 0)))[: form.length].copy()
    if goes_on:
        fade = min(len(clip), round(FADE_SECONDS * form.rate))
        falling = 0.5 + 0.5 * np.cos(np.linspace(0, math.pi, fade, dtype=np.float32))
        clip[len(clip) - fade :] *= falling[:, None]
    return clip


def _as_loud(clip: Floats, form: Form, peak: float) -> Floats:
    """With the peak that is wanted; beyond full scale only what the file itself has is cut."""
    if form.loudness == "peak":
        return clip * np.float32(PEAK / max(float(np.abs(clip).max()), 1e-9))
    return clip / np.float32(max(1.0, peak))
