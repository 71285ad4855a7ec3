"""A mixture of Gaussians over latents, with full covariances."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from ectype.nets.precision import full_precision

#: Weight of the whole data's covariance in each part's, counted in items: what keeps a part of
#: few items from becoming flat.
SHRINKAGE = 4.0
#: Added to the diagonal of the whole data's covariance, as a share of its mean: latents that do not
#: vary must not make it singular.
JITTER = 1e-4
LEAST_SPREAD = 1e-8
#: Items that a part should have, in all and for each dimension: with fewer its covariance would be
#: chance. And the most parts.
ITEMS_A_PART = 100
ITEMS_A_DIMENSION = 5
MOST_PARTS = 64
KMEANS_ROUNDS = 10
EM_ROUNDS = 3
LEAST_SHARE = 1e-3
BLOCK = 1024


class GaussianMixture(nn.Module):
    """p(z) = Σ_k π_k N(z; m_k, L_k L_kᵀ) over vectors z (n, d).

    Fitted by k-means, then a few rounds of expectation maximisation (Dempster, Laird and Rubin
    1977). Until it is fitted it is one standard normal; its number of parts is fixed beforehand,
    unused ones have weight zero.
    """

    weights: Tensor  # (k,)
    means: Tensor  # (k, d)
    factors: Tensor  # (k, d, d), lower triangular
    inverses: Tensor  # (k, d, d), of the factors

    def __init__(self, size: int, parts: int = MOST_PARTS):
        super().__init__()
        weights = torch.zeros(parts)
        weights[0] = 1.0
        self.register_buffer("weights", weights)
        self.register_buffer("means", torch.zeros(parts, size))
        self.register_buffer("factors", torch.eye(size).repeat(parts, 1, 1))
        self.register_buffer("inverses", torch.eye(size).repeat(parts, 1, 1))

    @torch.no_grad()
    @full_precision
    def fit(self, z: Tensor, generator: torch.Generator) -> None:
        """Fit to latents z (n, d), n ≥ 2."""
        n, size = z.shape
        least = max(ITEMS_A_PART, ITEMS_A_DIMENSION * size)
        parts = max(1, min(len(self.weights), n // least))
        whole = _moments(z, torch.ones(n, device=z.device))[1]
        whole = whole.lerp(whole.diagonal().diag(), size / (n + size))  # n < d has no full rank
        spread = (JITTER * whole.diagonal().mean()).clamp_min(LEAST_SPREAD)
        whole += spread * torch.eye(size, device=z.device)
        self.weights.zero_()
        for expected in range(EM_ROUNDS):
            if expected:
                share = torch.cat([self.log_joint(block).softmax(1) for block in z.split(BLOCK)])
            else:
                share = one_hot(_k_means(z, parts, generator), parts).float()
            for k in range(parts):
                belongs = share[:, k] > LEAST_SHARE
                mean, covariance = _moments(z[belongs], share[belongs, k])
                count = share[:, k].sum().double()
                if not belongs.any():  # fewer distinct items than parts
                    self.weights[k] = 0.0
                    continue
                # a part is narrower than the whole: its target covariance shrinks with its share
                target = whole * (count / n) ** (2 / size)
                blended = (count * covariance + SHRINKAGE * target) / (count + SHRINKAGE)
                factor = torch.linalg.cholesky(blended)
                self.weights[k], self.means[k], self.factors[k] = count / n, mean, factor
                self.inverses[k] = torch.linalg.inv(factor)

    @full_precision
    def log_joint(self, z: Tensor) -> Tensor:
        """Log π_k + log N(z; m_k, Σ_k), (n, k); −∞ for unused parts."""
        # (L⁻¹ z − L⁻¹ m) for all parts in one matrix product
        offsets = torch.einsum("kij,kj->ki", self.inverses, self.means)
        white = (z @ self.inverses.flatten(0, 1).T).unflatten(1, offsets.shape) - offsets
        log_volume = self.factors.diagonal(dim1=1, dim2=2).log().sum(1)
        constant = 0.5 * z.shape[1] * math.log(2 * math.pi)
        return self.weights.log() - 0.5 * white.square().sum(2) - log_volume - constant

    @full_precision
    def white(self, z: Tensor, part: Tensor) -> Tensor:
        """Latents (n, d) in the standard coordinates of given parts (n,): L_k⁻¹ (z − m_k)."""
        return torch.einsum("nij,nj->ni", self.inverses[part], z - self.means[part])

    def log_prob(self, z: Tensor) -> Tensor:
        """Log p(z) of each item, (n,)."""
        return torch.logsumexp(self.log_joint(z), 1)

    @full_precision
    def place(self, white: Tensor, part: Tensor) -> Tensor:
        """Standard normal coordinates (n, d) of given parts (n,) to latents: m_k + L_k u."""
        return self.means[part] + torch.einsum("nij,nj->ni", self.factors[part], white)


def _k_means(z: Tensor, parts: int, generator: torch.Generator) -> Tensor:
    """Index (n,) of the part that each row of z (n, d) is nearest to."""
    centres = z[torch.randperm(len(z), generator=generator, device=generator.device)[:parts]]
    nearest = torch.zeros(len(z), dtype=torch.long, device=z.device)
    for _ in range(KMEANS_ROUNDS):
        nearest = torch.cat([torch.cdist(block, centres).argmin(1) for block in z.split(BLOCK)])
        count = torch.bincount(nearest, minlength=parts)
        sums = torch.zeros_like(centres).index_add_(0, nearest, z)
        centres = torch.where(count[:, None] > 0, sums / count[:, None].clamp_min(1), centres)
    return nearest


def _moments(z: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (d,) and covariance (d, d) of rows z (n, d) with weights (n,), both float64."""
    z, weight = z.double(), weight.double()
    total = weight.sum().clamp_min(1e-6)
    mean = weight @ z / total
    centred = z - mean
    return mean, (weight[:, None] * centred).T @ centred / total
