"""Changes to sounds: each by itself, in closed form."""

import math

import pytest
import torch

from ectype.config import MOST_AUGMENT
from ectype.nets.audio_augment import (
    MOST_GAIN,
    MOST_SEMITONES,
    MOST_SHIFT,
    SoundAugmentation,
    SoundTransform,
    at_speed,
)
from ectype.nets.augment import MOST_PROBABILITY


def draw(n, strength, seed=0):
    return SoundAugmentation()(n, strength, torch.Generator().manual_seed(seed))


def test_nothing_is_changed_at_strength_zero():
    x = torch.randn(5, 2, 320)
    assert torch.equal(draw(5, 0.0)(x), x)


def test_a_transform_changes_twice_in_the_same_way_and_keeps_the_shape():
    x = torch.randn(5, 2, 320)
    transform = draw(5, MOST_AUGMENT)
    assert torch.equal(transform(x), transform(x))
    assert transform(x).shape == x.shape


def test_a_shift_moves_and_lets_silence_in():
    x = torch.arange(1.0, 65.0).view(1, 1, 64).repeat(2, 1, 1)
    transform = SoundTransform(factor=torch.ones(2), shift=torch.tensor([1.0, -1.0]))
    later, earlier = transform(x)[:, 0]
    steps = round(64 * MOST_SHIFT)
    assert later.tolist() == [0.0] * steps + list(range(1, 65 - steps))
    assert earlier.tolist() == list(range(1 + steps, 65)) + [0.0] * steps


def test_gain_only_makes_softer_and_polarity_turns_as_many_as_are_drawn():
    factor = draw(4000, MOST_AUGMENT).factor
    assert factor.abs().max() <= 1
    assert factor.abs().min() >= 10 ** (-MOST_GAIN / 20) - 1e-6
    for strength, share in [(0.5, 0.5), (MOST_PROBABILITY, 0.8), (MOST_AUGMENT, 0.8)]:
        factor = draw(4000, strength).factor
        assert abs((factor < 0).float().mean().item() - share) < 0.04
        assert abs((factor.abs() < 1).float().mean().item() - share) < 0.04


@pytest.mark.parametrize("speed", [2 ** (-1 / 12), 1.02, 2 ** (1 / 12)])
def test_another_speed_is_another_pitch_and_another_length(speed):
    """Of tones up to 0.8 of half the sampling rate, against the tone itself."""
    length = 2000
    time = torch.arange(length, dtype=torch.float64)
    for frequency in (0.01, 0.2, 0.4):
        tone = torch.sin(2 * math.pi * frequency * time)[None, None]
        made = at_speed(tone, torch.tensor([speed], dtype=torch.float64))[0, 0]
        expected = torch.sin(2 * math.pi * frequency * speed * time)
        end = min(length, int(length / speed)) - 10
        error = (made - expected)[10:end].square().mean() / expected.square().mean()
        assert error < 1e-3  # −30 dB
    if speed > 1:
        assert not made[math.ceil((length + 8) / speed) :].any()  # silence follows


def test_speed_is_drawn_within_its_limits_and_not_where_it_may_not_be():
    speed = draw(4000, 0.5).speed
    assert speed is not None
    assert 0.4 < (speed == 1).float().mean() < 0.6
    semitones = 12 * torch.log2(speed[speed != 1])
    assert semitones.abs().max() <= MOST_SEMITONES + 1e-4
    assert abs(semitones.mean()) < 0.05
    kept = SoundAugmentation(speed=False)(5, MOST_AUGMENT, torch.Generator().manual_seed(0))
    assert kept.speed is None


def test_a_speed_of_one_is_no_change():
    x = torch.randn(2, 1, 300, dtype=torch.float64)
    torch.testing.assert_close(at_speed(x, torch.ones(2, dtype=torch.float64)), x)


def test_gradients_pass_through():
    x = torch.randn(3, 1, 64, requires_grad=True)
    transform = SoundAugmentation(speed=False)(3, MOST_AUGMENT, torch.Generator().manual_seed(0))
    (slope,) = torch.autograd.grad(transform(x).sum(), x)
    heard = slope != 0
    assert torch.equal(slope[heard], transform.factor[:, None, None].expand_as(slope)[heard])


def test_gradients_of_gradients_pass_through_speed():
    x = torch.randn(2, 1, 24, dtype=torch.float64, requires_grad=True)
    speed = torch.tensor([0.97, 1.05], dtype=torch.float64)
    assert torch.autograd.gradgradcheck(lambda x: at_speed(x, speed).pow(3), x)
