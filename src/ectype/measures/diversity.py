"""How many different things a set holds."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray


def effective_number(features: NDArray[Any], centre: NDArray[Any]) -> float:
    """Vendi score: the effective number of dissimilar items, from 1 (all alike) to n.

    "The Vendi Score: A Diversity Evaluation Metric for Machine Learning"
    (https://arxiv.org/abs/2210.02410), definition 3.1: exp of the entropy of the eigenvalues of
    K / n, with K_ij the cosine of the angle between items i and j as seen from `centre`. Features
    of networks are all positive, so that seen from the origin all items look alike; seen from the
    mean of real items two unrelated ones are about at right angles. K = U U^T has the eigenvalues
    of U^T U, and the smaller of the two is taken.

    Args:
        features: (n, d).
        centre: (d,), the mean of the real items that the set is compared with.

    Raises:
        ValueError: if the shapes are others or a feature is not finite.
    """
    if features.ndim != 2 or 0 in features.shape or centre.shape != features.shape[1:]:
        raise ValueError(
            f"diversity takes features (n, d) and a centre (d,), not {features.shape} and "
            f"{centre.shape}"
        )
    directions = torch.from_numpy(features.astype(np.float64) - centre.astype(np.float64))
    if not bool(directions.sum().isfinite()):
        raise ValueError("features hold NaN or infinity, which have no direction")
    norms = torch.linalg.vector_norm(directions, dim=1, keepdim=True)
    directions /= norms.clamp_min(torch.finfo(torch.float64).tiny)
    n, d = directions.shape
    similarity = directions.T @ directions if d < n else directions @ directions.T
    shares = torch.linalg.eigvalsh(similarity / n)
    shares = shares[shares > 0]  # rounding takes eigenvalues of 0 to either side
    return float(torch.exp(-torch.special.xlogy(shares, shares).sum()))
