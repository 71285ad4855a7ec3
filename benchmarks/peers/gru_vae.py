"""The textbook VAE of texts, and the same decoder without a latent: a plain language model.

Bowman et al., "Generating sentences from a continuous space" (arXiv 1511.06349), section 3, with
gated recurrent units, over characters: one layer each for encoder and decoder, the latent decides
the decoder's first state and enters at every step, the weight of the KL rises along a line from 0
to 1 over the first half of training, and a quarter of the decoder's input is left out. Adam with
torch's defaults at 1e-3, batches of 64. Samples are drawn from N(0, I), token by token.
"""

from __future__ import annotations

import math
import time

import numpy as np
import torch
import torch._dynamo  # the first optimiser would import it, on the clock
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.peers.text_protocol import (
    MEASURED,
    Result,
    Task,
    argument_parser,
    read_task,
    write_result,
)
from ectype.measures.texts import edit_distances

WIDTH, EMBEDDING, LATENT, BATCH = 256, 64, 32, 64
DROPPED = 0.25
IMPORTANCE_SAMPLES = 64
END, BEGIN = 0, 1


class TextVae(nn.Module):
    """Texts (n, length) of tokens; `latent` 0 makes a plain language model."""

    def __init__(self, size: int, latent: int):
        super().__init__()
        self.latent = latent
        self.embedding = nn.Embedding(size, EMBEDDING)
        self.encoder = nn.GRU(EMBEDDING, WIDTH, batch_first=True)
        self.posterior = nn.Linear(WIDTH, 2 * latent)
        self.start = nn.Linear(latent, WIDTH)
        self.decoder = nn.GRU(EMBEDDING + latent, WIDTH, batch_first=True)
        self.head = nn.Linear(WIDTH, size)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance."""
        lengths = (x != END).sum(1) + 1
        packed = nn.utils.rnn.pack_padded_sequence(
            self.embedding(x), lengths.clamp(max=x.shape[1]), batch_first=True, enforce_sorted=False
        )
        _, state = self.encoder(packed)
        mean, log_variance = self.posterior(state[0]).chunk(2, 1)
        return mean, log_variance

    def nats(self, x: Tensor, z: Tensor, dropped: float = 0.0) -> Tensor:
        """−log p(x|z) of each text."""
        before = torch.cat([torch.full_like(x[:, :1], BEGIN), x[:, :-1]], 1)
        given = self.embedding(before)
        if dropped:
            given = given * (torch.rand(before.shape) >= dropped)[..., None]
        spread = z[:, None].expand(-1, x.shape[1], -1)
        states, _ = self.decoder(torch.cat([given, spread], 2), torch.tanh(self.start(z))[None])
        nats = F.cross_entropy(self.head(states).transpose(1, 2), x, reduction="none")
        counted = ((x == END).cumsum(1) - (x == END).long()) == 0
        return (nats * counted).sum(1)

    @torch.no_grad()
    def write(self, z: Tensor, length: int, greedy: bool) -> Tensor:
        """Texts for latents."""
        state, token = torch.tanh(self.start(z))[None], torch.full((len(z),), BEGIN)
        ended, texts = torch.zeros(len(z), dtype=torch.bool), []
        for _ in range(length):
            step = torch.cat([self.embedding(token), z], 1)[:, None]
            out, state = self.decoder(step, state)
            logits = self.head(out[:, 0])
            drawn = torch.multinomial(torch.softmax(logits, 1), 1)[:, 0]
            token = torch.where(ended, END, logits.argmax(1) if greedy else drawn)
            ended |= token == END
            texts.append(token)
        return torch.stack(texts, 1)


def main() -> None:
    """Train one of both and sample from it."""
    parser = argument_parser(__doc__)
    parser.add_argument("--plain", action="store_true", help="without a latent")
    arguments = parser.parse_args()
    task = read_task(arguments)
    start = time.perf_counter()
    characters = sorted(set("".join(task.train + task.held_out)))
    number = {character: i + 2 for i, character in enumerate(characters)}
    length = max(map(len, task.train)) + 1
    train_x, held_out_x = (
        torch.from_numpy(_tokens(texts, number, length)) for texts in (task.train, task.held_out)
    )
    torch.manual_seed(task.seed)
    model = TextVae(len(characters) + 2, 0 if arguments.plain else LATENT)
    items = train(model, train_x, task, start)
    trained = time.perf_counter()
    model.eval()
    texts = _sampled(model, task.samples, length, characters)
    sampled = time.perf_counter()
    figures = measure(model, held_out_x[:MEASURED], task.held_out[:MEASURED], characters)
    result = Result(
        samples=texts,
        train_seconds=trained - start,
        sample_seconds=sampled - trained,
        items=items,
        figures=figures,
        note=f"{sum(p.numel() for p in model.parameters()):,} parameters",
    )
    write_result(task, result)


def train(model: TextVae, x: Tensor, task: Task, start: float) -> int:
    """Until the wall clock ends; gives the texts seen."""
    step = torch.optim.Adam(model.parameters(), lr=1e-3)
    items = 0
    while True:
        for index in torch.randperm(len(x)).split(BATCH):
            progress = (time.perf_counter() - start) / task.seconds
            if progress >= 1:
                return items
            batch = x[index]
            batch = batch[:, : int((batch != END).sum(1).max()) + 1]
            mean, log_variance = model.encode(batch)
            z = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
            kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1)
            weight = min(1.0, 2 * progress)
            dropped = DROPPED if model.latent else 0.0
            loss = (model.nats(batch, z, dropped) + weight * kl).mean()
            step.zero_grad()
            loss.backward()
            step.step()
            items += len(batch)


@torch.no_grad()
def measure(model: TextVae, x: Tensor, texts: list[str], characters: list[str]) -> dict[str, float]:
    """Nats of held-out texts (importance-weighted, 64 draws) and what comes back of them."""
    if not model.latent:
        return {"nats": float(model.nats(x, torch.zeros(len(x), 0)).mean())}
    mean, log_variance = model.encode(x)
    deviation, weights = torch.exp(0.5 * log_variance), []
    for _ in range(IMPORTANCE_SAMPLES):
        noise = torch.randn_like(mean)
        z = mean + deviation * noise
        ratio = -0.5 * z.square() + 0.5 * noise.square() + 0.5 * log_variance
        weights.append(ratio.sum(1) - model.nats(x, z))
    bound = torch.logsumexp(torch.stack(weights), 0) - math.log(IMPORTANCE_SAMPLES)
    kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1)
    copies = _texts(model.write(mean, x.shape[1], greedy=True), characters)
    edits = edit_distances(texts, copies).sum()
    return {
        "nats": float(-bound.mean()),
        "KL": float(kl.mean()),
        "reconstruction": 1 - float(edits) / sum(map(len, texts)),
        "active": float((mean.var(0) > 0.01).float().mean()),
    }


def _sampled(model: TextVae, count: int, length: int, characters: list[str]) -> list[str]:
    texts: list[str] = []
    while len(texts) < count:
        z = torch.randn(500, model.latent)
        texts += _texts(model.write(z, length, greedy=False), characters)
    return texts[:count]


def _tokens(texts: list[str], number: dict[str, int], length: int) -> np.ndarray:
    rows = np.zeros((len(texts), length), np.int64)
    for row, text in zip(rows, texts, strict=True):
        kept = text[: length - 1]
        row[: len(kept)] = [number[character] for character in kept]
    return rows


def _texts(tokens: Tensor, characters: list[str]) -> list[str]:
    rows = tokens.tolist()
    ends = [row.index(END) if END in row else len(row) for row in rows]
    return [
        "".join(characters[token - 2] for token in row[:end] if token > BEGIN)
        for row, end in zip(rows, ends, strict=True)
    ]


if __name__ == "__main__":
    main()
