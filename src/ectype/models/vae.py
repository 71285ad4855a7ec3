"""The VAE: an encoder and a decoder trained by variational inference, and a prior over latents."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from ectype.config import VaeSettings
from ectype.models.base import Batch, Model, Player, Turn, slerp
from ectype.models.likelihoods import Likelihood
from ectype.models.local_prior import MOST_ITEMS, LocalPrior
from ectype.models.prior import FlowPrior, MixturePrior
from ectype.models.schedules import cosine, warm_up, within
from ectype.models.variational import (
    Decoder,
    kl_to_normal,
    latents,
    log_normal,
    posterior,
    reparameterise,
    variational_loss,
)
from ectype.nets.autoregressive import Autoregressive

Log = Mapping[str, Tensor]

#: Of the latents that a mixture is fitted to, so that equal weights give an equal mixture.
SETTLING_SEED = 0


class Vae(Model):
    """A variational autoencoder. Kingma and Welling (arXiv 1312.6114).

    Three ways to draw latents: the standard `normal` prior of the classical VAE, or one that
    follows where the encoder puts the data: `local` to their latents, or a learned `flow`. The
    local prior has nothing to train. With the flow, the autoencoder plays for the first share of
    training and the prior after it, on the latents of the finished encoder.

    Args:
        encoder: (items, label) → mean and log-variance, each (n, *encoder.latent).
        decoder: (latents, label) → the likelihood's parameters; or an `Autoregressive` one.
        likelihood: the distribution of items given the decoder's output.
        prior: what follows the data, or None for the standard normal.
        settings: weights and rates.
        classes: number of labels, 0 for none.
    """

    has_encoder = True

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        likelihood: Likelihood,
        prior: MixturePrior | LocalPrior | None,
        settings: VaeSettings,
        *,
        classes: int,
    ):
        super().__init__(classes)
        self.encoder = encoder
        self.decoder = decoder
        self.likelihood = likelihood
        self.prior = prior
        self.settings = settings
        self.dials["free_bits"] = settings.free_bits
        self.latent = (settings.latent,)

    @property
    def players(self) -> Sequence[Player]:
        """The autoencoder, and after it the prior where one is learned."""
        flow = self.prior if isinstance(self.prior, FlowPrior) else None
        share = self.settings.autoencoder_share if flow is not None else 1.0
        autoencoder = Player(
            name="autoencoder",
            module=nn.ModuleList([self.encoder, self.decoder]),
            loss=self.autoencoder_loss,
            learning_rate=phase_rate(self.settings.learning_rate, 0.0, share),
            betas=(0.9, 0.99),
            weight_decay=0.01,
            max_gradient_norm=1.0,
            plays=lambda progress, step: progress < share,
        )
        if flow is None:
            return (autoencoder,)
        prior = Player(
            name="prior",
            module=flow,
            loss=self.prior_loss,
            learning_rate=phase_rate(self.settings.prior_learning_rate, share, 1.0),
            betas=(0.9, 0.99),
            plays=lambda progress, step: progress >= share,
            prepare=self.prepare_prior,
        )
        return (autoencoder, prior)

    def averaged(self) -> Mapping[str, nn.Module]:
        """All that is trained: encoding is part of using a VAE."""
        modules = {"encoder": self.encoder, "decoder": self.decoder, "likelihood": self.likelihood}
        return {**modules, "prior": self.prior} if isinstance(self.prior, FlowPrior) else modules

    def settled(self) -> Mapping[str, nn.Module]:
        """The prior, where it is fitted and not trained."""
        if self.prior is None or isinstance(self.prior, FlowPrior):
            return {}
        return {"prior": self.prior}

    def statistics(self) -> Sequence[Tensor]:
        """Those of the likelihood too."""
        return [*super().statistics(), *self.likelihood.buffers()]

    def ready(self, progress: float) -> bool:
        """With a flow, once the prior has begun to learn."""
        return not isinstance(self.prior, FlowPrior) or progress > self.settings.autoencoder_share

    def settle(self, items: Iterable[Batch]) -> None:
        """A prior that is not trained takes in the latents of the averaged encoder.

        The mixture takes draws from q(z|x): it stands for the distribution that the decoder has
        seen latents of, with all its width.
        """
        if isinstance(self.prior, LocalPrior):
            self.prior.fit(*latents(self.encoder, items, most=MOST_ITEMS))
        elif isinstance(self.prior, MixturePrior) and not isinstance(self.prior, FlowPrior):
            generator = torch.Generator(self.label_share.device).manual_seed(SETTLING_SEED)
            z, label = latents(self.encoder, items, generator)
            self.prior.fit(z, label, generator)

    def draw(
        self, n: int, label: Tensor | None, generator: torch.Generator, temperature: float = 1.0
    ) -> Tensor:
        """Latents from the prior."""
        if self.prior is not None:
            return self.prior.draw(n, label, generator, temperature)
        noise = torch.randn(n, *self.latent, generator=generator, device=generator.device)
        return (temperature * noise).to(self.label_share.device)

    def path(self, start: Tensor, end: Tensor, share: Tensor) -> Tensor:
        """A straight line under a prior that follows the data, whose latents lie on no sphere."""
        if self.prior is None:
            return slerp(start, end, share)
        return torch.lerp(start, end, share.view(-1, *(1,) * start.ndim))

    def encode(self, x: Tensor, label: Tensor | None) -> Tensor:
        """The mean of q(z|x), (n, *latent)."""
        return posterior(self.encoder, x, label)[0]

    def decode(self, z: Tensor, label: Tensor | None) -> Tensor:
        """The expected item at a latent; of an autoregressive decoder the likeliest, greedily."""
        if isinstance(self.decoder, Autoregressive):
            return self.decoder.generate(z, label, None)
        return self.likelihood.mean(self.decoder(z, label))

    def render(
        self, z: Tensor, label: Tensor | None, generator: torch.Generator, temperature: float = 1.0
    ) -> Tensor:
        """An item drawn from p(x|z), as far as the likelihood draws any."""
        if isinstance(self.decoder, Autoregressive):
            return self.decoder.generate(z, label, generator, temperature)
        return self.likelihood.draw(self.decoder(z, label), generator, temperature)

    def parameters_of(self, z: Tensor, batch: Batch) -> Tensor:
        """The likelihood's parameters at latents of a batch's items."""
        if isinstance(self.decoder, Autoregressive):
            return self.decoder(z, batch.label, batch.x)
        return self.decoder(z, batch.label)

    def reconstruct(self, batch: Batch) -> Tensor:
        """Encode and decode again."""
        return self.decode(self.encode(batch.x, batch.label), batch.label)

    def explains(self, batch: Batch) -> Tensor:
        """How well the likelihood at the posterior's mean fits each item."""
        z = self.encode(batch.x, batch.label)
        return self.likelihood.fits(batch.x, self.parameters_of(z, batch).float())

    def training_decoder(self, turn: Turn) -> Decoder:
        """The decoder as a turn's loss uses it."""

        def decoder(z: Tensor, label: Tensor | None) -> Tensor:
            given = [turn.batch.x] if isinstance(self.decoder, Autoregressive) else []
            return self.through(self.decoder, z, label, *given)

        return decoder

    def autoencoder_loss(self, turn: Turn) -> tuple[Tensor, Log]:
        """The bound's negative, with its KL weighted."""
        return self.bound_loss(turn, self.training_decoder(turn))

    def bound_loss(self, turn: Turn, decoder: Decoder) -> tuple[Tensor, Log]:
        """The same with a given decoder."""
        return variational_loss(
            partial(self.through, self.encoder),
            decoder,
            self.likelihood,
            turn,
            beta=self.settings.beta,
            free_bits=self.dials["free_bits"],
        )

    def prepare_prior(self, batches: Iterable[Batch], generator: torch.Generator) -> None:
        """Fit the prior's mixture to the posterior means of the training items.

        To the means, not to draws around them: what is sampled is decoded as it stands, and the
        noise of the posterior would show in it.
        """
        assert isinstance(self.prior, FlowPrior)
        z, label = latents(self.encoder, batches)
        self.prior.fit(z, label, generator)

    def prior_loss(self, turn: Turn) -> tuple[Tensor, Log]:
        """Flow matching on posterior means of the frozen encoder."""
        assert isinstance(self.prior, FlowPrior)
        z, label = latents(partial(self.through, self.encoder), [turn.batch])
        loss = self.prior.loss(z, label, turn.generator)
        return loss, {"loss": loss}

    @torch.no_grad()
    def elbo(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Terms of the evidence lower bound of each item, nats, (n,).

        `reconstruction` is E_q log p(x|z) (one draw of z), `kl` is raw KL(q(z|x) ‖ N(0, I)),
        `elbo` their difference: a bound on log p(x) under the *normal* prior. Where samples come
        from a learned flow, it is not the bound of the model that is sampled.
        """
        mean, log_variance = posterior(self.encoder, batch.x, batch.label)
        z = reparameterise(mean, log_variance, generator)
        reconstruction = self.likelihood.log_prob(batch.x, self.parameters_of(z, batch))
        kl = kl_to_normal(mean, log_variance).flatten(1).sum(1)
        return {"reconstruction": reconstruction, "kl": kl, "elbo": reconstruction - kl}

    @torch.no_grad()
    def iwae(self, batch: Batch, samples: int, generator: torch.Generator) -> Tensor:
        """The importance-weighted bound on log p(x) under N(0, I), nats, (n,).

        log 1/K Σ_k p(x|z_k) p(z_k) / q(z_k|x). Burda et al. (arXiv 1509.00519), equation 8.
        Encodes once; the K terms are added one by one, so memory does not grow with K.
        """
        mean, log_variance = posterior(self.encoder, batch.x, batch.label)
        total = torch.full((len(batch.x),), -math.inf, device=batch.x.device)
        for _ in range(samples):
            z = reparameterise(mean, log_variance, generator)
            log_p = self.likelihood.log_prob(batch.x, self.parameters_of(z, batch))
            log_prior = log_normal(z, torch.zeros_like(z), torch.zeros_like(z))
            log_weight = log_p + log_prior - log_normal(z, mean, log_variance)
            total = torch.logaddexp(total, log_weight)
        return total - math.log(samples)

    def bits_per_dimension(self, log_likelihood: Tensor, dimensions: int) -> Tensor:
        """Nats as bits a dimension.

        Raises:
            ValueError: the likelihood is a density, of which no bits can be said.
        """
        if not self.likelihood.discrete:
            raise ValueError("bits per dimension need a likelihood over discrete values")
        return -log_likelihood / (dimensions * math.log(2))


def phase_rate(start: float, begin: float, end: float):
    """A learning rate from `begin` to `end` of progress: a short warm-up, then a cosine to 2%."""
    return within(begin, end, warm_up(cosine(start, start / 50), 0.02))
