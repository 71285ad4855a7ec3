"""Changes to sounds: each by itself, in closed form."""

import torch

from ectype.nets.audio_augment import MOST_GAIN, MOST_SHIFT, SoundAugmentation, SoundTransform


def draw(n, p, seed=0):
    return SoundAugmentation()(n, p, torch.Generator().manual_seed(seed))


def test_nothing_is_changed_at_probability_zero():
    x = torch.randn(5, 2, 320)
    assert torch.equal(draw(5, 0.0)(x), x)


def test_a_transform_changes_twice_in_the_same_way_and_keeps_the_shape():
    x = torch.randn(5, 2, 320)
    transform = draw(5, 1.0)
    assert torch.equal(transform(x), transform(x))
    assert transform(x).shape == x.shape


def test_a_shift_moves_and_lets_silence_in():
    x = torch.arange(1.0, 65.0).view(1, 1, 64).repeat(2, 1, 1)
    transform = SoundTransform(factor=torch.ones(2), shift=torch.tensor([1.0, -1.0]))
    later, earlier = transform(x)[:, 0]
    steps = round(64 * MOST_SHIFT)
    assert later.tolist() == [0.0] * steps + list(range(1, 65 - steps))
    assert earlier.tolist() == list(range(1 + steps, 65)) + [0.0] * steps


def test_gain_only_makes_softer_and_polarity_turns_half_of_them():
    factor = draw(4000, 1.0).factor
    assert (factor < 0).all()  # at probability 1 all are turned
    assert factor.abs().max() <= 1
    assert factor.abs().min() >= 10 ** (-MOST_GAIN / 20) - 1e-6
    turned = draw(4000, 0.5).factor < 0
    assert abs(turned.float().mean().item() - 0.5) < 0.05


def test_gradients_pass_through():
    x = torch.randn(3, 1, 64, requires_grad=True)
    transform = draw(3, 1.0)
    (slope,) = torch.autograd.grad(transform(x).sum(), x)
    heard = slope != 0
    assert torch.equal(slope[heard], transform.factor[:, None, None].expand_as(slope)[heard])
