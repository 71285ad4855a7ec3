"""The mel scale, against a filter bank and a spectrum written out slowly."""

import numpy as np
import pytest

from ectype.nets.mel import log_mel, mel_filters


@pytest.mark.parametrize(("rate", "window", "bands"), [(16000, 512, 13), (44100, 1024, 80)])
def test_filters_are_weights_in_rising_order_and_none_is_empty(rate, window, bands):
    filters = mel_filters(rate, window, bands)
    assert filters.shape == (bands, window // 2 + 1)
    assert (filters >= 0).all()
    np.testing.assert_allclose(filters.sum(1), 1, rtol=1e-5)
    centres = filters @ np.arange(window // 2 + 1)
    assert (np.diff(centres) > 0).all()


def test_a_wide_filter_is_the_triangle_between_its_neighbours_on_the_mel_scale():
    rate, window, bands = 16000, 4096, 10
    mel = np.linspace(2595 * np.log10(1 + 30 / 700), 2595 * np.log10(1 + 8000 / 700), bands + 2)
    low, centre, high = 700 * (10 ** (mel[5:8] / 2595) - 1)
    f = np.arange(window // 2 + 1) * rate / window
    triangle = np.interp(f, [low, centre, high], [0, 1, 0])
    np.testing.assert_allclose(
        mel_filters(rate, window, bands)[5], triangle / triangle.sum(), atol=1e-6
    )


def test_a_sine_at_full_scale_is_near_0_db_in_its_band_and_silence_is_the_floor():
    rate, seconds = 16000, np.arange(16000) / 16000
    sine = np.sin(2 * np.pi * 1000 * seconds).astype(np.float32)[None]
    mel = log_mel(sine, rate, window=512, hop=128, bands=40, floor=-60.0)
    assert mel.shape == (1, 40, 126)
    middle = mel[0, :, 60]
    frequencies = mel_filters(rate, 512, 40) @ (np.arange(257) * rate / 512)
    assert abs(frequencies[middle.argmax()] - 1000) < 80
    assert -10 < middle.max() < 0.1
    quiet = log_mel(0 * sine, rate, window=512, hop=128, bands=40, floor=-60.0)
    np.testing.assert_allclose(quiet, -60, atol=1e-4)


def test_log_mel_is_the_power_of_each_frame_through_the_filters():
    sound = np.random.default_rng(0).standard_normal((2, 700)).astype(np.float32) * 0.1
    mel = log_mel(sound, 8000, window=64, hop=32, bands=8, floor=-90.0)
    padded = np.pad(sound[1], 32)
    n = np.arange(64)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * n / 64)
    bins = np.arange(33)[:, None]
    for frame in (0, 5, 21):
        piece = padded[32 * frame : 32 * frame + 64] * hann
        transform = (piece * np.exp(-2j * np.pi * bins * n / 64)).sum(1) * 4 / 64
        power = mel_filters(8000, 64, 8) @ np.abs(transform) ** 2
        np.testing.assert_allclose(mel[1, :, frame], 10 * np.log10(power), atol=1e-3)
