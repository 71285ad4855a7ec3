"""Arithmetic that autocast must not touch, and how convolutions lie in memory."""

import torch
from torch import Tensor, nn

from ectype.nets.memory import place
from ectype.nets.precision import full_precision


class Product:
    @full_precision
    def full(self, a: Tensor, b: Tensor) -> Tensor:
        return a @ b

    def plain(self, a: Tensor, b: Tensor) -> Tensor:
        return a @ b


def test_full_precision_is_fp32_inside_autocast_and_autocast_goes_on_after_it():
    a, b = torch.randn(2, 32, 32, generator=torch.Generator().manual_seed(0)).unbind()
    product = Product()
    with torch.autocast("cpu", torch.bfloat16):
        rounded, full, after = product.plain(a, b), product.full(a, b), product.plain(a, b)
    assert torch.equal(full, a @ b)
    assert rounded.dtype == after.dtype == torch.bfloat16
    assert not torch.equal(rounded.float(), full)


def test_placed_networks_compute_the_same_in_channels_last():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 2))
    x = torch.randn(5, 3, 4, 4)
    before = net(x)
    assert place(net, torch.device("cpu")) is net
    weight = net.get_parameter("0.weight")
    assert weight.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(net(x), before)


def test_grey_pictures_too_become_maps_that_are_channels_last():
    """With one channel both orders are one in memory, and only strides tell which is meant."""
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 1, 3))
    x = torch.randn(5, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    before = net(x)
    assert net[0](x).is_contiguous()
    place(net, torch.device("cpu"))
    maps = net[0](x)
    assert maps.is_contiguous(memory_format=torch.channels_last)
    assert not maps.is_contiguous()
    torch.testing.assert_close(net(x), before)
    moments = torch.zeros_like(net.get_parameter("0.weight"))
    assert moments.stride() == net.get_parameter("0.weight").stride()  # as fused steps need them
