"""A prior learned from the latents: a mixture of Gaussians, refined by flow matching.

The mixture standardises: each latent is seen in the coordinates of its part, where the part's
latents are close to standard normal. A flow then carries standard normal noise to what the
latents really are in those coordinates. Its network starts at the velocity that is exact for
normal data, so the prior starts as the mixture and can only learn what the mixture lacks.

Flow matching: Lipman et al. (arXiv 2210.02747); Liu et al. (arXiv 2209.03003). With
x_t = (1 − t)·ε + t·u, the network regresses the velocity u − ε; sampling integrates it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ectype.models.mixture import GaussianMixture


class MixturePrior(nn.Module):
    """A mixture of Gaussians over latents z (n, d), given their label.

    Args:
        size: length d of a latent.
        classes: number of labels, 0 for none.
    """

    label_parts: Tensor

    def __init__(self, size: int, classes: int):
        super().__init__()
        self.mixture = GaussianMixture(size)
        parts = len(self.mixture.weights)
        # p(part | label): which parts of the mixture a label's items lie in
        self.register_buffer("label_parts", torch.full((max(classes, 1), parts), 1 / parts))

    @torch.no_grad()
    def fit(self, z: Tensor, label: Tensor | None, generator: torch.Generator) -> None:
        """Fit to latents z (n, d) with labels (n,); not to what is no number: the guard sees it."""
        if not torch.isfinite(z).all():
            return
        self.mixture.fit(z, generator)
        if label is None:
            self.label_parts.copy_(self.mixture.weights)
            return
        share = torch.cat([self.mixture.log_joint(b).softmax(1) for b in z.split(1024)])
        self.label_parts.zero_().index_add_(0, label, share)
        self.label_parts += 1e-6 * self.mixture.weights  # a label without items: as the whole
        self.label_parts /= self.label_parts.sum(1, keepdim=True)

    def draw(
        self, n: int, label: Tensor | None, generator: torch.Generator, temperature: float = 1.0
    ) -> Tensor:
        """Latents (n, d); drawn on the generator's device, returned on the prior's."""
        own, home = self.label_parts.device, generator.device
        share = self.mixture.weights.expand(n, -1) if label is None else self.label_parts[label]
        part = torch.multinomial(share.to(home), 1, generator=generator).squeeze(1).to(own)
        size = self.mixture.means.shape[1]
        noise = torch.randn(n, size, generator=generator, device=home).to(own)
        return self.mixture.place(self.carry(temperature * noise, part, label), part)

    def carry(self, x: Tensor, part: Tensor, label: Tensor | None) -> Tensor:
        """Standard normal noise to latents, both in the coordinates of their parts."""
        del part, label
        return x


class FlowPrior(MixturePrior):
    """A mixture whose parts a flow brings into their true form.

    Args:
        velocity: network (x_t (n, d), t (n,), part (n,), label) → (n, d), zero at the start.
        size: length d of a latent.
        classes: number of labels, 0 for none.
        steps: Heun steps when sampling.
    """

    def __init__(self, velocity: nn.Module, size: int, classes: int, steps: int):
        super().__init__(size, classes)
        self.velocity = velocity
        self.steps = steps

    def loss(self, z: Tensor, label: Tensor | None, generator: torch.Generator) -> Tensor:
        """E ‖v(x_t, t) − (u − ε)‖² a dimension, t logit-normal (Esser et al. 2403.03206)."""
        with torch.no_grad():
            share = self.mixture.log_joint(z).softmax(1)
            share = share.nan_to_num(1.0)  # the loss will be NaN, which the guard answers
            part = torch.multinomial(share, 1, generator=generator).squeeze(1)
            target = self.mixture.white(z, part)
        noise = torch.randn(z.shape, generator=generator, device=z.device)
        t = torch.sigmoid(torch.randn(len(z), generator=generator, device=z.device))
        x = (1 - t[:, None]) * noise + t[:, None] * target
        return (self._velocity(x, t, part, label) - (target - noise)).square().mean()

    def carry(self, x: Tensor, part: Tensor, label: Tensor | None) -> Tensor:
        """Integrate the velocity from t = 0 to 1 by Heun's method."""
        step = 1 / self.steps
        for i in range(self.steps):
            t = torch.full((len(x),), i * step, device=x.device)
            first = self._velocity(x, t, part, label)
            second = self._velocity(x + step * first, t + step, part, label)
            x = x + step * 0.5 * (first + second)
        return x

    def _velocity(self, x: Tensor, t: Tensor, part: Tensor, label: Tensor | None) -> Tensor:
        """The velocity exact for standard normal data, and what the network has learned beyond.

        For u, ε ~ N(0, I): E[u − ε | x_t] = (2t − 1) / (t² + (1 − t)²) · x_t.
        """
        exact = ((2 * t - 1) / (t.square() + (1 - t).square()))[:, None] * x
        return exact + self.velocity(x, t, part, label).float()
