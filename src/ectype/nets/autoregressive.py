"""Decoders that make an item place by place, each place given those before it."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn


class Autoregressive(nn.Module, ABC):
    """A decoder p(x|z) = Π_t p(x_t | x_<t, z).

    Attributes:
        nucleus: share of the probability that `generate` draws each place from, the likeliest
            first: Holtzman et al. (arXiv 1904.09751), section 3.1.
    """

    nucleus: float = 1.0

    @abstractmethod
    def forward(self, z: Tensor, label: Tensor | None, x: Tensor) -> Tensor:
        """The parameters of every place of items x (n, ...), each from the places before it."""

    @abstractmethod
    def generate(
        self,
        z: Tensor,
        label: Tensor | None,
        generator: torch.Generator | None,
        temperature: float = 1.0,
    ) -> Tensor:
        """Network items (n, ...) at latents z (n, latent), place by place.

        Each place is drawn with a CPU generator, or the likeliest is taken where there is none.
        """
