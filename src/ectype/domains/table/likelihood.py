"""The distribution of a row: what each step chooses, given the steps before."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import log_softmax

from ectype.models.likelihoods import Likelihood
from ectype.nets.rows import Layout, Rows


class RowLikelihood(Likelihood):
    """Π_s of categorical distributions over the choices of each step; see `nets/rows.py`.

    A number's value within its cell is uniform in its rank, which is the same for every model, so
    it is left out: `log_prob` is that of the cells and the categories.
    """

    def __init__(self, layout: Layout):
        super().__init__()
        self.rows = Rows(layout)
        self.choices = [choices for _, choices, _ in layout.steps]

    def outputs(self, channels: int) -> int:
        """A logit for every choice of every step."""
        del channels
        return sum(self.choices)

    def log_prob(self, x: Tensor, parameters: Tensor) -> Tensor:
        """Σ_s log p(choice_s), (n,)."""
        chosen = self.rows.to_steps(self.rows.codes(x))
        total = torch.zeros(len(x), device=x.device)
        for step, logits in enumerate(parameters.float().split(self.choices, 1)):
            picked = log_softmax(logits, 1).gather(1, chosen[:, step, None])
            total = total + picked.squeeze(1)
        return total

    def mean(self, parameters: Tensor) -> Tensor:
        """The likeliest choice of each step, as a row."""
        codes = torch.zeros(len(parameters), len(self.rows.layout.blocks), dtype=torch.int64)
        codes = codes.to(parameters.device)
        for step, logits in enumerate(parameters.split(self.choices, 1)):
            column = self.rows.layout.steps[step][0]
            codes[:, column] = self.rows.told(step, codes[:, column], logits.argmax(1))
        return self.rows.rows(codes, torch.full(codes.shape, 0.5, device=codes.device))
