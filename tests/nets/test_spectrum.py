"""Spectra that are drawn, and the sounds that come of them."""

import math
from typing import Any

import pytest
import torch

from ectype.nets.spectrum import (
    FIRST_NOISE,
    FIRST_WAVE,
    NOISE_BANDS,
    InverseSpectrum,
    SpectrumGrid,
    spectrum_of,
)

GRID = SpectrumGrid(rate=16000, length=4000, channels=1)


def drawn(grid, magnitude: Any = 1e-9, phase: Any = 0.0, strength: Any = 1e-9):
    """A spectrum with given magnitude and phase (bins, frames) and strength (bands, frames)."""
    parts = [
        torch.as_tensor(math.log(m) if isinstance(m, float) else m.log()) - first
        for m, first in ((magnitude, FIRST_WAVE), (strength, FIRST_NOISE))
    ]
    level = parts[0].expand(grid.bins, grid.frames)
    noise = parts[1].expand(NOISE_BANDS, grid.frames)
    turn = torch.as_tensor(phase).expand(grid.bins, grid.frames)
    return torch.cat([level, turn, noise])[None].repeat(1, grid.channels, 1)


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100])
def test_the_grid_covers_the_sound(rate):
    grid = SpectrumGrid(rate=rate, length=rate // 3, channels=2)
    assert grid.window & (grid.window - 1) == 0
    assert (grid.frames - 1) * grid.hop >= grid.length
    assert grid.outputs == 2 * (2 * grid.bins + NOISE_BANDS)


def test_the_spectrum_of_a_sound_drawn_exactly_is_that_sound():
    """Magnitude and phase (counted from the start of the sound) give the waveform back."""
    time = torch.arange(GRID.length) / GRID.rate
    sound = 0.4 * torch.sin(2 * math.pi * 440 * time) * torch.exp(-8 * time)
    sound += 0.05 * torch.randn(GRID.length, generator=torch.Generator().manual_seed(0))
    padded = torch.nn.functional.pad(sound, (0, (GRID.frames - 1) * GRID.hop - GRID.length))
    cells = spectrum_of(padded[None], GRID.window, GRID.hop)[0]
    k, t = torch.arange(GRID.bins)[:, None], torch.arange(GRID.frames)
    inverse = InverseSpectrum(GRID)
    own = inverse.turning[:, :1] - math.pi / 2 * (2 * k % 4)  # a bin's phase to begin with
    phase = cells.angle() - math.pi / 2 * (k * (t + 2) % 4) - own
    spectrum = drawn(GRID, cells.abs().clamp_min(1e-12), phase)
    out = inverse(spectrum, torch.zeros(1, 1, dtype=torch.int64))
    torch.testing.assert_close(out[0, 0], sound, atol=2e-4, rtol=0)


def test_a_steady_phase_is_a_steady_tone():
    magnitude = torch.full((GRID.bins, GRID.frames), 1e-9)
    magnitude[14] = 0.5
    inverse = InverseSpectrum(GRID)
    out = inverse(drawn(GRID, magnitude), torch.zeros(1, 1, dtype=torch.int64))
    time = torch.arange(GRID.length) / GRID.rate
    # frames A/2 · cos overlap by a Hann window whose sum is 2 and whose squares' sum is 3/2
    tone = (
        0.5
        / 2
        * 2
        / 1.5
        * torch.cos(2 * math.pi * 14 * GRID.rate / GRID.window * time + inverse.turning[14, 0])
    )
    inside = slice(GRID.window, -GRID.window)
    torch.testing.assert_close(out[0, 0, inside], tone[inside], atol=1e-3, rtol=0)


def test_noise_has_the_strength_that_is_drawn_and_other_places_give_other_noise():
    inverse = InverseSpectrum(GRID)
    spectrum = drawn(GRID, strength=0.01).repeat(40, 1, 1)
    start = torch.arange(40)[:, None] * (inverse.pieces // 40)
    out = inverse(spectrum, start)[:, 0]
    power = spectrum_of(out, GRID.window, GRID.hop)[:, :, 4:-4].abs().square().mean((0, 2))
    # unit-power noise of this strength, spectrum by spectrum: flat, but for the two ends
    assert power[4:-4].sqrt().mean().item() == pytest.approx(0.01, rel=0.25)
    assert power[4:-4].sqrt().std() < 0.0015
    assert torch.corrcoef(out[:2])[0, 1].abs() < 0.1
    again = inverse(spectrum, start)[:, 0]
    assert torch.equal(out, again)


def test_stereo_channels_are_drawn_apart():
    grid = SpectrumGrid(rate=16000, length=2000, channels=2)
    inverse = InverseSpectrum(grid)
    loud, quiet = drawn(GRID, strength=0.1), drawn(GRID, strength=1e-6)
    frames = grid.frames
    spectrum = torch.cat([loud[..., :frames], quiet[..., :frames]], 1)
    out = inverse(spectrum, torch.tensor([[0, 100]]))
    assert out.shape == (1, 2, 2000)
    assert out[0, 0].std() > 1000 * out[0, 1].std()
