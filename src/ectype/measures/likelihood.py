"""How well a VAE explains held-out items: bounds on their likelihood, and how it copies them."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from ectype.measures.measure import Better, Measure
from ectype.models.base import Batch
from ectype.models.vae import Vae
from ectype.models.variational import log_normal, posterior, reparameterise
from ectype.nets.autoregressive import Autoregressive

#: Draws of a latent for the importance-weighted bound.
IMPORTANCE_SAMPLES = 64
#: A latent dimension is active if its posterior mean varies by more than this over the items:
#: Burda et al. (arXiv 1509.00519), section 5.2.
ACTIVE_VARIANCE = 0.01
#: Half the width of a 95 % interval, in standard errors.
_TWO_SIDED = 1.96


@torch.inference_mode()
def likelihood_measures(
    model: Vae, batches: Iterable[Batch], *, seed: int = 0
) -> dict[str, Measure]:
    """Bounds on log p(x), the error of reconstructions, and how many latents are in use.

    - `elbo`, `iwae`: nats an item; see `Vae.elbo` and `Vae.iwae`.
    - `bits_per_dimension`: from `iwae`; only where the likelihood is one of discrete values.
    - `kl`: of q(z|x) from N(0, I); `mutual_information`: what a latent tells of its item.
    - `reconstruction`: mean squared error, in network units; not of a decoder that chooses words.
    - `active_units`: latent dimensions whose posterior mean depends on the item.

    None has a floor: no real data stand in the place of a model's likelihood.

    Args:
        model: in evaluation mode.
        batches: held-out items with their labels, on the model's device.
        seed: of the latents that are drawn.
    """
    device = model.label_share.device
    generator = torch.Generator(device).manual_seed(seed % 2**63)
    elbo, iwae, kl, error, dimensions = [], [], [], [], 1
    means, log_variances = [], []
    words = isinstance(model.decoder, Autoregressive)
    for batch in batches:
        dimensions = batch.x[0].numel()
        terms = model.elbo(batch, generator)
        elbo.append(terms["elbo"])
        kl.append(terms["kl"])
        iwae.append(model.iwae(batch, IMPORTANCE_SAMPLES, generator))
        if not words:
            copies = model.reconstruct(batch).float()
            error.append((copies - batch.x).square().flatten(1).mean(1))
        mean, log_variance = posterior(model.encoder, batch.x, batch.label)
        means.append(mean.flatten(1))
        log_variances.append(log_variance.flatten(1))
    bound = torch.cat(iwae)
    prior = "under the normal prior"
    if model.prior is not None:
        prior += "; samples come from another one, whose likelihood this is not"
    mean, log_variance = torch.cat(means), torch.cat(log_variances)
    active = mean.double().var(0) > ACTIVE_VARIANCE
    told = mutual_information(mean, log_variance, generator)
    measures = {
        "elbo": _mean(torch.cat(elbo), "higher", f"nats an item, {prior}"),
        "iwae": _mean(bound, "higher", f"nats an item, {IMPORTANCE_SAMPLES} draws each, {prior}"),
        "kl": _mean(torch.cat(kl), "lower", "nats an item, of its latent from the normal prior"),
        "mutual_information": Measure(
            value=told,
            better="higher",
            n=len(mean),
            note=f"nats; of {len(mean):,} items no more than {math.log(len(mean)):.1f} can be seen",
        ),
        "active_units": Measure(
            value=float(active.sum()),
            better="higher",
            n=len(bound),
            note=f"of {len(active)} latent dimensions",
        ),
    }
    if not words:
        note = "mean squared error in the units of the networks"
        measures["reconstruction"] = _mean(torch.cat(error), "lower", note)
    if model.likelihood.discrete:
        bits = model.bits_per_dimension(bound, dimensions)
        measures["bits_per_dimension"] = _mean(bits, "lower", "from iwae")
    return measures


def mutual_information(mean: Tensor, log_variance: Tensor, generator: torch.Generator) -> float:
    """What a latent tells of its item, nats: E log q(z|x) − log 1/n Σ_i q(z|x_i), z ~ q(z|x).

    Hoffman and Johnson, "ELBO surgery" (2016), with the items at hand for all there are: so it is
    at most log n.

    Args:
        mean: of q(z|x) of n items, (n, d).
        log_variance: likewise.
        generator: draws z.
    """
    z = reparameterise(mean, log_variance, generator)
    own = log_normal(z, mean, log_variance)
    total = [torch.logsumexp(log_normal(each.expand_as(mean), mean, log_variance), 0) for each in z]
    return float((own - torch.stack(total)).mean() + math.log(len(z)))


def _mean(values: Tensor, better: Better, note: str) -> Measure:
    """The mean over items, with the interval that their spread gives it."""
    values = values.double()
    mean = float(values.mean())
    error = _TWO_SIDED * float(values.std()) / math.sqrt(len(values))
    interval = (mean - error, mean + error) if math.isfinite(error) else None
    return Measure(value=mean, better=better, n=len(values), interval=interval, note=note)
