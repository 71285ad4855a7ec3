"""What sounds are measured in."""

import numpy as np
import pytest

from ectype.measures import audio
from ectype.measures.frechet import frechet_distance

RATE = 16000


def tone(hertz, seconds=0.5, decay=6.0, rate=RATE):
    time = np.arange(round(seconds * rate)) / rate
    return (0.8 * np.sin(2 * np.pi * hertz * time) * np.exp(-decay * time)).astype(np.float32)


def noise(n, seconds=0.5, seed=0, level=0.2):
    random = np.random.default_rng(seed)
    return (level * random.standard_normal((n, round(seconds * RATE), 1))).astype(np.float32)


def test_statistics_are_those_of_the_log_mel_spectrum():
    items = np.stack([tone(440), tone(3000)])[:, :, None]
    found = audio.statistics(items, RATE)
    bands = audio.BANDS
    assert found.shape == (2, 4 * bands)
    (mels,) = audio._mels(items, RATE, bands)
    np.testing.assert_allclose(found[:, :bands], mels.mean(2), atol=1e-4)
    np.testing.assert_allclose(found[:, bands : 2 * bands], mels.std(2), atol=1e-4)
    np.testing.assert_allclose(found[1, 2 * bands : 3 * bands], mels[1, :, :8].mean(1), atol=1e-4)
    change = np.abs(mels[0, :, 1:] - mels[0, :, :-1]).mean(1)
    np.testing.assert_allclose(found[0, 3 * bands :], change, atol=1e-4)


def test_stored_integers_and_floats_are_measured_alike():
    items = noise(3)
    stored = np.rint(items * 32767).clip(-32767, 32767).astype(np.int16)
    np.testing.assert_allclose(
        audio.statistics(stored, RATE), audio.statistics(stored / np.float32(32767), RATE)
    )
    with pytest.raises(TypeError, match="int64"):
        audio.statistics(stored.astype(np.int64), RATE)
    with pytest.raises(ValueError, match="channels"):
        audio.statistics(stored[:, :, 0], RATE)


def test_whitening_gives_mean_zero_and_covariance_one():
    random = np.random.default_rng(0)
    mixing = random.standard_normal((52, 52))
    x = (30 * random.standard_normal((400, 52)) @ mixing + 5).astype(np.float32)
    whiten = audio.Whitening.fit(x)
    white = whiten(x).astype(np.float64)
    np.testing.assert_allclose(white.mean(0), 0, atol=1e-3)
    np.testing.assert_allclose(np.cov(white.T), np.eye(52), atol=1e-2)
    again = audio.Whitening.from_numbers(whiten.numbers())
    np.testing.assert_allclose(again(x), whiten(x), atol=1e-3)


def test_a_direction_without_variance_is_not_blown_up():
    x = np.zeros((50, 52), np.float32)
    x[:, 0] = np.random.default_rng(0).standard_normal(50)
    whiten = audio.Whitening.fit(x)
    moved = x.copy()
    moved[:, 7] += 0.1  # a tenth of a decibel
    assert np.abs(whiten(moved) - whiten(x)).max() < 0.25


def test_the_space_tells_noise_from_tones_and_a_buzz_from_either():
    random = np.random.default_rng(0)
    tones = np.stack([tone(h) for h in random.uniform(200, 4000, 60)])[:, :, None]
    hiss = noise(60)
    whiten = audio.Whitening.fit(audio.statistics(np.concatenate([tones, hiss]), RATE))

    def distance(a, b):
        return frechet_distance(*(whiten(audio.statistics(x, RATE)) for x in (a, b)))

    same = distance(hiss, noise(60, seed=1))
    assert distance(tones, hiss) > 5 * same
    buzz = hiss * (np.arange(hiss.shape[1]) % 512 < 256)[None, :, None]
    assert distance(buzz, hiss) > 5 * same


def test_silent_and_clipped_sounds_are_counted():
    good = np.stack([tone(440), tone(3000)])[:, :, None]
    silent = np.full_like(good, 5e-4)
    clipped = np.clip(20 * good, -1, 1)
    assert audio.is_silent(np.concatenate([good, silent])).tolist() == [False] * 2 + [True] * 2
    assert audio.is_clipped(np.concatenate([good, clipped])).tolist() == [False] * 2 + [True] * 2
    found = audio.share_measures(np.concatenate([good, silent]), good, clipped)
    assert found["silent_share"].value == 0.5
    assert found["silent_share"].floor == 0
    assert found["clipped_share"].value == 0
    assert found["clipped_share"].floor == 0.5


def test_si_sdr_is_blind_to_scale_and_known_for_orthogonal_noise():
    x = np.array([[1.0, 1.0, 0.0, 0.0]], np.float32)
    error = np.array([[0.0, 0.0, 0.1, 0.1]], np.float32)
    assert audio.si_sdr(x, x + error)[0] == pytest.approx(20)
    assert audio.si_sdr(x, 7 * (x + error))[0] == pytest.approx(20)


def test_distances_of_spectra_are_zero_for_equal_sounds_and_do_not_hear_polarity():
    items = np.stack([tone(440), tone(3000)])[:, :, None]
    same = audio.reconstruction_measures(items, items, RATE)
    assert same["stft_distance"].value == 0
    assert same["mel_distance"].value == 0
    assert same["si_sdr"].value > 60
    turned = audio.reconstruction_measures(items, -items, RATE)
    assert turned["stft_distance"].value == pytest.approx(0, abs=1e-6)
    half = audio.reconstruction_measures(items, items / 2, RATE)
    # half as loud: 1/2 in linear magnitude, up to ln 2 in logarithms, up to 6 dB in mel bands
    assert 0.5 < half["stft_distance"].value < 0.5 + np.log(2)
    assert 0 < half["mel_distance"].value <= 20 * np.log10(2)


def test_a_sound_of_any_rate_and_length_has_features():
    for rate, seconds in ((8000, 0.03), (44100, 1.0), (22050, 0.2)):
        items = np.stack([tone(300, seconds, rate=rate)] * 2)[:, :, None].repeat(2, 2)
        assert np.isfinite(audio.statistics(items, rate)).all()
        assert np.isfinite(audio.mel_pictures(items, rate)).all()
