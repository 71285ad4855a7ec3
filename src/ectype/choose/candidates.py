"""Which models are tried: each family as `fit` would train it, and one main variant of each.

A variant changes the one setting of its family that depends most on the data and that no rule of
ours finds from the data: for the GAN the weight γ of its gradient penalty, for the VAE the length
of its latents. The size of the networks is not among them; `fit` chooses that from the measured
speed, for each training time anew.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from ectype.config import Config, Family
from ectype.request import LITTLE_DATA


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A model to try: what is set for it, and why it is tried."""

    name: str
    family: Family
    settings: dict[str, Any] = field(default_factory=dict)
    about: str

    @property
    def changes(self) -> list[str]:
        """Its settings as `key=value` texts."""
        return [f"{key}={value}" for key, value in self.settings.items()]


def candidates(
    config: Config, changed: Collection[str], *, items: int, gamma: float
) -> list[Candidate]:
    """The models to try, the plain ones first.

    With little data the variants are held back more: a steeper penalty keeps a discriminator that
    could learn the items by heart smooth, and fewer latents leave an autoencoder less room to store
    them one by one. With plenty they are given more freedom: Huang et al. (arXiv 2501.05441, table
    6) train faces of 64 pixels with γ = 2, the varied pictures of CIFAR-10 with 0.05; and more
    latents carry more detail once there are enough items to learn their distribution from.

    Args:
        config: as asked for.
        changed: keys of settings that the user gave; a variant that would change one is left out.
        items: training items.
        gamma: penalty weight that the plain GAN would have.
    """
    latent = config.vae.latent
    found = [
        Candidate(name="gan", family="gan", about="the GAN as `fit` trains it"),
        Candidate(name="vae", family="vae", about="the VAE as `fit` trains it"),
    ]
    if items < LITTLE_DATA:
        few = max(2, latent // 4)
        variants = [
            _variant("gan-strict", "gan.gamma", 4 * gamma, "a penalty four times as steep"),
            _variant("vae-narrow", "vae.latent", few, "a quarter of the latents"),
        ]
    else:
        variants = [
            _variant("gan-free", "gan.gamma", gamma / 4, "a quarter of the penalty"),
            _variant("vae-wide", "vae.latent", 2 * latent, "twice the latents"),
        ]
    return found + [v for v in variants if not v.settings.keys() & set(changed)]


def _variant(name: str, key: str, value: float, about: str) -> Candidate:
    family: Family = "gan" if key.startswith("gan.") else "vae"
    about = f"the {family.upper()} with {about} ({key}={value})"
    return Candidate(name=name, family=family, settings={key: value}, about=about)
