"""Changes to sounds that a gradient passes through, for training on little data.

What `nets/augment.py` is for pictures: gain, shift in time and polarity, after which a sound is
still one of its kind. Each is applied with a probability of its own drawing.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

#: Sounds are moved by at most this share of their length, and made softer by at most so many dB.
MOST_SHIFT, MOST_GAIN = 1 / 32, 12.0


@dataclass(frozen=True)
class SoundAugmentation:
    """Draws changes to sounds."""

    def __call__(self, n: int, p: float, generator: torch.Generator) -> SoundTransform:
        """Draw a change for each of n sounds, each operation with probability p."""
        device = generator.device
        gain, shift, turn = torch.rand(3, n, generator=generator, device=device) < p
        amount = torch.rand(2, n, generator=generator, device=device)
        zero, one = amount.new_zeros(()), amount.new_ones(())
        return SoundTransform(
            factor=torch.where(gain, 10 ** (-MOST_GAIN / 20 * amount[0]), one)
            * torch.where(turn, -one, one),
            shift=torch.where(shift, 2 * amount[1] - 1, zero),
        )


@dataclass(frozen=True, kw_only=True)
class SoundTransform:
    """Drawn changes to n sounds (n, channels, length).

    Attributes:
        factor: (n,), that a sound is multiplied by.
        shift: (n,), later, −1 to 1 times `MOST_SHIFT` of the length; silence comes in.
    """

    factor: Tensor
    shift: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """The changed sounds; what is not drawn for a sound leaves it as it is to the bit."""
        length = x.shape[-1]
        moved = (self.shift * (length * MOST_SHIFT)).round().long()
        place = torch.arange(length, device=x.device) - moved[:, None]
        inside = (place >= 0) & (place < length)
        index = place.clamp(0, length - 1)[:, None].expand_as(x)
        return x.gather(-1, index) * (self.factor[:, None] * inside)[:, None]
