"""Distributions that a decoder's output stands for.

A likelihood says how many output channels the decoder must have, what the log-probability of
the data is under them, and what to show as the reconstruction. All densities are of network
items, in nats, summed over an item's dimensions.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid, softplus

#: Least variance of a band or a picture: half a step of 8 bits, squared.
LEAST_VARIANCE = (0.5 / 127.5) ** 2
#: Where limited data end, a mean may lie beyond the limit, up to this multiple of it.
OVERSHOOT = 3.0


class Likelihood(nn.Module, ABC):
    """p(x | parameters), with the channels of x in dimension 1."""

    #: Whether `log_prob` is a probability of 8-bit values, so that bits per dimension may be said.
    discrete: ClassVar[bool] = False
    #: Whether gradients pass through what `draw` gives, and it looks like real items.
    smooth: ClassVar[bool] = False

    @abstractmethod
    def outputs(self, channels: int) -> int:
        """How many channels the decoder puts out for data of so many channels."""

    @abstractmethod
    def log_prob(self, x: Tensor, parameters: Tensor) -> Tensor:
        """Log p(x | parameters) of each item, (n,)."""

    def training_loss(self, x: Tensor, parameters: Tensor) -> Tensor:
        """What training minimises in place of −log p, mean over items; by default just that."""
        return -self.log_prob(x, parameters).mean()

    @abstractmethod
    def mean(self, parameters: Tensor) -> Tensor:
        """The expected item, shaped like x."""

    def draw(
        self, parameters: Tensor, generator: torch.Generator, temperature: float = 1.0
    ) -> Tensor:
        """An item to show as a sample, shaped like x; all randomness comes from `generator`.

        By default the expected one: of a picture, the noise around it is not what is wanted.
        """
        del generator, temperature
        return self.mean(parameters)

    def fits(self, x: Tensor, parameters: Tensor) -> Tensor:
        """How well parameters fit each item, (n,), to choose between some; by default log p."""
        return self.log_prob(x, parameters)

    def allows(self, x: Tensor) -> bool:
        """Whether items x are possible at all; by default they are."""
        del x
        return True


class Gaussian(Likelihood):
    """N(x; μ, σ²) whose variances are shared by all items: the σ-VAE, for one or several bands.

    Rybkin, Daniilidis and Levine (arXiv 2006.13202). In training σ² is the batch's mean squared
    error, its maximum-likelihood value in closed form (eq. 8), so no weight needs tuning. The
    buffer `variances` follows it as a moving average and is what `log_prob` uses, so that figures
    never depend on the items that they are computed with.

    Pictures have a variance for each band of a Haar transform: one variance for all would have to
    serve large shapes and fine texture alike, and fine detail would drown in the error of large
    shapes. The transform is orthonormal, so this is an exact density of the picture itself.

    For the same reason colour has variances apart from brightness, after an orthonormal rotation
    of red, green and blue: most of a picture's error is in its brightness.

    Args:
        levels: halvings of the Haar transform; 0 for one variance, and for data that are no maps.
        limit: data lie within ± this; μ is the decoder's output cut off there. Hard black and
            hard white then need no exact output, only one beyond the limit. How far beyond costs
            nothing, so outputs are bent towards ± three times the limit: without any hold they
            run away, and in colour take training with them.
        groups: sizes of the groups of channels that have variances apart, () for one group. Where
            two groups of 1 and 2 lead, the first three channels are red, green and blue.
    """

    smooth = True
    variances: Tensor

    def __init__(
        self, levels: int = 0, limit: float | None = None, groups: tuple[int, ...] = ()
    ) -> None:
        super().__init__()
        self.levels = levels
        self.limit = limit
        self.groups = groups
        self.register_buffer("variances", torch.ones(max(1, len(groups)) * (3 * levels + 1)))

    def outputs(self, channels: int) -> int:
        """One a channel: the mean."""
        return channels

    def log_prob(self, x: Tensor, parameters: Tensor) -> Tensor:
        """Σ over bands of log N(error; 0, σ²_band I), with the frozen σ²."""
        total = torch.zeros(len(x), device=x.device)
        bands = self._bands(x, parameters)
        for band, variance in zip(bands, self.variances, strict=True):
            squared = band.square().flatten(1)
            constant = squared.shape[1] * (math.log(2 * math.pi) + variance.log())
            total = total - 0.5 * (squared.sum(1) / variance + constant)
        return total

    def training_loss(self, x: Tensor, parameters: Tensor) -> Tensor:
        """Σ over bands of D_band/2 · (log 2πσ² + 1), at σ² = mean squared error of the band."""
        bands = self._bands(x, parameters)
        errors = torch.stack([band.square().mean() for band in bands]) + LEAST_VARIANCE
        if self.training:
            with torch.no_grad():
                self.variances.lerp_(errors.detach(), 0.02)
        constant = math.log(2 * math.pi) + 1
        terms = [
            band[0].numel() * (constant + error.log())
            for band, error in zip(bands, errors, strict=True)
        ]
        return 0.5 * torch.stack(terms).sum()

    def mean(self, parameters: Tensor) -> Tensor:
        """μ."""
        mean = self._bent(parameters)
        return mean if self.limit is None else mean.clamp(-self.limit, self.limit)

    def _bent(self, parameters: Tensor) -> Tensor:
        """The output, within three times the limit; nearly as it is within the limit."""
        if self.limit is None:
            return parameters.float()
        return OVERSHOOT * self.limit * torch.tanh(parameters.float() / (OVERSHOOT * self.limit))

    def _bands(self, x: Tensor, parameters: Tensor) -> list[Tensor]:
        """The error x − μ, apart by what has a variance of its own."""
        error = self._error(x, parameters)
        if self.groups[:2] == (1, 2):
            error = torch.cat([rotate_colour(error[:, :3]), error[:, 3:]], 1)
        parts = error.split(self.groups, 1) if self.groups else [error]
        return [band for part in parts for band in haar_bands(part, self.levels)]

    def _error(self, x: Tensor, parameters: Tensor) -> Tensor:
        """x − μ. Beyond the limit the gradient still leads back, except where x is at the limit."""
        bent = self._bent(parameters)
        error = x - bent
        if self.limit is None:
            return error
        there = ((x <= -self.limit) & (error > 0)) | ((x >= self.limit) & (error < 0))
        exact = x - bent.clamp(-self.limit, self.limit)
        straight_through = error + (exact - error).detach()
        return torch.where(there, 0.0, straight_through)


def rotate_colour(x: Tensor) -> Tensor:
    """Red, green and blue (n, 3, ...) to brightness and two differences, orthonormally."""
    red, green, blue = x.unbind(1)
    brightness = (red + green + blue) / math.sqrt(3)
    return torch.stack(
        [brightness, (red - blue) / math.sqrt(2), (red - 2 * green + blue) / math.sqrt(6)], 1
    )


def haar_bands(x: Tensor, levels: int) -> list[Tensor]:
    """The orthonormal Haar transform of maps (n, c, h, w): three bands a level, then the rest.

    Both sides must be divisible by 2 to the power of `levels`.
    """
    bands: list[Tensor] = []
    for _ in range(levels):
        a, b = x[..., ::2, ::2], x[..., ::2, 1::2]
        c, d = x[..., 1::2, ::2], x[..., 1::2, 1::2]
        bands += [(a + b - c - d) / 2, (a - b + c - d) / 2, (a - b - c + d) / 2]
        x = (a + b + c + d) / 2
    return [*bands, x]


class Bernoulli(Likelihood):
    """Independent coin throws, for data whose values are only ever −1 and 1.

    On greys this is no likelihood: the values between are impossible under it.
    """

    discrete = True

    def outputs(self, channels: int) -> int:
        """One: the logit of the upper value."""
        return channels

    def log_prob(self, x: Tensor, parameters: Tensor) -> Tensor:
        """Σ x log p + (1 − x) log(1 − p), x taken from {−1, 1} to {0, 1}."""
        target = (x + 1) / 2
        entropy = binary_cross_entropy_with_logits(parameters.float(), target, reduction="none")
        return -entropy.flatten(1).sum(1)

    def allows(self, x: Tensor) -> bool:
        """Whether there is nothing but −1 and 1."""
        return bool((x.abs() == 1).all())

    def mean(self, parameters: Tensor) -> Tensor:
        """2p − 1."""
        return 2 * torch.sigmoid(parameters.float()) - 1


class LogisticMixture(Likelihood):
    """Mixture of discretised logistics over the 256 values of each channel.

    Salimans et al., PixelCNN++ (arXiv 1701.05517), section 2.1 and 2.2: the mixture component is
    shared by a pixel's channels, and the mean of each channel depends linearly on the values of
    the channels before it.
    """

    discrete = True

    def __init__(self, mixtures: int = 5) -> None:
        super().__init__()
        self.mixtures = mixtures

    def outputs(self, channels: int) -> int:
        """A logit, means, scales and coefficients for each component."""
        return self.mixtures * (1 + 2 * channels + channels * (channels - 1) // 2)

    def log_prob(self, x: Tensor, parameters: Tensor) -> Tensor:
        """Log Σ_k π_k Π_c [F((x_c + 1/255 − μ_kc)/s_kc) − F((x_c − 1/255 − μ_kc)/s_kc)]."""
        logits, means, scales, coefficients = self._split(parameters.float(), x.shape[1])
        target = x[:, None]  # (n, 1, c, ...)
        means = means + self._shift(target, coefficients)
        inverse = torch.exp(-scales)
        upper = inverse * (target - means + 1 / 255)
        lower = inverse * (target - means - 1 / 255)
        # log(F(u) − F(l)) = log F(u) + log(1 − F(l)) + log(1 − e^(l−u)), stable in both tails
        inside = logsigmoid(upper) - softplus(lower) + torch.log(-torch.expm1(lower - upper))
        log_value = torch.where(
            target < -0.999,
            logsigmoid(upper),
            torch.where(target > 0.999, -softplus(lower), inside),
        )
        log_pixel = torch.logsumexp(log_value.sum(2) + torch.log_softmax(logits, 1), 1)
        return log_pixel.flatten(1).sum(1)

    def mean(self, parameters: Tensor) -> Tensor:
        """The mean of the likeliest component, channel after channel."""
        channels = next(c for c in range(1, 5) if self.outputs(c) == parameters.shape[1])
        logits, means, _, coefficients = self._split(parameters.float(), channels)
        best = logits.argmax(1, keepdim=True)  # (n, 1, ...)

        def pick(t: Tensor) -> Tensor:
            index = best[:, :, None].expand(-1, -1, t.shape[2], *best.shape[2:])
            return t.gather(1, index)

        means, coefficients = pick(means), pick(coefficients) if channels > 1 else coefficients
        values: list[Tensor] = []
        used = 0
        for channel in range(channels):
            value = means[:, 0, channel]
            for before in values:
                value = value + coefficients[:, 0, used] * before
                used += 1
            values.append(value.clamp(-1, 1))
        return torch.stack(values, 1)

    def _split(self, parameters: Tensor, channels: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """To logits (n, k, ...), means and log-scales (n, k, c, ...), coefficients."""
        n, _, *space = parameters.shape
        k, pairs = self.mixtures, channels * (channels - 1) // 2
        logits, means, scales, coefficients = parameters.split(
            [k, k * channels, k * channels, k * pairs], 1
        )
        return (
            logits,
            means.reshape(n, k, channels, *space),
            scales.reshape(n, k, channels, *space).clamp(min=-7.0),
            torch.tanh(coefficients.reshape(n, k, pairs, *space)),
        )

    @staticmethod
    def _shift(target: Tensor, coefficients: Tensor) -> Tensor:
        """What the channels before add to each channel's mean, (n, k, c, ...)."""
        shifts: list[Tensor] = []
        used = 0
        for channel in range(target.shape[2]):
            shift = torch.zeros_like(target[:, :, 0])
            for before in range(channel):
                shift = shift + coefficients[:, :, used] * target[:, :, before]
                used += 1
            shifts.append(shift.expand(-1, coefficients.shape[1], *shift.shape[2:]))
        return torch.stack(shifts, 2)
