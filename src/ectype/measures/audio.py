"""What sounds are measured in: statistics of their mel spectra, and how far two of them differ.

Needs numpy alone, so that data can be prepared without torch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ectype.measures.intervals import share_interval
from ectype.measures.measure import Measure
from ectype.nets.mel import log_mel

Floats = NDArray[np.float32]

#: Mel bands, the length of a window and the distance of frames in seconds, and what is silence, dB.
BANDS, WINDOW_SECONDS, HOP_SECONDS, FLOOR = 13, 0.032, 0.008, -60.0
#: The attack: the first so many seconds.
ATTACK_SECONDS = 0.064
#: Directions in which training sounds vary less than this (dB) are measured no finer.
LEAST_DEVIATION = 0.5
#: Of more training sounds a random choice is enough for the whitening.
WHITENING_ITEMS = 4_000
#: A sound whose every sample stays below this is silent; one is clipped if more than this share
#: of its samples lies at its own peak, in runs of three and more, and the peak near full scale.
SILENT, CLIPPED_SHARE, CLIPPED_PEAK = 1e-3, 0.01, 0.98
#: Windows of the distance of spectra, seconds, as in Yamamoto et al. (arXiv 1910.11480).
RESOLUTIONS = (0.128, 0.064, 0.032, 0.016)

_CHUNK = 64


class Sounds(Protocol):
    """Stored sounds, in an array or where they lie."""

    def __len__(self) -> int: ...

    def __getitem__(self, which: slice, /) -> NDArray[Any]: ...


def mono(items: NDArray[Any]) -> Floats:
    """Stored sounds (n, length, channels), int16 or float, as (n, length) floats in −1 to 1.

    Channels are averaged.

    Raises:
        TypeError: they are numbers of another kind.
        ValueError: they have another shape.
    """
    return in_floats(items).mean(2)


def in_floats(items: NDArray[Any]) -> Floats:
    """Stored sounds (n, length, channels) as floats of the same shape; see `mono`."""
    if items.ndim != 3:
        raise ValueError(f"sounds are (n, length, channels), not of shape {items.shape}")
    if items.dtype == np.int16:
        return items.astype(np.float32) / np.float32(32767)
    if items.dtype.kind != "f":
        raise TypeError(f"sounds are int16 or floats, not {items.dtype}")
    return items.astype(np.float32)


def statistics(items: NDArray[Any], rate: int) -> Floats:
    """What a sound is summed up by: 52 statistics of its log-mel spectrum, (n, 52), dB.

    In each of 13 mel bands (windows of 32 ms, frames of 8 ms, to the nearest power of two in
    samples, silence at −60 dB): the mean over time, the standard deviation over time, the mean of
    the first 64 ms (the attack), and the mean size of the change from frame to frame, which tells
    noise from steady tones and both from a buzz.

    Args:
        items: (n, length, channels), int16 or floats in −1 to 1; channels are averaged.
        rate: samples a second.
    """
    return np.concatenate([_statistics(mel, rate) for mel in _mels(items, rate, BANDS)])


def _statistics(mel: Floats, rate: int) -> Floats:
    attack = max(1, round(ATTACK_SECONDS * rate / _samples(HOP_SECONDS, rate)))
    change = np.abs(np.diff(mel, axis=2)) if mel.shape[2] > 1 else np.zeros_like(mel)
    parts = (mel.mean(2), mel.std(2), mel[:, :, :attack].mean(2), change.mean(2))
    return np.concatenate(parts, 1).astype(np.float32)


def mel_pictures(items: NDArray[Any], rate: int) -> Floats:
    """Coarse log-mel spectra as vectors, (n, 20 · frames), dB: what near copies are sought in.

    20 mel bands; frames of 8 ms are averaged by fours.
    """
    found = []
    for mel in _mels(items, rate, 20):
        n, bands, frames = mel.shape
        whole = max(1, frames // 4)
        kept = mel[:, :, : 4 * whole] if frames >= 4 else mel
        found.append(kept.reshape(n, bands, whole, -1).mean(3).reshape(n, -1))
    return np.concatenate(found)


@dataclass(frozen=True)
class Whitening:
    """An affine map after which training statistics have mean 0 and covariance 1."""

    mean: Floats
    matrix: Floats

    @classmethod
    def fit(cls, x: Floats) -> Whitening:
        """From statistics (n, d): along each principal axis, less the mean, over the deviation.

        A deviation counts as `LEAST_DEVIATION` at least.
        """
        centred = x.astype(np.float64) - x.mean(0, dtype=np.float64)
        covariance = centred.T @ centred / max(1, len(x) - 1)
        variances, axes = np.linalg.eigh(covariance)
        scale = 1 / np.sqrt(np.maximum(variances, LEAST_DEVIATION**2))
        return cls(x.mean(0), (axes * scale).astype(np.float32))

    @classmethod
    def from_numbers(cls, numbers: tuple[float, ...]) -> Whitening:
        """From what `numbers` gave."""
        d = 4 * BANDS
        values = np.asarray(numbers, np.float32)
        return cls(values[:d], values[d:].reshape(d, d))

    def numbers(self) -> tuple[float, ...]:
        """As plain numbers for a spec."""
        values = np.concatenate([self.mean, self.matrix.ravel()])
        return tuple(float(f"{value:.6g}") for value in values)

    def __call__(self, x: Floats) -> Floats:
        """Whitened statistics (n, d)."""
        return ((x - self.mean) @ self.matrix).astype(np.float32)


def fit_whitening(items: NDArray[Any], train: NDArray[np.int64], rate: int) -> Whitening:
    """The whitening of the training sounds, `train` of all items (n, length, channels)."""
    if len(train) > WHITENING_ITEMS:
        train = np.sort(np.random.default_rng(0).permutation(train)[:WHITENING_ITEMS])
    chunks = np.split(train, range(_CHUNK, len(train), _CHUNK))
    return Whitening.fit(np.concatenate([statistics(items[chunk], rate) for chunk in chunks]))


def is_silent(items: NDArray[Any]) -> NDArray[np.bool_]:
    """Which sounds never leave silence, (n,)."""
    return np.abs(in_floats(items)).max((1, 2)) < SILENT


def clipped_share(x: Floats) -> float:
    """Share of the samples of one sound (length, channels) that lie flat at a peak of full scale.

    Flat are three and more in a row at the sound's own peak.
    """
    peak = float(np.abs(x).max(initial=0.0))
    if peak < CLIPPED_PEAK:
        return 0.0
    at_peak = np.abs(x) >= 0.9999 * peak
    inside = at_peak[:-2] & at_peak[1:-1] & at_peak[2:]
    flat = np.zeros_like(at_peak)
    for shift in range(3):
        flat[shift : len(flat) - 2 + shift] |= inside
    return float(flat.mean())


def is_clipped(items: NDArray[Any]) -> NDArray[np.bool_]:
    """Which sounds are clipped, (n,)."""
    return np.array([clipped_share(x) > CLIPPED_SHARE for x in in_floats(items)], bool)


def reconstruction_measures(
    originals: NDArray[Any], copies: NDArray[Any], rate: int
) -> dict[str, Measure]:
    """How far copies (n, length, channels) are from the very sounds that they are of.

    - `stft_distance`: see `stft_distances`.
    - `mel_distance`: mean absolute difference of log-mel spectra (80 bands), dB.
    - `si_sdr`: see `si_sdr`, dB. It compares waveforms, so a copy that sounds the same but has
      other phases is as low as noise: a model whose loss does not look at phases will be.
    """
    x, y = mono(originals), mono(copies)
    mels = zip(_mels(originals, rate, 80), _mels(copies, rate, 80), strict=True)
    mel = np.concatenate([np.abs(a - b).mean((1, 2)) for a, b in mels])
    return {
        "stft_distance": _mean(stft_distances(x, y, rate), "lower", "in four resolutions"),
        "mel_distance": _mean(mel, "lower", "dB, 80 mel bands"),
        "si_sdr": _mean(
            si_sdr(x, y), "higher", "dB, of waveforms; low where phases are free, however it sounds"
        ),
    }


def stft_distances(x: Floats, y: Floats, rate: int) -> NDArray[np.float64]:
    """The multi-resolution distance of spectra of each y (n, length) from its x, (n,).

    Mean over four resolutions of ‖|X| − |Y|‖ / ‖|X|‖ + mean |log |X| − log |Y||, with what is
    below −60 dB taken for silence: Yamamoto et al. (arXiv 1910.11480), eq. 3 to 6.
    """
    total = np.zeros(len(x))
    least = 10 ** (FLOOR / 20)
    for seconds in RESOLUTIONS:
        window = _samples(seconds, rate)
        for i, (real, copy) in enumerate(zip(x, y, strict=True)):
            a, b = (_magnitudes(sound, window) for sound in (real, copy))
            norm = max(float(np.linalg.norm(a)), 1e-9)
            log = np.abs(np.log(np.maximum(a, least)) - np.log(np.maximum(b, least)))
            total[i] += float(np.linalg.norm(a - b)) / norm + float(log.mean())
    return total / len(RESOLUTIONS)


def si_sdr(x: Floats, y: Floats) -> NDArray[np.float64]:
    """Scale-invariant signal-to-distortion ratio of y (n, length) to x, dB, (n,).

    10 log₁₀ ‖αx‖² / ‖αx − y‖² with α = ⟨y, x⟩ / ‖x‖²: Le Roux et al. (arXiv 1811.02508), eq. 4.
    """
    real, copy = x.astype(np.float64), y.astype(np.float64)
    scale = (real * copy).sum(1) / np.maximum((real * real).sum(1), 1e-12)
    target = scale[:, None] * real
    signal, noise = (target**2).sum(1), ((target - copy) ** 2).sum(1)
    return 10 * np.log10(np.maximum(signal, 1e-12) / np.maximum(noise, 1e-12))


def share_measures(
    generated: NDArray[Any], reference: Sounds, train: Sounds | None
) -> dict[str, Measure]:
    """Shares of silent and of clipped sounds; the floor is the share among real ones.

    Real ones are read some at a time: they may be many, and lie on a disk.
    """
    real = [reference] if train is None else [reference, train]
    found = {}
    for name, flag in (("silent_share", is_silent), ("clipped_share", is_clipped)):
        flags = [
            flag(sounds[start : start + _CHUNK])
            for sounds in real
            for start in range(0, len(sounds), _CHUNK)
        ]
        share = float(flag(generated).mean())
        found[name] = Measure(
            value=share,
            better="lower",
            n=len(generated),
            floor=float(np.concatenate(flags).mean()),
            interval=share_interval(share, len(generated)),
        )
    return found


def _mels(items: NDArray[Any], rate: int, bands: int) -> Iterator[Floats]:
    """Log-mel spectra (n, bands, frames) of some items at a time."""
    window, hop = _samples(WINDOW_SECONDS, rate), _samples(HOP_SECONDS, rate)
    for start in range(0, max(1, len(items)), _CHUNK):
        sounds = mono(np.asarray(items[start : start + _CHUNK]))
        yield log_mel(sounds, rate, window=window, hop=hop, bands=bands, floor=FLOOR)


def _magnitudes(sound: Floats, window: int) -> Floats:
    padded = np.pad(sound, window // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[:: window // 4]
    hann = np.hanning(window + 1)[:-1].astype(np.float32)
    return np.abs(np.fft.rfft(frames * hann)).astype(np.float32) * np.float32(4 / window)


def _samples(seconds: float, rate: int) -> int:
    """The power of two nearest to so many seconds, in samples; at least 16."""
    return max(16, 2 ** round(math.log2(seconds * rate)))


def _mean(values: NDArray[np.float64], better: Any, note: str) -> Measure:
    mean = float(values.mean())
    half = 1.96 * float(values.std(ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else 0.0
    return Measure(
        value=mean, better=better, n=len(values), interval=(mean - half, mean + half), note=note
    )
