"""Networks for sounds: shapes, labels, and what must not depend on what."""

import pytest
import torch

from ectype.nets.audio import Block, Decoder, Discriminator, Encoder, Finer, Generator
from ectype.nets.spectrum import SpectrumGrid

GRIDS = [
    SpectrumGrid(rate=16000, length=2000, channels=1),
    SpectrumGrid(rate=44100, length=4410, channels=2),
    SpectrumGrid(rate=8000, length=400, channels=1),
]


def sounds(grid, n=3):
    generator = torch.Generator().manual_seed(0)
    return 0.3 * torch.randn(n, grid.channels, grid.length, generator=generator)


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("classes", [0, 3])
def test_shapes(grid, classes):
    label = torch.tensor([0, 2, 1]) if classes else None
    z = torch.randn(3, 5)
    assert Decoder(grid, 4, classes, 5)(z, label).shape == (3, grid.outputs, grid.frames)
    assert Generator(grid, 4, classes, 5)(z, label).shape == (3, grid.channels, grid.length)
    assert Discriminator(grid, 4, classes)(sounds(grid), label).shape == (3,)
    moments = Encoder(grid, 4, classes, 5)(sounds(grid), label)
    assert [m.shape for m in moments] == [(3, 5), (3, 5)]


def test_items_do_not_see_one_another_where_a_penalty_would_mix_them():
    grid = GRIDS[0]
    x = sounds(grid)
    for network in (Discriminator(grid, 4, 0), Encoder(grid, 4, 0, 5), Decoder(grid, 4, 0, 5)):
        items = torch.randn(3, 5) if isinstance(network, Decoder) else x
        whole, alone = network(items, None), network(items[1:2], None)
        if isinstance(whole, tuple):
            whole, alone = whole[0], alone[0]
        torch.testing.assert_close(whole[1:2], alone, atol=1e-4, rtol=1e-4)


def test_the_encoder_does_not_hear_polarity_and_the_critics_hear_phase():
    grid = GRIDS[0]
    x = sounds(grid)
    encoder, judge = Encoder(grid, 4, 0, 5), Discriminator(grid, 4, 0)
    torch.testing.assert_close(encoder(x, None)[0], encoder(-x, None)[0])
    assert (judge(x, None) - judge(-x, None)).abs().max() > 1e-4


def test_equal_latents_give_equal_sounds_and_near_ones_other_noise():
    grid = GRIDS[1]
    network = Generator(grid, 4, 0, 5).eval()
    z = torch.randn(1, 5, generator=torch.Generator().manual_seed(0))
    assert torch.equal(network(z, None), network(z, None))
    starts = torch.cat([network.starts(z), network.starts(z + 1.234e-3)])
    assert len(starts.unique()) == 4  # each channel of each item its own
    assert starts.min() >= 0
    assert starts.max() < network.inverse.pieces


def test_a_penalty_reaches_every_weight_of_the_discriminator():
    grid = GRIDS[0]
    judge = Discriminator(grid, 4, 2)
    x = sounds(grid).requires_grad_()
    label = torch.tensor([0, 1, 1])
    (slope,) = torch.autograd.grad(judge(x, label).sum(), x, create_graph=True)
    assert torch.isfinite(slope).all()
    slope.square().sum().backward()
    left_out = [name for name, p in judge.named_parameters() if p.grad is None]
    # only what is added to something has no slope
    assert all(name.endswith((".bias", ".place")) for name in left_out)
    assert all(torch.isfinite(p.grad).all() for p in judge.parameters() if p.grad is not None)


def test_silence_has_finite_gradients():
    grid = GRIDS[0]
    x = torch.zeros(2, 1, grid.length, requires_grad=True)
    (slope,) = torch.autograd.grad(Discriminator(grid, 4, 0)(x, None).sum(), x, create_graph=True)
    slope.square().sum().backward()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()
    mean, _ = Encoder(grid, 4, 0, 5)(x, None)
    assert torch.isfinite(torch.autograd.grad(mean.sum(), x)[0]).all()


def test_finer_is_linear_interpolation():
    x = torch.tensor([0.0, 4.0, 8.0]).view(1, 1, 1, 3)
    assert Finer()(x).flatten().tolist() == [0.0, 1.0, 3.0, 5.0, 7.0, 8.0]


def test_a_block_looks_three_frames_around():
    block = Block(4, norm=False)
    x = torch.randn(1, 4, 1, 20, requires_grad=True)
    (slope,) = torch.autograd.grad(block(x)[0, :, 0, 10].sum(), x)
    touched = slope[0].abs().sum((0, 1)).nonzero().flatten().tolist()
    assert touched == list(range(7, 14))
