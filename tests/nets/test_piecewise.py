"""The leaky ReLU that a gradient penalty passes twice."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu as torch_leaky_relu

from ectype.models.penalties import squared_gradient_norm
from ectype.nets.piecewise import leaky_relu

SLOPE = 0.2


class Judge(nn.Module):
    """Two convolutions and a product, with either leaky ReLU between."""

    def __init__(self, activation):
        super().__init__()
        torch.manual_seed(0)
        self.activation = activation
        self.first = nn.Conv2d(2, 6, 3)
        self.second = nn.Conv2d(6, 4, 3)
        self.last = nn.Linear(4, 1)
        self.double()

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        x = self.activation(self.second(self.activation(self.first(x), SLOPE)), SLOPE)
        return self.last(x.flatten(1)).squeeze(1)


def pictures() -> Tensor:
    return torch.randn(3, 2, 5, 5, generator=torch.Generator().manual_seed(1)).double()


def gradients(judge: Judge, loss: Tensor) -> list[Tensor | None]:
    return [*torch.autograd.grad(loss, [*judge.parameters()], allow_unused=True)]


def test_values_and_derivatives_are_those_of_autograd():
    x = pictures().requires_grad_()
    assert torch.equal(leaky_relu(x, SLOPE), torch_leaky_relu(x, SLOPE))
    assert torch.autograd.gradcheck(lambda x: leaky_relu(x, SLOPE), x)
    assert torch.autograd.gradgradcheck(lambda x: leaky_relu(x, SLOPE).square(), x)


@pytest.mark.parametrize("twice", [False, True], ids=["loss", "penalty"])
def test_gradients_of_a_loss_and_of_a_penalty_are_those_of_torch(twice: bool):
    found = []
    for activation in (leaky_relu, torch_leaky_relu):
        judge = Judge(activation)
        x = pictures()
        loss = squared_gradient_norm(judge, x, None) if twice else judge(x).square()
        found.append(gradients(judge, loss.sum()))
    for ours, theirs in zip(*found, strict=True):
        if ours is None:  # where torch has gone all the way back with zeros
            assert twice
            assert theirs is None or not theirs.any()
        else:
            assert torch.equal(ours, theirs)
    assert sum(ours is None for ours in found[0]) == (3 if twice else 0)


def test_a_third_derivative_is_that_of_torch():
    found = []
    for activation in (leaky_relu, torch_leaky_relu):
        x = pictures().requires_grad_()
        y = activation(x, SLOPE).pow(3)
        for _ in range(3):
            (y,) = torch.autograd.grad(y.sum(), x, create_graph=True)
        found.append(y)
    torch.testing.assert_close(*found)
