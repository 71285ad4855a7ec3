"""Changes to sounds that a gradient passes through, for training on little data.

What `nets/augment.py` is for pictures: gain, shift in time, polarity and speed (which changes pitch
and length together), after which a sound is still one of its kind. Each is applied with a
probability of its own drawing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ectype.nets.augment import probabilities

#: Sounds are moved by at most this share of their length, and made softer by at most so many dB.
MOST_SHIFT, MOST_GAIN = 1 / 32, 12.0
#: They are made quicker or slower by at most so many semitones.
MOST_SEMITONES = 1.0
#: Samples on either side from which one between them is computed.
REACH = 8


@dataclass(frozen=True)
class SoundAugmentation:
    """Draws changes to sounds.

    Attributes:
        speed: whether the speed may change; not where a label may say which note it is.
    """

    speed: bool = True

    def __call__(self, n: int, strength: float, generator: torch.Generator) -> SoundTransform:
        """Draw a change for each of n sounds; all operations are gentle."""
        device = generator.device
        p, _ = probabilities(strength)
        gain, shift, turn, pace = torch.rand(4, n, generator=generator, device=device) < p
        amount = torch.rand(3, n, generator=generator, device=device)
        zero, one = amount.new_zeros(()), amount.new_ones(())
        semitones = MOST_SEMITONES * (2 * amount[2] - 1)
        return SoundTransform(
            factor=torch.where(gain, 10 ** (-MOST_GAIN / 20 * amount[0]), one)
            * torch.where(turn, -one, one),
            shift=torch.where(shift, 2 * amount[1] - 1, zero),
            speed=torch.where(pace, 2 ** (semitones / 12), one) if self.speed else None,
        )


@dataclass(frozen=True, kw_only=True)
class SoundTransform:
    """Drawn changes to n sounds (n, channels, length).

    Attributes:
        factor: (n,), that a sound is multiplied by.
        shift: (n,), later, −1 to 1 times `MOST_SHIFT` of the length; silence comes in.
        speed: (n,), above 1 quicker and higher; None for as it is.
    """

    factor: Tensor
    shift: Tensor
    speed: Tensor | None = None

    def __call__(self, x: Tensor) -> Tensor:
        """The changed sounds; what is not drawn for a sound leaves it as it is to the bit."""
        if self.speed is not None:
            x = torch.where((self.speed == 1)[:, None, None], x, at_speed(x, self.speed))
        length = x.shape[-1]
        moved = (self.shift * (length * MOST_SHIFT)).round().long()
        place = torch.arange(length, device=x.device) - moved[:, None]
        return _at(x, place) * self.factor[:, None, None]


def at_speed(x: Tensor, speed: Tensor) -> Tensor:
    """Sounds (n, channels, length) at other speeds (n,), cut or filled up with silence.

    Between samples by a sinc within a Hann window; what is lifted above half the sampling rate is
    folded back, which for a semitone is the topmost twentieth of the spectrum.
    """
    place = torch.arange(x.shape[-1], device=x.device) * speed[:, None]
    first = place.floor()
    made = torch.zeros_like(x)
    for step in range(1 - REACH, REACH + 1):
        distance = place - first - step
        weight = torch.sinc(distance) * torch.cos(math.pi / 2 * distance / REACH).square()
        made = made + _at(x, first.long() + step) * weight[:, None]
    return made


def _at(x: Tensor, place: Tensor) -> Tensor:
    """Samples of x (n, channels, length) at places (n, length), silence outside."""
    inside = (place >= 0) & (place < x.shape[-1])
    index = place.clamp(0, x.shape[-1] - 1)[:, None].expand_as(x)
    return x.gather(-1, index) * inside[:, None]
