"""Networks for pictures: shapes, what may not be mixed, and how they begin."""

from itertools import pairwise, product

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, leaky_relu, pad

from ectype.models.likelihoods import haar_bands
from ectype.nets import image
from ectype.nets.image import Decoder, Discriminator, Down, Encoder, Generator, Residual, Up

LATENT = 5
SIZES = [(8, 8), (12, 20), (28, 28), (37, 50), (64, 48)]
ROLES = ("generator", "discriminator", "encoder", "decoder")


def network(role: str, channels: int, size: tuple[int, int], classes: int, width: int = 8):
    torch.manual_seed(0)
    shape = (channels, *size)
    if role == "generator":
        return Generator(shape, width, classes, LATENT)
    if role == "discriminator":
        return Discriminator(shape, width, classes)
    if role == "encoder":
        return Encoder(shape, width, classes, LATENT)
    return Decoder(channels, size, width, classes, LATENT)


def inputs(role: str, n: int, channels: int, size: tuple[int, int]) -> Tensor:
    shape = (LATENT,) if role in ("generator", "decoder") else (channels, *size)
    return torch.randn(n, *shape, generator=torch.Generator().manual_seed(1))


def output(role: str, net: nn.Module, x: Tensor, label: Tensor | None) -> Tensor:
    result = net(x, label)
    return torch.cat(result, 1) if role == "encoder" else result


CELLS = [(2, channels, size) for size in SIZES for channels in (1, 2, 3, 4)]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("n", "channels", "size"), [*CELLS, (1, 3, (256, 256))])
def test_shapes_and_gradients(role: str, n: int, channels: int, size: tuple[int, int]):
    """Every network puts out what it should, and what it puts out depends on all its weights."""
    for classes in (0, 3):
        net = network(role, channels, size, classes).eval()
        label = torch.arange(n) if classes else None
        y = output(role, net, inputs(role, n, channels, size), label)
        picture = (n, channels, *size)
        expected = {"discriminator": (n,), "encoder": (n, 2 * LATENT)}.get(role, picture)
        assert y.shape == expected
        assert y.isfinite().all()
        (y * torch.randn_like(y)).sum().backward()
        silent = {
            name
            for name, p in net.named_parameters()
            if (p.grad is None or not p.grad.any()) and ".first." not in name
        }
        assert not silent  # `first` of a residual block waits for `second`, which starts at zero


@pytest.mark.parametrize("role", ROLES)
def test_scale_at_the_start_is_that_of_the_data(role: str):
    """Neither vanishing nor bursting at any depth: outputs of the order of one."""
    for size in ((28, 28), (64, 48)):
        net = network(role, 3, size, 0, width=16)
        y = output(role, net, inputs(role, 16, 3, size), None)
        assert 0.1 < y.std() < 3


@pytest.mark.parametrize("role", ["discriminator", "encoder", "decoder"])
def test_items_of_a_batch_do_not_see_one_another(role: str):
    net, x = network(role, 2, (12, 20), 3), inputs(role, 3, 2, (12, 20)).requires_grad_()
    label = torch.tensor([0, 2, 1])
    y = output(role, net, x, label).reshape(3, -1)
    for i in range(3):
        (gradient,) = torch.autograd.grad(y[i].sum(), x, retain_graph=True)
        touched = gradient.flatten(1).any(1)
        assert touched.tolist() == [j == i for j in range(3)]
        alone = output(role, net, x[i : i + 1], label[i : i + 1])
        torch.testing.assert_close(alone.flatten(), y[i])


@pytest.mark.parametrize("role", ROLES)
def test_labels_count_at_the_start_of_a_growing_network_and_after_a_step_of_a_shrinking_one(
    role: str,
):
    net, x = network(role, 1, (12, 20), 3), inputs(role, 4, 1, (12, 20))
    zeros, twos = torch.zeros(4, dtype=torch.long), torch.full((4,), 2)

    def differs() -> bool:
        return not torch.equal(output(role, net, x, zeros), output(role, net, x, twos))

    assert differs() == (role in ("generator", "decoder"))
    optimiser = torch.optim.SGD(net.parameters(), 0.1)
    output(role, net, x, torch.tensor([0, 0, 2, 2])).square().sum().backward()
    optimiser.step()
    assert differs()


