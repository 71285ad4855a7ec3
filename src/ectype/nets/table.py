"""Networks for rows of a table; how a row is laid out is said in `nets/rows.py`."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, one_hot

from ectype.nets.autoregressive import Autoregressive
from ectype.nets.perceptron import JudgingPerceptron, Perceptron
from ectype.nets.rows import MOST_SCORE, OCTAVES, Layout, Number, Rows, frequencies, scores

_SLOPE = 0.2
#: Bound of the logarithm of a bump's sharpness.
_SHARPEST = 5.0
#: Numbers of noise whose signs choose a vector; the length of these, and of the noise beside them.
_SIGNS, _FEW = 8, 12
#: Deviation of the vectors at the start; that of the noise is 1.
_APART = 3.0


class Step(nn.Module):
    """One regression: what is known (n, width) to logits (n, choices), and back what was chosen.

    Choices on a line get a bump besides, −½ (s − μ)² e^(2ℓ) at position s, whose place μ and
    sharpness ℓ are learned: a sharp relation between numbers need not be learned cell by cell.

    Steps are many and small, so they are computed one after another: what each works on stays in
    the processor's cache, which took half the time of one product for all.
    """

    positions: Tensor

    def __init__(self, choices: int, width: int, positions: Tensor | None):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.first = nn.Linear(width, width)
        self.head = nn.Linear(width, choices)
        self.bump = None if positions is None else nn.Linear(width, 2)
        self.embedding = nn.Linear(choices, width, bias=False)
        nn.init.zeros_(self.head.weight)
        nn.init.normal_(self.embedding.weight, std=0.3)
        if self.bump is not None and positions is not None:
            nn.init.zeros_(self.bump.weight)
            nn.init.constant_(self.bump.bias, 0.0)
            self.register_buffer("there", ~positions.isnan(), persistent=False)
            self.register_buffer("positions", positions.nan_to_num(), persistent=False)

    def forward(self, known: Tensor) -> Tensor:
        """Logits of the choices."""
        h = leaky_relu(self.first(leaky_relu(self.norm(known), _SLOPE)), _SLOPE)
        logits = self.head(h)
        if self.bump is None:
            return logits
        place, sharpness = self.bump(h).float().split(1, 1)
        sharpness = sharpness.clamp(-_SHARPEST, _SHARPEST).exp()
        bump = -0.5 * ((self.positions - place) * sharpness).square()
        return logits + bump * self.there


class RowDecoder(Autoregressive):
    """Latents to the distribution of a row, a step after another.

    p(x | z) = Π_s p(choice_s | z, choices before s). What is known before a step is a sum: of the
    latent's part and of an embedding of every choice made so far, so that a row is generated with
    as much arithmetic as it is judged. The sum is that of NADE (Larochelle and Murray 2011); that
    one regression a column on all before it does well for tables, of Tiwald et al. (arXiv
    2501.12012).

    Args:
        layout: of the rows.
        width: of all hidden layers.
        latent: length of a latent.
        classes: number of labels, 0 for none.
    """

    def __init__(self, layout: Layout, *, width: int, latent: int, classes: int):
        super().__init__()
        self.rows = Rows(layout)
        self.choices = [choices for _, choices, _ in layout.steps]
        self.latent = Perceptron(latent, width, width=width, blocks=1, classes=classes)
        self.steps = nn.ModuleList(
            Step(choices, width, self.rows.positions(index))
            for index, choices in enumerate(self.choices)
        )
        ends = {column: index for index, (column, _, _) in enumerate(layout.steps)}
        #: Of each step the column that it ends, if that is a number.
        self.ends = [
            column if ends[column] == index and isinstance(layout.blocks[column], Number) else None
            for index, (column, _, _) in enumerate(layout.steps)
        ]
        self.values = nn.ModuleDict(
            {
                str(column): nn.Linear(2 * OCTAVES + 1, width, bias=False)
                for column in self.ends
                if column is not None
            }
        )

    def forward(self, z: Tensor, label: Tensor | None, x: Tensor) -> Tensor:
        """Logits of all choices of all steps (n, Σ choices), each step given those of x before."""
        chosen = self.rows.to_steps(self.rows.codes(x))
        known = self.latent(z, label)
        logits = []
        for index, (step, column) in enumerate(zip(self._each(), self.ends, strict=True)):
            logits.append(step(known))
            hot = one_hot(chosen[:, index], self.choices[index]).to(known.dtype)
            known = known + step.embedding(hot)
            if column is not None:
                known = known + self._value(column, x[:, self.rows.places[column]])
        return torch.cat(logits, 1)

    def generate(
        self,
        z: Tensor,
        label: Tensor | None,
        generator: torch.Generator | None,
        temperature: float = 1.0,
    ) -> Tensor:
        """Rows (n, layout.size), drawn; without a generator the likeliest choice of each step."""
        layout = self.rows.layout
        shape = (len(z), len(self.steps) + len(layout.blocks))
        if generator is None:
            noise = torch.full(shape, 0.5, device=z.device)
        else:
            noise = torch.rand(shape, generator=generator, device=generator.device).to(z.device)
        known = self.latent(z, label)
        codes = torch.zeros(len(z), len(layout.blocks), dtype=torch.int64, device=z.device)
        place = noise[:, len(self.steps) :]
        for index, (step, ends) in enumerate(zip(self._each(), self.ends, strict=True)):
            column = layout.steps[index][0]
            if label is not None and column == layout.label:
                choice = self.rows.choice(index, self.rows.label_codes[label])
            else:
                choice = _drawn(step(known).float(), noise[:, index], generator, temperature)
            codes[:, column] = self.rows.told(index, codes[:, column], choice)
            known = known + step.embedding.weight.T[choice]
            if ends is not None:
                part = self.rows.part(column, codes[:, column], place[:, column])
                known = known + self._value(column, part)
        return self.rows.rows(codes, place)

    def _each(self) -> list[Step]:
        return cast(list[Step], [*self.steps])

    def _value(self, column: int, part: Tensor) -> Tensor:
        """What a number adds to what is known: its score, and waves of it; missing adds nothing."""
        score = part[:, :1].float()
        angles = score * self.rows.frequencies
        features = torch.cat([score, angles.sin(), angles.cos()], 1)
        if part.shape[1] == 2:
            features = features * (1 - part[:, 1:])
        return self.values[str(column)](features)


def _drawn(
    logits: Tensor, noise: Tensor, generator: torch.Generator | None, temperature: float
) -> Tensor:
    """A choice of each row (n,): where uniform noise falls in their distribution, or the best."""
    if generator is None:
        return logits.argmax(1)
    upper = torch.softmax(logits / temperature, 1).cumsum(1)
    return (upper[:, :-1] < noise[:, None]).sum(1)


class Codebook(nn.Module):
    """Normal noise (n, latent) to a learned vector of each and a few numbers of noise, (n, size).

    A smooth map of one cloud leaves bridges of samples between what lies apart in the data. So the
    signs of the first numbers of noise choose one of as many vectors as there are signs: jumps are
    for the network to use where the data have them (as the mixture of Gurumurthy et al., arXiv
    1706.02071, whose learned means are added to the noise; beside it they can be told from it).
    """

    powers: Tensor

    def __init__(self, latent: int):
        super().__init__()
        self.signs = min(_SIGNS, latent)
        self.noise = min(_FEW, latent)
        self.vectors = nn.Embedding(2**self.signs, _FEW)
        self.size = self.noise + _FEW
        nn.init.normal_(self.vectors.weight, std=_APART)
        self.register_buffer("powers", 2 ** torch.arange(self.signs), persistent=False)

    def forward(self, z: Tensor) -> Tensor:
        """See the class."""
        chosen = ((z[:, : self.signs] > 0) * self.powers).sum(1)
        return torch.cat([self.vectors(chosen).to(z.dtype), z[:, : self.noise]], 1)


class RowJudge(JudgingPerceptron):
    """Rows to one number each (n,), as a discriminator of rows.

    Beside a few numbers it is shown waves of each, an octave above another and smaller the higher,
    so that all have the same slope: it tells apart sooner what lies close together (fixed Fourier
    features: Tancik et al., arXiv 2006.10739).

    Args:
        layout: of the rows.
        width: of the hidden layers.
        classes: number of labels, 0 for none.
    """

    frequencies: Tensor

    def __init__(self, layout: Layout, *, width: int, classes: int):
        waves = 2 * OCTAVES * layout.size if layout.few else 0
        super().__init__(layout.size + waves, width=width, classes=classes)
        self.shows_waves = layout.few
        self.register_buffer("frequencies", frequencies(), persistent=False)

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        """(n, layout.size) to (n,)."""
        if self.shows_waves:
            angles = x[:, :, None] * self.frequencies
            waves = torch.cat([angles.sin(), angles.cos()], 1) / self.frequencies
            x = torch.cat([x, waves.flatten(1)], 1)
        return super().forward(x, label)


class RowGenerator(nn.Module):
    """Noise to rows that look like data to the bit: hard categories, values that occur.

    What is not differentiable is passed over by the gradient (straight through: Bengio et al.,
    arXiv 1308.3432), so that the discriminator never sees a half of one category and of another.

    Args:
        layout: of the rows.
        width: of the hidden layers.
        latent: length of the noise vector.
        classes: number of labels, 0 for none.
        blocks: residual blocks.
    """

    def __init__(self, layout: Layout, *, width: int, latent: int, classes: int, blocks: int = 2):
        super().__init__()
        self.rows = Rows(layout)
        self.codebook = Codebook(latent) if layout.few else None
        entering = latent if self.codebook is None else self.codebook.size
        self.body = Perceptron(
            entering, layout.size, width=width, blocks=blocks, classes=classes, normalise=True
        )

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        """(n, latent) to rows (n, layout.size)."""
        z = z if self.codebook is None else self.codebook(z)
        raw = self.body(z, label).float()
        parts: list[Tensor] = []
        for column, place in enumerate(self.rows.places):
            block, part = self.rows.layout.blocks[column], raw[:, place]
            if isinstance(block, Number):
                parts.append(self._number(block, column, part))
                continue
            soft = torch.softmax(part[:, : block.codes], 1)
            hard = one_hot(soft.argmax(1), block.codes).float()
            if column == self.rows.layout.label and label is not None:
                parts.append(one_hot(self.rows.label_codes[label], block.codes).float())
                continue
            parts.append(hard + soft - soft.detach())
            if block.rare:
                parts.append(part[:, -1:].clamp(-MOST_SCORE, MOST_SCORE) * hard[:, -1:])
        return torch.cat(parts, 1)

    def _number(self, block: Number, column: int, part: Tensor) -> Tensor:
        """A score drawn to the value of its cell where that is a single one, and the flag."""
        score = part[:, :1].clamp(-MOST_SCORE, MOST_SCORE)
        cell = torch.bucketize(score.detach(), getattr(self.rows, f"edges{column}"))
        middles, halves = (getattr(self.rows, f"{name}{column}") for name in ("middles", "halves"))
        value = torch.where(halves[cell] == 0, scores(middles[cell]).float(), score.detach())
        score = score + (value - score).detach()
        if not block.missing:
            return score
        soft = torch.sigmoid(part[:, 1:])
        flag = (soft > 0.5).float() + soft - soft.detach()
        return torch.cat([score * (1 - flag), flag], 1)
