"""Fréchet distance between two sets of features, each summed up as a Gaussian.

"GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium"
(https://arxiv.org/abs/1706.08500), equation 6. The figure is biased upwards at small n: compare at
equal n only, and beside the floor of real against real.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_BLOCK = 4096


@dataclass(frozen=True, kw_only=True, eq=False)
class Moments:
    """Mean and covariance of a set of features, all that a Fréchet distance needs of it.

    Attributes:
        n: how many features were summed up.
        mean: (d,) float64.
        root: (r, d) float64 with r = min(n, d) and covariance = root^T root. Kept for the
            covariance itself because it is small where n < d, and because forming the product
            would square the condition number and lose half of the digits.
    """

    n: int
    mean: Tensor
    root: Tensor


def moments(features: NDArray[Any]) -> Moments:
    """Sum features up as mean and (unbiased) covariance, in float64.

    Args:
        features: (n, d), n at least 2.

    Raises:
        ValueError: if the shape is another or a feature is not finite.
    """
    if features.ndim != 2 or len(features) < 2 or features.shape[1] == 0:
        raise ValueError(f"moments take features (n >= 2, d >= 1), not {features.shape}")
    with np.errstate(invalid="ignore"):  # infinities of both signs; named just below
        mean = features.mean(0, dtype=np.float64)
    if not np.isfinite(mean).all():  # one NaN or infinity anywhere reaches the mean
        raise ValueError("features hold NaN or infinity, so their moments mean nothing")

    # QR by blocks of rows: the triangle of all rows so far stands for all rows so far.
    n, d = features.shape
    root = torch.empty((0, d), dtype=torch.float64)
    for start in range(0, n, _BLOCK):
        rows = features[start : start + _BLOCK].astype(np.float64) - mean
        root = torch.cat([root, torch.from_numpy(rows)])
        if len(root) > d:
            root = torch.linalg.qr(root, mode="r").R
    return Moments(n=n, mean=torch.from_numpy(mean), root=root / (n - 1) ** 0.5)


def frechet_distance(x: NDArray[Any] | Moments, y: NDArray[Any] | Moments) -> float:
    """Squared Fréchet (2-Wasserstein) distance of the Gaussians fitted to two sets.

    |m_x - m_y|^2 + tr C_x + tr C_y - 2 tr (C_x C_y)^(1/2). With C = R^T R the non-zero
    eigenvalues of C_x C_y are the squared singular values of R_x R_y^T, so the last trace is
    their sum: no matrix square root, no complex numbers, exact also where n < d.

    Args:
        x: features (n, d), or their `moments` (worth keeping for the real side).
        y: features (m, d), or their `moments`.

    Returns:
        At least 0, in squared units of the features.

    Raises:
        ValueError: if the sets cannot be compared, or see `moments`.
    """
    a = x if isinstance(x, Moments) else moments(x)
    b = y if isinstance(y, Moments) else moments(y)
    if len(a.mean) != len(b.mean):
        raise ValueError(
            f"features of {len(a.mean)} and of {len(b.mean)} dimensions cannot be compared; "
            "take both from one feature space"
        )
    shift = (a.mean - b.mean).square().sum()
    overlap = torch.linalg.svdvals(a.root @ b.root.T).sum()
    distance = shift + a.root.square().sum() + b.root.square().sum() - 2 * overlap
    return max(float(distance), 0.0)  # rounding takes equal sets a hair below 0
