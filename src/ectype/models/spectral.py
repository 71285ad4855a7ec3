"""The distribution of sounds that a drawn spectrum stands for."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ectype.models.likelihoods import Likelihood
from ectype.nets.spectrum import InverseSpectrum, SpectrumGrid, spectrum_of

#: Windows in which sounds are compared, seconds, to the nearest power of two in samples.
SCALES = (0.128, 0.032, 0.008)
#: Magnitudes below this are silence (1 is a sine at full scale).
QUIETEST = 3e-4
#: Weight of the difference of logarithms (nepers) beside that of magnitudes.
LOG_WEIGHT = 1.0
#: Numbers that the noise of training is chosen by, in turn; then they begin again.
CHOICES = 2**16


class SpectralEnergy(Likelihood):
    """Sounds drawn from a spectrum whose noise is drawn anew each time.

    Trained by the energy distance of spectra (Gritsenko et al., "A Spectral Energy Distance for
    Parallel Speech Synthesis", arXiv 2008.01160, eq. 4): with two draws y, y' of one spectrum,

        E[2 d(x, y) − d(y, y')],

    a proper score: it is least where the draws are distributed as the data. A plain distance
    d(x, y) would be least with too little noise. d adds, over the cells of spectra in several
    resolutions, the distance of magnitudes, relative to the sound's loudness, and that of their
    logarithms, which hears what is soft. Phases are free: with distances of the complex numbers
    in the place of the first, samples came nearer to the data more slowly.

    `log_prob` is another thing, and a true density: N(x; μ, σ²I) about the sound μ that `mean`
    gives, with σ² the mean squared error in training. It is what bounds can be said of; since
    phases are free, it is low, and no aim of training.
    """

    smooth = True
    variance: Tensor
    turns: Tensor
    choices: Tensor

    def __init__(self, grid: SpectrumGrid) -> None:
        super().__init__()
        self.grid = grid
        self.inverse = InverseSpectrum(grid)
        self.windows = tuple(2 ** round(math.log2(s * grid.rate)) for s in SCALES)
        self.register_buffer("variance", torch.ones(()))
        # The noise of training is counted, not drawn: a run that goes on has the same, and nothing
        # waits for the device.
        self.register_buffer("turns", torch.zeros((), dtype=torch.int64))
        generator = torch.Generator().manual_seed(0)
        choices = torch.randint(self.inverse.pieces, (CHOICES,), generator=generator)
        self.register_buffer("choices", choices, persistent=False)

    def outputs(self, channels: int) -> int:
        """Numbers in a frame."""
        del channels
        return self.grid.outputs

    def log_prob(self, x: Tensor, parameters: Tensor) -> Tensor:
        """Log N(x; μ, σ²I), with the frozen σ²."""
        squared = (x - self.mean(parameters)).square().flatten(1)
        constant = squared.shape[1] * (math.log(2 * math.pi) + self.variance.log())
        return -0.5 * (squared.sum(1) / self.variance + constant)

    def fits(self, x: Tensor, parameters: Tensor) -> Tensor:
        """How alike spectra are: phases are free, and a density of waveforms knows nothing."""
        total = torch.zeros(len(x), device=x.device)
        for window in self.windows:
            sounds = (sound.flatten(0, 1) for sound in (x, self.mean(parameters)))
            real, drawn = (
                torch.log(spectrum_of(sound, window, window // 2).abs() + QUIETEST)
                for sound in sounds
            )
            total -= (real - drawn).abs().mean((1, 2)).view(len(x), -1).mean(1)
        return total

    def training_loss(self, x: Tensor, parameters: Tensor) -> Tensor:
        """The energy distance, times the values in a sound: the KL stands beside it in nats."""
        if self.training:
            self.turns += 1
        first, second = (self.inverse(parameters, start) for start in self._next_choices(len(x)))
        if self.training:
            with torch.no_grad():
                self.variance.lerp_((x - first).square().mean(), 0.02)
        return x[0].numel() * self.energy(x, first, second)

    def _next_choices(self, n: int) -> Tensor:
        """Where the noise of two draws of n items starts this turn, (2, n, channels)."""
        count = 2 * n * self.grid.channels
        index = self.turns * count + torch.arange(count, device=self.turns.device)
        return self.choices[index % CHOICES].view(2, n, -1)

    def energy(self, x: Tensor, first: Tensor, second: Tensor) -> Tensor:
        """Mean over items, cells and resolutions of d(x, y) + d(x, y') − d(y, y')."""
        total = torch.zeros((), device=x.device)
        sounds = [sound.flatten(0, 1) for sound in (x, first, second)]
        for window in self.windows:
            sizes = [spectrum_of(sound, window, window // 2).abs() for sound in sounds]
            scale = 1 / sizes[0].mean((1, 2), keepdim=True).clamp_min(QUIETEST)
            linear = sum_of_distances(*sizes)
            log = sum_of_distances(*(torch.log(size + QUIETEST) for size in sizes))
            total = total + (scale * linear).mean() + LOG_WEIGHT * log.mean()
        return total / len(self.windows)

    def draw(
        self, parameters: Tensor, generator: torch.Generator, temperature: float = 1.0
    ) -> Tensor:
        """Sounds with noise of the generator's choosing; temperature does not change noise."""
        del temperature
        shape = (len(parameters), self.grid.channels)
        start = torch.randint(self.inverse.pieces, shape, generator=generator)
        return self.inverse(parameters, start.to(parameters.device))

    def mean(self, parameters: Tensor) -> Tensor:
        """Sounds with always the same noise; without it they would not be those that are drawn."""
        start = torch.arange(self.grid.channels, device=parameters.device)
        start = start * (self.inverse.pieces // self.grid.channels)
        return self.inverse(parameters, start.expand(len(parameters), -1))


def sum_of_distances(x: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """|x − y| + |x − y'| − |y − y'| of each number."""
    return (x - first).abs() + (x - second).abs() - (first - second).abs()
