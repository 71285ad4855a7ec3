"""The likelihood of texts: a distribution over the next token at every place."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from ectype.models.likelihoods import Likelihood

END = 0


class Sequences(Likelihood):
    """p(x) = Π_t p(x_t | x_<t) over the tokens of a text up to its end.

    Items are token numbers (n, length) as floats; token 0 ends a text, and what follows it does
    not count. Parameters are logits (n, length, size).

    Args:
        size: of the vocabulary.
    """

    def __init__(self, size: int):
        super().__init__()
        self.size = size

    def outputs(self, channels: int) -> int:
        """A logit a token, whatever the number of places."""
        del channels
        return self.size

    def log_prob(self, x: Tensor, parameters: Tensor) -> Tensor:
        """Σ_t log p(x_t | x_<t), the end among the tokens."""
        tokens = x.long()
        counts = counted(tokens)
        nats = F.cross_entropy(parameters[counts].float(), tokens[counts], reduction="none")
        return -nats.new_zeros(len(x)).index_add(0, counts.nonzero()[:, 0], nats)

    def mean(self, parameters: Tensor) -> Tensor:
        """The likeliest token at each place, (n, length)."""
        return parameters.argmax(-1).float()

    def allows(self, x: Tensor) -> bool:
        """Whether all are tokens of the vocabulary."""
        return bool(((x >= 0) & (x < self.size) & (x == x.round())).all())


def counted(tokens: Tensor) -> Tensor:
    """Which places of texts (n, length) belong to them: all up to the first end, bool."""
    ended = (tokens == END).cumsum(1)
    return ended - (tokens == END).to(ended.dtype) == 0