def test_generator_puts_out_bounded_pictures_and_normalises_where_it_should():
    net = network("generator", 3, (28, 28), 0)
    assert net(100 * inputs("generator", 4, 3, (28, 28)), None).abs().max() <= 1
    norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    assert norms
    for role in ("discriminator", "encoder", "decoder"):
        others = network(role, 3, (28, 28), 0).modules()
        assert not any(isinstance(m, nn.BatchNorm2d) for m in others)


def test_discriminator_is_a_projection_of_the_label():
    net = network("discriminator", 1, (8, 8), 3)
    assert isinstance(net, Discriminator)
    assert net.labels is not None
    nn.init.normal_(net.labels.weight)
    x, label = inputs("discriminator", 4, 1, (8, 8)), torch.tensor([0, 1, 2, 1])
    features = net.trunk(x)
    for i in range(4):
        projected = features[i] @ net.labels.weight[label[i]] / features.shape[1] ** 0.5
        torch.testing.assert_close(net(x, label)[i], net(x, None)[i] + projected)


@pytest.mark.parametrize("size", [(12, 20), (11, 20), (11, 19)])
def test_up_starts_as_bilinear_interpolation_of_mixed_channels(size: tuple[int, int]):
    up, x = Up(3, 4, size, norm=False), torch.randn(2, 3, 6, 10)
    mixing = up.convolution.weight[:, :, 1, 1] / (3 / 4) ** 2
    mixed = torch.einsum("nihw,io->nohw", leaky_relu(x, image.SLOPE), mixing)
    expected = interpolate(mixed, scale_factor=2, mode="bilinear")
    inside = (..., slice(1, 11), slice(1, 19))
    assert up(x).shape[-2:] == size
    torch.testing.assert_close(up(x)[inside], expected[..., : size[0], : size[1]][inside])


def test_residual_starts_as_nothing_and_has_depth_after_a_step():
    block, x = Residual(6), torch.randn(2, 6, 5, 7)
    assert torch.equal(block(x), x)
    optimiser = torch.optim.SGD(block.parameters(), 0.1)
    for _ in range(2):
        optimiser.zero_grad()
        (block(x) - 1).square().mean().backward()
        optimiser.step()
    assert block.first.weight.grad is not None
    assert block.first.weight.grad.any()
    own = block.second(leaky_relu(block.first(leaky_relu(x, image.SLOPE)), image.SLOPE))
    torch.testing.assert_close(block(x), x + own)


@pytest.mark.parametrize("size", [(6, 8), (5, 8), (5, 7)])
def test_down_adds_a_row_of_zeros_to_an_odd_side(size: tuple[int, int]):
    down, x = Down(2, 4, activate=True), torch.randn(3, 2, *size)
    even = pad(x, (0, size[1] % 2, 0, size[0] % 2))
    torch.testing.assert_close(down(x), down(even))
    assert down(x).shape[-2:] == ((size[0] + 1) // 2, (size[1] + 1) // 2)


@pytest.mark.parametrize("limit", [image.GAME_LIMIT, image.AUTOENCODER_LIMIT])
def test_grids_halve_until_the_limit(limit: int):
    for height, width in product(range(4, 300, 7), repeat=2):
        grids = image.resolutions(height, width, limit)
        assert grids[0] == (height, width)
        assert len(grids) >= 2
        for (h, w), (half_h, half_w) in pairwise(grids):
            assert 0 <= 2 * half_h - h <= 1
            assert 0 <= 2 * half_w - w <= 1
        assert min(grids[-1]) < limit
        assert len(grids) == 2 or min(grids[-2]) >= limit


def test_bands_of_a_picture_make_it_again():
    picture = torch.randn(2, 3, 6, 10, generator=torch.Generator().manual_seed(0))
    *details, rest = haar_bands(picture, 1)
    torch.testing.assert_close(image.inverse_haar(rest, *details), picture)


@pytest.mark.parametrize("size", SIZES)
def test_a_coarse_grid_speaks_of_large_shapes_alone(size: tuple[int, int]):
    """Without a word from finer grids every place of a coarse one is plain."""
    decoder = network("decoder", 3, size, 0)
    assert isinstance(decoder, Decoder)
    for head in decoder.heads[1:]:
        nn.init.zeros_(head.get_parameter("weight"))
    y = decoder(inputs("decoder", 2, 3, size), None)
    blocks = 2 ** (len(decoder.heads) - 1)
    plain = y[:, :, ::blocks, ::blocks].repeat_interleave(blocks, 2).repeat_interleave(blocks, 3)
    torch.testing.assert_close(plain[:, :, : size[0], : size[1]], y)
    assert y.std() > 0.3
