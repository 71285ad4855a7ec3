"""Gradient penalties against per-item Jacobians, closed forms and numerical differentiation."""

import pytest
import torch
from torch import Tensor

from ectype.models import penalties
from ectype.models.penalties import (
    finite_difference_norm,
    interpolated,
    one_centred,
    squared_gradient_norm,
)
from tests.models.numeric import Judge, autograd_slope, jacobian_norms, numerical_slope, seeded


def items(n: int = 4, seed: int = 1) -> Tensor:
    return torch.randn(n, 2, 3, generator=seeded(seed), dtype=torch.float64)


class Quadratic:
    """D(x) = ½ xᵀAx + bᵀx with a symmetric A, so that ∇D = Ax + b."""

    def __init__(self, size: int, bend: float):
        a = bend * torch.randn(size, size, generator=seeded(5), dtype=torch.float64)
        self.a = (a + a.T) / 2
        self.b = torch.randn(size, generator=seeded(6), dtype=torch.float64)

    def __call__(self, x: Tensor, label: Tensor | None) -> Tensor:
        x = x.flatten(1)
        return 0.5 * (x * (x @ self.a)).sum(1) + x @ self.b

    def gradient(self, x: Tensor) -> Tensor:
        return x.flatten(1) @ self.a + self.b


@pytest.mark.parametrize("label", [None, torch.tensor([0, 2, 1, 2])])
def test_exact_norm_is_that_of_the_jacobian(label: Tensor | None):
    judge, x = Judge(), items()
    torch.testing.assert_close(
        squared_gradient_norm(judge, x, label), jacobian_norms(judge, x, label)
    )


@pytest.mark.parametrize("bend", [0.0, 1.0])
def test_exact_norm_of_linear_and_quadratic(bend: float):
    quadratic, x = Quadratic(6, bend), items()
    norm = squared_gradient_norm(quadratic, x, None)
    torch.testing.assert_close(norm, quadratic.gradient(x).square().sum(1))


@pytest.mark.parametrize("sigma", [penalties.SIGMA, 0.5])
@pytest.mark.parametrize("bend", [0.0, 1.0])
def test_finite_difference_has_the_expectation_of_its_taylor_series(
    sigma: float, bend: float, monkeypatch: pytest.MonkeyPatch
):
    """For a quadratic D: ‖∇D‖² + σ²/4 · (tr(A)² + 2 tr(A²)), so ‖∇D‖² as σ → 0."""
    monkeypatch.setattr(penalties, "SIGMA", sigma)
    quadratic, x = Quadratic(6, bend), items(1)
    norms = finite_difference_norm(quadratic, x.expand(100_000, -1, -1), None, seeded(7))
    second = quadratic.a.trace() ** 2 + 2 * (quadratic.a @ quadratic.a).trace()
    expected = quadratic.gradient(x).square().sum() + sigma**2 / 4 * second
    assert abs(norms.mean() - expected) < 4 * norms.std() / len(norms) ** 0.5


def test_finite_difference_converges_to_the_exact_norm():
    judge, x, label = Judge(), items(2), torch.tensor([1, 2])
    draws = 50_000
    repeated = x.repeat_interleave(draws, 0)
    norms = finite_difference_norm(judge, repeated, label.repeat_interleave(draws), seeded(8))
    torch.testing.assert_close(
        norms.view(2, draws).mean(1), squared_gradient_norm(judge, x, label), rtol=0.03, atol=0
    )


@pytest.mark.parametrize("form", ["exact", "finite difference", "one-centred"])
def test_gradient_of_the_weights_is_the_numerical_one(form: str):
    judge, x, label = Judge(), items(), torch.tensor([0, 2, 1, 2])

    def penalty() -> Tensor:
        if form == "finite difference":
            return finite_difference_norm(judge, x, label, seeded(4)).mean()
        norm = squared_gradient_norm(judge, x, label)
        return (one_centred(norm) if form == "one-centred" else norm).mean()

    direction, slope = numerical_slope(penalty, judge)
    assert autograd_slope(penalty(), judge, direction) == pytest.approx(slope, rel=1e-6)


def test_penalties_leave_the_items_without_a_gradient():
    x = items().requires_grad_()
    norm = squared_gradient_norm(Judge(), x, None).sum()
    norm = norm + finite_difference_norm(Judge(), x, None, seeded()).sum()
    norm.backward()
    assert x.grad is None


def test_one_centred_is_zero_at_a_norm_of_one_and_finite_at_zero():
    norm = torch.tensor([0.0, 0.25, 1.0, 9.0], dtype=torch.float64, requires_grad=True)
    penalty = one_centred(norm)
    torch.testing.assert_close(
        penalty, torch.tensor([1.0, 0.25, 0.0, 4.0]).double(), atol=3e-6, rtol=0
    )
    (gradient,) = torch.autograd.grad(penalty.sum(), norm)
    assert gradient.isfinite().all()
    assert gradient[2].abs() < 1e-6


def test_interpolated_lies_anywhere_on_the_segment_of_its_pair():
    real, fake = items(5_000, 1), items(5_000, 2)
    share = ((interpolated(real, fake, seeded(3)) - fake) / (real - fake)).flatten(1)
    torch.testing.assert_close(share, share[:, :1].expand_as(share), rtol=1e-5, atol=1e-5)
    quantiles = share[:, 0].quantile(torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0]).double())
    uniform = torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0]).double()
    torch.testing.assert_close(quantiles, uniform, atol=0.03, rtol=0)
