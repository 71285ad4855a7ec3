"""The mel scale: frequencies as far apart as people hear them. Needs numpy alone."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray


@functools.cache
def mel_filters(rate: int, window: int, bands: int, lowest: float = 30.0) -> NDArray[np.float32]:
    """Triangular filters, (bands, window // 2 + 1), whose weights add up to 1 in each band.

    Centres are evenly spaced on the scale 2595 · log10(1 + f / 700) (O'Shaughnessy 1987) from
    `lowest` to half of the rate. A filter narrower than the distance of two bins takes the bins
    beside its centre, so that none is empty.

    Args:
        rate: samples a second.
        window: of the Fourier transform, samples.
        bands: how many filters.
        lowest: lower end of the first, Hz.
    """
    frequencies = np.arange(window // 2 + 1) * rate / window
    edges = _hertz(np.linspace(_mel(lowest), _mel(rate / 2), bands + 2))
    spacing = rate / window
    lower = np.minimum(edges[:-2], edges[1:-1] - spacing)[:, None]
    upper = np.maximum(edges[2:], edges[1:-1] + spacing)[:, None]
    centre = edges[1:-1, None]
    rising = (frequencies - lower) / (centre - lower)
    falling = (upper - frequencies) / (upper - centre)
    weights = np.clip(np.minimum(rising, falling), 0, None)
    return (weights / weights.sum(1, keepdims=True)).astype(np.float32)


def log_mel(
    sounds: NDArray[np.float32], rate: int, *, window: int, hop: int, bands: int, floor: float
) -> NDArray[np.float32]:
    """Power in mel bands over time, dB, (n, bands, 1 + length // hop).

    0 dB is a sine at full scale; what is weaker than `floor` is set to it. Frames are centred on
    multiples of `hop`, beyond the ends there is silence.

    Args:
        sounds: (n, length), −1 to 1.
        rate: samples a second.
        window: samples of a Hann window.
        hop: samples between frames.
        bands: how many.
        floor: dB, such as −60.
    """
    padded = np.pad(sounds, ((0, 0), (window // 2, window // 2)))
    frames = np.lib.stride_tricks.sliding_window_view(padded, window, axis=1)[:, ::hop]
    hann = np.hanning(window + 1)[:-1].astype(np.float32)
    filters = mel_filters(rate, window, bands).T
    scale = np.float32(4 / window)  # a sine at full scale then has a peak of 1
    bands_of = [
        np.abs(np.fft.rfft(sound * hann)).astype(np.float32) ** 2 @ filters for sound in frames
    ]
    power = np.stack(bands_of) * scale**2 if bands_of else np.zeros((0, 1, bands), np.float32)
    decibels = 10 * np.log10(np.maximum(power, 10 ** (floor / 10)))
    return np.ascontiguousarray(decibels.swapaxes(1, 2), dtype=np.float32)


def _mel(hertz: float) -> float:
    return 2595 * float(np.log10(1 + hertz / 700))


def _hertz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    return 700 * (10 ** (mel / 2595) - 1)
