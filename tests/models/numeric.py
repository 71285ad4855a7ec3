"""What the tests of models compare with: seeded draws and numerical differentiation."""

from collections.abc import Callable

import torch
from torch import Tensor, nn


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def numerical_slope(value: Callable[[], Tensor], module: nn.Module, step: float = 1e-5):
    """A direction in the module's parameters, and the slope of `value()` along it."""
    parameters = list(module.parameters())
    generator = seeded(99)
    direction = [torch.randn(p.shape, generator=generator, dtype=p.dtype) for p in parameters]

    def at(distance: float) -> float:
        with torch.no_grad():
            for p, d in zip(parameters, direction, strict=True):
                p += distance * d
        result = value().item()
        with torch.no_grad():
            for p, d in zip(parameters, direction, strict=True):
                p -= distance * d
        return result

    return direction, (at(step) - at(-step)) / (2 * step)


def autograd_slope(value: Tensor, module: nn.Module, direction: list[Tensor]) -> float:
    """The slope of `value` along a direction in the module's parameters, by autograd."""
    gradients = torch.autograd.grad(value, list(module.parameters()), allow_unused=True)
    pairs = zip(gradients, direction, strict=True)
    return sum((g * d).sum().item() for g, d in pairs if g is not None)


class Judge(nn.Module):
    """A smooth discriminator of items (n, 2, 3), doubles, with a term for the label."""

    def __init__(self, seed: int = 0, classes: int = 3):
        super().__init__()
        generator = seeded(seed)

        def weights(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.randn(shape, generator=generator, dtype=torch.float64))

        self.first, self.second, self.label = weights(6, 5), weights(5), weights(classes, 6)

    def forward(self, x: Tensor, label: Tensor | None) -> Tensor:
        x = x.flatten(1).double()
        judged = torch.tanh(x @ self.first) @ self.second
        if label is not None:
            judged = judged + (x.square() * self.label[label]).sum(1)
        return judged


def jacobian_norms(judge: nn.Module, x: Tensor, label: Tensor | None) -> Tensor:
    """‖∂D(x_i)/∂x_i‖² from the whole Jacobian, which also shows that items do not mix."""
    jacobian = torch.autograd.functional.jacobian(lambda t: judge(t, label), x)
    assert isinstance(jacobian, Tensor)
    jacobian = jacobian.flatten(2)  # (judged item, item, size)
    own = torch.stack([jacobian[i, i] for i in range(len(x))])
    torch.testing.assert_close(jacobian.square().sum(), own.square().sum())
    return own.square().sum(1)
