"""Convolutions whose weights' gradient is one product: against torch's own."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from ectype.models.penalties import squared_gradient_norm
from ectype.nets import convolution
from ectype.nets.convolution import Conv2d, ConvTranspose2d
from ectype.nets.memory import place

#: Kind, torch's kind, kernel, stride, padding, sides of what is read.
CASES = [
    (Conv2d, nn.Conv2d, 4, 2, 1, (8, 8)),
    (Conv2d, nn.Conv2d, 4, 2, 1, (6, 8)),
    (Conv2d, nn.Conv2d, 3, 1, 0, (5, 4)),
    (ConvTranspose2d, nn.ConvTranspose2d, 4, 2, 1, (4, 4)),
    (ConvTranspose2d, nn.ConvTranspose2d, 4, 2, 1, (2, 3)),
    (ConvTranspose2d, nn.ConvTranspose2d, 3, 1, 1, (4, 4)),
]


def pair(kind, plain, kernel: int, stride: int, padding: int, bias: bool):
    """A layer and torch's, with the same weights."""
    torch.manual_seed(0)
    ours = kind(6, 5, kernel, stride, padding, bias=bias)
    theirs = plain(6, 5, kernel, stride, padding, bias=bias)
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


def maps(sides: tuple[int, int], n: int = 3) -> Tensor:
    return torch.randn(n, 6, *sides, generator=torch.Generator().manual_seed(1))


def placed(layer: nn.Module) -> nn.Module:
    return place(layer.double(), torch.device("cpu"))


@pytest.fixture
def in_any_precision(monkeypatch):
    """Ours also in fp64, where it can be compared to the last digits."""
    monkeypatch.setattr(convolution, "_is_quicker", lambda x, pixels: torch.is_grad_enabled())


def names_of(y: Tensor) -> set[str]:
    """The kinds of all nodes in the graph behind a tensor."""
    found, todo = set(), [y.grad_fn]
    while todo:
        node = todo.pop()
        if node is not None and node.name() not in found:
            found.add(node.name())
            todo += [before for before, _ in node.next_functions]
    return found


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    "lie", [nn.Module.double, lambda m: place(m.double(), torch.device("cpu"))]
)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_outputs_and_all_gradients_are_those_of_torch(
    case, lie: Callable, bias: bool, in_any_precision
):
    *kinds, sides = case
    found = []
    for layer in pair(*kinds, bias=bias):
        lie(layer)
        x = maps(sides).double().requires_grad_()
        y = layer(x)
        gradients = torch.autograd.grad(y.pow(3).sum(), [x, *layer.parameters()])
        found.append([y, *gradients])
        ours = type(layer) in (Conv2d, ConvTranspose2d)
        assert any("_Convolution" in name for name in names_of(y)) == ours
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_gradient_penalty_is_that_of_torch(case, in_any_precision):
    *kinds, sides = case
    found = []
    for layer in pair(*kinds, bias=True):
        torch.manual_seed(2)
        before = nn.Conv2d(6, 6, 3, padding=1)
        net = nn.Sequential(before, nn.Softplus(), layer, nn.Softplus(), nn.Flatten(1)).double()
        norm = squared_gradient_norm(
            lambda x, _, net=net: net(x).sum(1), maps(sides).double(), None
        )
        gradients = torch.autograd.grad(norm.sum(), [*net.parameters()], allow_unused=True)
        found.append([norm, *gradients])
    for ours, theirs in zip(*found, strict=True):
        assert (ours is None) == (theirs is None)
        if ours is not None:
            torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_under_autocast_gradients_are_those_of_torch_in_bf16(case):
    *kinds, sides = case
    found = []
    for layer in pair(*kinds, bias=True):
        place(layer, torch.device("cpu"))
        x = maps(sides, 16).requires_grad_()
        with torch.autocast("cpu", torch.bfloat16):
            y = layer(x)
        assert y.dtype == torch.bfloat16
        ours = type(layer) in (Conv2d, ConvTranspose2d)
        assert any("_Convolution" in name for name in names_of(y)) == ours
        found.append(torch.autograd.grad(y.float().square().sum(), [x, *layer.parameters()]))
    for ours, theirs in zip(*found, strict=True):
        assert ours.dtype == torch.float32
        assert (ours - theirs).norm() < 0.01 * theirs.norm()


@pytest.mark.parametrize("side", [14, 16])
def test_large_maps_and_passes_without_gradients_or_in_fp32_are_left_to_torch(side: int):
    layer, _ = pair(*CASES[0][:-1], bias=True)

    def is_ours(x: Tensor) -> bool:
        return any("_Convolution" in name for name in names_of(layer(x)))

    assert not is_ours(maps((side, side)))
    with torch.autocast("cpu", torch.bfloat16):
        assert is_ours(maps((side, side))) == (side == 14)
        with torch.no_grad():
            assert not is_ours(maps((14, 14)))


def test_a_frozen_layer_passes_the_gradient_on(in_any_precision):
    layer, _ = pair(*CASES[0][:-1], bias=True)
    frozen = copy.deepcopy(layer).requires_grad_(False)
    x = maps((8, 8)).requires_grad_()
    (slope,) = torch.autograd.grad(frozen(x).square().sum(), x)
    (expected,) = torch.autograd.grad(layer(x).square().sum(), x)
    torch.testing.assert_close(slope, expected)
    assert frozen.weight.grad is None
