"""pythae 0.1.2's VAE, trained by its own trainer and sampled by its own samplers.

Runs in an environment of its own (see `pythae_environment`). What is pythae's: the model (mean
squared error, unit variance, standard normal prior), its networks (`convolutional`: those of its
MNIST and CIFAR benchmarks, 12 to 13 million parameters; `default`: the perceptron that it takes
when none is named), its latent size for them (16 and 10), its trainer with its batch of 64 and
Adam, the learning rate 1e-3 of its quick start (its bare default, 1e-4, is slower to learn), its
`NormalSampler` and its `GaussianMixtureSampler` of 10 components. What is ours: a callback that
ends training when the wall clock does (the model as it is then is sampled), and that the mixture
is fitted to the latents of 10,000 pictures at most, since passing 60,000 through its
convolutional networks takes as long as training.
"""

from __future__ import annotations

import contextlib
import logging
import time
from typing import Any

import numpy as np
import torch
import torch._dynamo  # the first optimiser would import it, on the clock
from pythae.data.preprocessors import DataProcessor  # pyright: ignore[reportMissingImports]
from pythae.models import VAE, VAEConfig  # pyright: ignore[reportMissingImports]
from pythae.models.nn.benchmarks import cifar, mnist  # pyright: ignore[reportMissingImports]
from pythae.samplers import (  # pyright: ignore[reportMissingImports]
    GaussianMixtureSampler,
    NormalSampler,
)
from pythae.trainers import (  # pyright: ignore[reportMissingImports]
    BaseTrainer,
    BaseTrainerConfig,
)
from pythae.trainers.training_callbacks import (  # pyright: ignore[reportMissingImports]
    TrainingCallback,
)

from benchmarks.peers.protocol import (
    Result,
    Task,
    argument_parser,
    read_task,
    write_results,
    write_samples,
)

LEARNING_RATE = 1e-3
MIXTURE_ITEMS = 10_000
NETWORKS = {
    (1, 28, 28): (mnist.Encoder_Conv_VAE_MNIST, mnist.Decoder_Conv_AE_MNIST),
    (3, 32, 32): (cifar.Encoder_Conv_VAE_CIFAR, cifar.Decoder_Conv_AE_CIFAR),
}


class TimeIsUpError(Exception):
    """Ends pythae's training loop, which has no other way to be stopped."""


class StopAt(TrainingCallback):
    """Counts training steps and stops at a moment of `time.perf_counter`."""

    def __init__(self, moment: float):
        self.moment = moment
        self.steps = 0

    def on_train_step_end(self, training_config: Any, **_: Any) -> None:
        """Called after every step."""
        self.steps += 1
        if time.perf_counter() >= self.moment:
            raise TimeIsUpError


def build(shape: tuple[int, int, int], networks: str) -> Any:
    """The VAE for pictures of a shape (c, h, w)."""
    if networks == "default":
        return VAE(VAEConfig(input_dim=shape))
    encoder, decoder = NETWORKS[shape]
    config = VAEConfig(input_dim=shape, latent_dim=16)
    return VAE(config, encoder=encoder(config), decoder=decoder(config))


def train(task: Task, pictures: torch.Tensor, networks: str, start: float) -> tuple[Any, int]:
    """Train until the wall clock ends; gives the model and the pictures seen."""
    torch.manual_seed(task.seed)
    _, channels, height, width = pictures.shape
    model = build((channels, height, width), networks)
    stop = StopAt(start + task.seconds)
    config = BaseTrainerConfig(
        output_dir=str(task.out / "pythae"),
        num_epochs=1_000_000,
        learning_rate=LEARNING_RATE,
        seed=task.seed,
        no_cuda=True,
    )
    processor = DataProcessor()
    dataset = processor.to_dataset(processor.process_data(pictures))
    trainer = BaseTrainer(model, dataset, training_config=config, callbacks=[stop])
    with contextlib.suppress(TimeIsUpError):
        trainer.train()
    return trainer.model.eval(), stop.steps * config.per_device_train_batch_size


def sample(name: str, model: Any, pictures: torch.Tensor, count: int) -> np.ndarray:
    """Draw with one of pythae's samplers; uint8 (count, h, w, c)."""
    if name == "normal":
        sampler = NormalSampler(model)
    else:
        sampler = GaussianMixtureSampler(model)
        sampler.fit(pictures[torch.randperm(len(pictures))[:MIXTURE_ITEMS]])
    with torch.no_grad():
        drawn = sampler.sample(num_samples=count)
    return drawn.clamp(0, 1).mul(255).round().permute(0, 2, 3, 1).to(torch.uint8).numpy()


def main() -> None:
    """Train once, sample twice."""
    parser = argument_parser(__doc__)
    parser.add_argument("--networks", choices=("convolutional", "default"), required=True)
    arguments = parser.parse_args()
    logging.disable(logging.INFO)
    task = read_task(arguments)
    pictures = torch.from_numpy(task.train).permute(0, 3, 1, 2).contiguous().float().div(255)

    start = time.perf_counter()
    model, items = train(task, pictures, arguments.networks, start)
    train_seconds = time.perf_counter() - start
    results: list[Result] = []
    for name in ("normal", "mixture"):
        begin = time.perf_counter()
        try:
            samples = sample(name, model, pictures, task.samples)
        except Exception as error:  # noqa: BLE001 - the other sampler may still work
            failed = f"{type(error).__name__}: {error}"
            results.append(Result(sampler=name, train_seconds=train_seconds, error=failed))
            continue
        result = Result(
            sampler=name,
            train_seconds=train_seconds,
            sample_seconds=time.perf_counter() - begin,
            items=items,
            note=f"{arguments.networks} networks",
        )
        write_samples(task, result, samples)
        results.append(result)
    write_results(task, results)


if __name__ == "__main__":
    main()
