"""Changes to pictures that a gradient passes through, for training on little data.

A discriminator that sees real and generated pictures only after random changes cannot learn the
few real ones by heart: Zhao et al., "Differentiable Augmentation for Data-Efficient GAN Training"
(arXiv 2006.10738), from whom the operations and their ranges are, save the padding. Each is applied
to each picture with a probability of its own drawing, so that many pictures pass unchanged and
the changes do not leak into what is generated: Karras et al. (arXiv 2006.06676), section 2.2.

The gentlest come first: a picture that has been moved is still a picture of its kind, one with a
hole or in other light hardly. Cuts and light are for discriminators that over-fit despite moves.

Mirror images are made only where a mirrored picture is one of the data's kind; of letters and most
things with a left and a right they would be what is not in the data.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

#: Items to changed items, the same shape; called twice it changes them in the same way.
Transform = Callable[[Tensor], Tensor]
#: (how many items, strength as in `probabilities`, source of randomness) to a drawn transform.
Augmentation = Callable[[int, float, torch.Generator], Transform]

#: Of a change: beyond it items change so often that the changes leak into what is generated.
MOST_PROBABILITY = 0.8
#: Pictures are moved by at most this share of their sides.
MOST_SHIFT = 1 / 8
#: The square that is cut out, as a share of the sides.
CUT = 1 / 2


def unchanged(x: Tensor) -> Tensor:
    """The transform that does nothing."""
    return x


@dataclass(frozen=True)
class PictureAugmentation:
    """Draws changes to pictures of which the first `colours` channels are grey or colours.

    A further channel is transparency; it moves and is cut with the others, and has no brightness.
    `mirror` is whether left and right may change places: then half as often as pictures are moved,
    so that the way round that the data have stays the commoner one.
    """

    colours: int
    mirror: bool = False

    def __call__(self, n: int, strength: float, generator: torch.Generator) -> PictureTransform:
        """Draw a change for each of n pictures: moves are the gentle ones."""
        device = generator.device
        moves, others = probabilities(strength)
        drawn = torch.rand(5, n, generator=generator, device=device)
        cut, *light = drawn[1:] < others
        amount = torch.rand(7, n, generator=generator, device=device)
        zero = amount.new_zeros(())
        flip = cut.new_zeros(n)
        if self.mirror:
            flip = torch.rand(n, generator=generator, device=device) < moves / 2
        return PictureTransform(
            colours=self.colours,
            shift=torch.where(drawn[0] < moves, 2 * amount[0:2] - 1, zero),
            cut=cut,
            centre=amount[2:4],
            brightness=torch.where(light[0], amount[4] - 0.5, zero),
            saturation=torch.where(light[1], 2 * amount[5] - 1, zero),
            contrast=torch.where(light[2], amount[6] - 0.5, zero),
            flip=flip,
            only_moves=not others,
        )


@dataclass(frozen=True, kw_only=True)
class PictureTransform:
    """Drawn changes to n pictures (n, c, h, w) in [−1, 1].

    Attributes:
        colours: channels that brightness, saturation and contrast mean.
        shift: (2, n), down and right, −1 to 1 times `MOST_SHIFT` of the sides.
        cut: (n,), whether a square is cut out.
        centre: (2, n), of the square, 0 to 1 of the sides.
        brightness: (n,), added.
        saturation: (n,), factor of the distance from grey, less 1; no effect on grey pictures.
        contrast: (n,), factor of the distance from the picture's mean, less 1.
        flip: (n,), whether left and right change places, before the shift.
        only_moves: whether nothing else can have been drawn. It is then left out, since it would
            cost twice as much as the moves and change nothing.
    """

    colours: int
    shift: Tensor
    cut: Tensor
    centre: Tensor
    brightness: Tensor
    saturation: Tensor
    contrast: Tensor
    flip: Tensor
    only_moves: bool = False

    def __call__(self, x: Tensor) -> Tensor:
        """The changed pictures; what is not drawn for a picture leaves it as it is to the bit."""
        if self.only_moves:
            return self._shifted(x)
        colours = self._lit(x[:, : self.colours])
        if x.shape[1] > self.colours:
            colours = torch.cat([colours, x[:, self.colours :]], 1)
        return self._cut(self._shifted(colours))

    def _lit(self, x: Tensor) -> Tensor:
        x = x + column(self.brightness)
        if self.colours > 1:
            x = x + column(self.saturation) * (x - x.mean(1, keepdim=True))
        return x + column(self.contrast) * (x - x.mean((1, 2, 3), keepdim=True))

    def _shifted(self, x: Tensor) -> Tensor:
        """Pictures mirrored, and moved by whole pixels, their edges repeated.

        The edge, not zero, is what goes on: a bar of mid-grey would be one more thing that no
        picture of the data has, and pictures on a plain ground stay whole.
        """
        n, channels, height, width = x.shape
        places = []
        for side, share in zip((height, width), self.shift, strict=True):
            moved = (share * (side * MOST_SHIFT)).round().long()
            place = torch.arange(side, device=x.device) - moved[:, None]
            places.append(place.clamp(0, side - 1))
        rows, columns = places
        columns = torch.where(self.flip[:, None], width - 1 - columns, columns)
        pixels = rows[:, :, None] * width + columns[:, None, :]
        pixels = pixels + (height * width) * torch.arange(n, device=x.device)[:, None, None]
        # one index_select over pixels is the cheapest of the forms, backwards too, and what it
        # gives lies channels last, as the convolutions want it
        flat = x.permute(0, 2, 3, 1).reshape(-1, channels)
        moved = flat.index_select(0, pixels.flatten())
        return moved.view(n, height, width, channels).permute(0, 3, 1, 2)

    def _cut(self, x: Tensor) -> Tensor:
        """Pictures with a square set to 0, mid-grey; it may lie partly outside."""
        inside = []
        for side, centre in zip(x.shape[-2:], self.centre, strict=True):
            size = round(side * CUT)
            first = (centre * (side + 1)).floor() - size // 2
            place = torch.arange(side, device=x.device) - first[:, None]
            inside.append((place >= 0) & (place < size))
        rows, columns = inside
        square = rows[:, :, None] & columns[:, None, :] & self.cut[:, None, None]
        return x.masked_fill(square[:, None], 0.0)


def probabilities(strength: float) -> tuple[float, float]:
    """Of gentle changes, after which items still look like the data, and of all others.

    The gentle ones come first. Only when they are as probable as any may be do the others join
    them; an augmentation without others stays as it is from there on.
    """
    return min(strength, MOST_PROBABILITY), max(strength - MOST_PROBABILITY, 0.0)


def column(values: Tensor) -> Tensor:
    """(n,) as (n, 1, 1, 1)."""
    return values[:, None, None, None]
