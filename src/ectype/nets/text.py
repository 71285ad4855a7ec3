"""Networks for texts: recurrent ones, which read a text token by token and write it so.

Network items are token numbers as floats, (n, length); 0 ends a text and fills up what follows.
A gated recurrent unit costs the same for every token, however long the text, so that sampling is
quick; docs/benchmarks.md has how it compares with a small transformer.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ectype.nets.autoregressive import Autoregressive

END = 0
#: Length of the vector that stands for a token.
EMBEDDING = 48


def used_length(tokens: Tensor) -> int:
    """Places (at least one) that some text of tokens (length, n) takes, its end among them."""
    longest = int((tokens != END).sum(0).max())
    return min(longest + 1, len(tokens))


class Encoder(nn.Module):
    """Reads texts from both ends: (n, length) to mean and log-variance, each (n, latent).

    Args:
        size: of the vocabulary.
        width: of the recurrent state, in each direction.
        classes: number of labels, 0 for none.
        latent: length of a latent.
    """

    def __init__(self, size: int, width: int, classes: int, latent: int):
        super().__init__()
        self.classes = classes
        self.embedding = nn.Embedding(size, EMBEDDING)
        self.forth = nn.GRU(EMBEDDING, width)
        self.back = nn.GRU(EMBEDDING, width)
        self.head = nn.Linear(2 * width + classes, 2 * latent)

    def forward(self, x: Tensor, label: Tensor | None) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of each text's latent."""
        tokens = x.long().t()
        tokens = tokens[: used_length(tokens)]
        ends = (tokens != END).sum(0).clamp(max=len(tokens) - 1)
        # each is turned round by itself: what fills it up, as others beside it ask, comes behind
        places = torch.arange(len(tokens), device=x.device)[:, None]
        turned = tokens.gather(0, torch.where(places <= ends, ends - places, places))
        last = ends, torch.arange(len(x), device=x.device)
        forth, _ = self.forth(self.embedding(tokens))
        back, _ = self.back(self.embedding(turned))
        read = [forth[last], back[last]]
        if label is not None and self.classes:
            read.append(F.one_hot(label, self.classes).to(back.dtype))
        mean, log_variance = self.head(torch.cat(read, 1)).chunk(2, 1)
        return mean, log_variance


class Decoder(Autoregressive):
    """Writes texts token by token, each given the latent and the tokens before it.

    Args:
        size: of the vocabulary.
        length: the most tokens.
        width: of the recurrent state.
        classes: number of labels, 0 for none.
        latent: length of a latent.
    """

    def __init__(self, size: int, length: int, width: int, classes: int, latent: int):
        super().__init__()
        self.size, self.length, self.classes = size, length, classes
        given = latent + classes
        #: Of the tokens, and behind them of what begins a text.
        self.embedding = nn.Embedding(size + 1, EMBEDDING)
        self.start = nn.Linear(given, width)
        self.unit = nn.GRU(EMBEDDING + given, width)
        self.head = nn.Linear(width + given, size)

    def forward(self, z: Tensor, label: Tensor | None, x: Tensor) -> Tensor:
        """Logits (n, length, size) of every token of texts x (n, length) given those before it.

        Places behind the end of a text are left at 0.
        """
        tokens = x.long().t()
        used = used_length(tokens)
        given = self._given(z, label)
        begin = torch.full_like(tokens[:1], self.size)
        before = self.embedding(torch.cat([begin, tokens[: used - 1]]))
        spread = given.expand(used, -1, -1)
        states, _ = self.unit(torch.cat([before, spread], 2), self._state(given))
        # of texts of unequal lengths most places are behind an end, and the head costs most
        ends = (tokens[:used] == END).cumsum(0)
        counts = (ends - (tokens[:used] == END).to(ends.dtype) == 0).t()
        logits = states.new_zeros(len(x), used, self.size)
        read = torch.cat([states, spread], 2).transpose(0, 1)
        logits[counts] = self.head(read[counts])
        return F.pad(logits, (0, 0, 0, x.shape[1] - used))

    def generate(
        self,
        z: Tensor,
        label: Tensor | None,
        generator: torch.Generator | None,
        temperature: float = 1.0,
    ) -> Tensor:
        """Texts (n, length) for latents z (n, latent).

        Args:
            z: latents.
            label: (n,), or None.
            generator: a CPU one that tokens are drawn with; None takes the likeliest each time.
            temperature: below 1 likely tokens become likelier.
        """
        given = self._given(z, label)
        state = self._state(given)
        texts = torch.zeros(len(z), self.length, device=z.device)
        token = torch.full((len(z),), self.size, device=z.device)
        running = torch.ones(len(z), dtype=torch.bool, device=z.device)
        for place in range(self.length):
            step = torch.cat([self.embedding(token), given], 1)
            out, state = self.unit(step[None], state)
            logits = self.head(torch.cat([out[0], given], 1)).float()
            if generator is None:
                token = logits.argmax(1)
            else:
                uniform = torch.rand(len(z), generator=generator, device=generator.device)
                token = draw(logits / temperature, uniform.to(z.device), self.nucleus)
            token = torch.where(running, token, END)
            texts[:, place] = token
            running = running & (token != END)
            if not running.any():
                break
        return texts

    def _given(self, z: Tensor, label: Tensor | None) -> Tensor:
        if label is None or not self.classes:
            return z
        return torch.cat([z, F.one_hot(label, self.classes).to(z.dtype)], 1)

    def _state(self, given: Tensor) -> Tensor:
        """The state before the first token, (1, n, width)."""
        return torch.tanh(self.start(given))[None]


def draw(logits: Tensor, uniform: Tensor, nucleus: float) -> Tensor:
    """A token for each row of logits (n, size), from uniform numbers (n,) in 0..1.

    With a nucleus p below 1 only from the fewest likeliest tokens that hold p of the probability:
    Holtzman et al. (arXiv 1904.09751), section 3.1.
    """
    if nucleus >= 1:
        total = torch.softmax(logits, 1).cumsum(1)
        return (total < uniform[:, None] * total[:, -1:]).sum(1).clamp(max=logits.shape[1] - 1)
    share, order = torch.softmax(logits, 1).sort(dim=1, descending=True, stable=True)
    total = share.cumsum(1)
    kept = (total - share < nucleus).sum(1)  # at least the likeliest
    mass = total.gather(1, kept[:, None] - 1)
    place = (total < uniform[:, None] * mass).sum(1).minimum(kept - 1)
    return order.gather(1, place[:, None])[:, 0]
