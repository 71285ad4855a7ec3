"""The energy distance of spectra: a score that the right amount of noise wins."""

import math

import pytest
import torch

from ectype.models.spectral import SpectralEnergy, sum_of_distances
from ectype.nets.spectrum import FIRST_NOISE, NOISE_BANDS, SpectrumGrid

GRID = SpectrumGrid(rate=16000, length=2000, channels=1)


def noise_of(strength, n):
    """Spectra that are noise of one strength."""
    level = torch.full((n, 2 * GRID.bins, GRID.frames), -30.0)
    level[:, GRID.bins :] = 0.0
    bands = torch.full((n, NOISE_BANDS, GRID.frames), math.log(strength) - FIRST_NOISE)
    return torch.cat([level, bands], 1)


@pytest.fixture
def likelihood():
    return SpectralEnergy(GRID).eval()


def test_the_right_amount_of_noise_has_the_least_energy(likelihood):
    generator = torch.Generator().manual_seed(0)
    x = likelihood.draw(noise_of(0.01, 64), generator, 1.0)
    shares = (0.5, 0.8, 1.0, 1.25, 2.0)
    losses = [likelihood.training_loss(x, noise_of(0.01 * s, 64)).item() for s in shares]
    assert shares[losses.index(min(losses))] == 1.0


def test_a_plain_distance_would_ask_for_too_little_noise(likelihood):
    """Why there are two draws: without the third term of the energy, less noise wins."""
    generator = torch.Generator().manual_seed(0)
    x = likelihood.draw(noise_of(0.01, 64), generator, 1.0)

    def plain(share):
        y = likelihood.draw(noise_of(0.01 * share, 64), generator, 1.0)
        return likelihood.energy(x, y, y).item()

    assert plain(0.8) < plain(1.0)


def test_the_energy_of_a_sound_with_itself_is_zero_and_of_others_is_not(likelihood):
    generator = torch.Generator().manual_seed(0)
    x = likelihood.draw(noise_of(0.01, 4), generator, 1.0)
    assert likelihood.energy(x, x, x).item() == 0
    assert likelihood.energy(x, 2 * x, 2 * x) > 0.5
    assert likelihood.energy(x, -x, -x).item() == 0  # polarity is a phase


def test_distances_are_added_as_the_energy_has_them():
    x, first, second = torch.tensor([[3.0], [0.0], [1.0]])
    assert sum_of_distances(x, first, second).item() == 3 + 2 - 1


def test_log_prob_is_the_density_of_a_normal_about_the_mean(likelihood):
    parameters = noise_of(0.01, 3)
    x = torch.randn(3, 1, GRID.length, generator=torch.Generator().manual_seed(1))
    likelihood.variance.fill_(0.3)
    normal = torch.distributions.Normal(likelihood.mean(parameters), math.sqrt(0.3))
    expected = normal.log_prob(x).flatten(1).sum(1)
    torch.testing.assert_close(likelihood.log_prob(x, parameters), expected)


def test_the_fit_hears_spectra_and_no_phases(likelihood):
    parameters = torch.cat([noise_of(strength, 1) for strength in (0.003, 0.01, 0.03)])
    x = likelihood.mean(parameters)
    own = likelihood.fits(x, parameters)
    assert own.shape == (3,)
    torch.testing.assert_close(own, torch.zeros(3), atol=1e-4, rtol=0)
    assert (likelihood.fits(x, parameters.roll(1, 0)) < own - 0.5).all()
    torch.testing.assert_close(likelihood.fits(-x, parameters), own)
    # another draw of the same noise has other phases and still fits better than another strength
    drawn = likelihood.draw(parameters, torch.Generator().manual_seed(1), 1.0)
    assert (
        likelihood.fits(drawn, parameters) > likelihood.fits(drawn, parameters.roll(1, 0))
    ).all()


def test_training_counts_its_turns_so_that_noise_repeats_after_a_resume(likelihood):
    x, parameters = torch.zeros(2, 1, GRID.length), noise_of(0.01, 2)
    assert likelihood.training_loss(x, parameters) == likelihood.training_loss(x, parameters)
    likelihood.train()
    first = likelihood.training_loss(x, parameters)
    state = {k: v.clone() for k, v in likelihood.state_dict().items()}
    second = likelihood.training_loss(x, parameters)
    assert first != second
    other = SpectralEnergy(GRID)
    other.load_state_dict(state)
    assert other.training_loss(x, parameters) == second


def test_draws_follow_the_generator_and_the_mean_is_always_the_same(likelihood):
    parameters = noise_of(0.01, 2)
    draws = [
        likelihood.draw(parameters, torch.Generator().manual_seed(seed), 1.0) for seed in (0, 0, 1)
    ]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    assert torch.equal(likelihood.mean(parameters), likelihood.mean(parameters))
