"""A domain that ectype does not bring: points in the plane. This is all it takes to add one."""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import nn

from ectype.domains.base import Dataset, Domain, Further, Spec
from ectype.models.likelihoods import Gaussian


class Perceptron(nn.Module):
    """Two inputs, two hidden layers; a label enters as one more input a class."""

    def __init__(self, inputs, outputs, width, classes, split=False):
        super().__init__()
        self.classes, self.split = classes, split
        self.body = nn.Sequential(
            nn.Linear(inputs + classes, width),
            nn.LeakyReLU(0.2),
            nn.Linear(width, width),
            nn.LeakyReLU(0.2),
            nn.Linear(width, outputs),
        )

    def forward(self, x, label):
        if self.classes:
            x = torch.cat([x, nn.functional.one_hot(label, self.classes).to(x.dtype)], 1)
        y = self.body(x)
        if self.split:
            return y.chunk(2, 1)
        return y.squeeze(1)


class Points(Domain):
    """float32 arrays (n, 2), or a pair of such an array and integer labels (n,)."""

    name = "points"
    default_capacity = 2

    def recognises(self, source):
        return isinstance(source, np.ndarray) and source.ndim == 2 and source.shape[1] == 2

    def prepare(self, source, settings, options):
        points, labels = source if isinstance(source, tuple) else (source, None)
        names = () if labels is None else tuple(f"mode {i}" for i in range(labels.max() + 1))
        order = np.random.default_rng(options.seed).permutation(len(points))
        tenth = len(points) // 10
        return Dataset(
            spec=Spec(domain=self.name, shape=(2,), labels=names),
            items=points.astype(np.float32),
            labels=labels,
            parts={
                "train": order[2 * tenth :],
                "validation": order[:tenth],
                "test": order[tenth : 2 * tenth],
            },
            fingerprint=hashlib.sha256(points.tobytes()).hexdigest(),
        )

    def read(self, source, spec):
        points, labels = source if isinstance(source, tuple) else (source, None)
        return Further(items=points.astype(np.float32), labels=labels)

    def network(self, role, spec, *, capacity, latent, likelihood=None):
        width, classes = 16 * capacity, spec.classes
        if role == "generator":
            return Perceptron(latent, 2, width, classes)
        if role == "discriminator":
            return Perceptron(2, 1, width, classes)
        if role == "encoder":
            return Perceptron(2, 2 * latent, width, classes, split=True)
        outputs = 2 if likelihood is None else likelihood.outputs(2)
        return Perceptron(latent, outputs, width, classes)

    def likelihood(self, spec, name):
        return Gaussian()

    def to_network(self, items, spec):
        return items.float()

    def from_network(self, items, spec):
        return items.float().numpy()

    def write(self, samples, spec, folder, label):
        np.savetxt(folder / "points.csv", samples, delimiter=",", header="x,y", comments="")
        return [folder / "points.csv"]

    def preview(self, samples, spec, path, columns=None):
        picture = Image.new("L", (128, 128))
        draw = ImageDraw.Draw(picture)
        draw.point([(64 + 24 * x, 64 - 24 * y) for x, y in samples.tolist()], fill=255)
        picture.save(path.with_suffix(".png"))
        return path.with_suffix(".png")


def ring(n, modes=8, seed=0):
    """Points (n, 2) around `modes` places on a circle, and which place each belongs to."""
    random = np.random.default_rng(seed)
    mode = random.integers(modes, size=n)
    angle = 2 * np.pi * mode / modes
    centres = 2 * np.stack([np.cos(angle), np.sin(angle)], 1)
    return (centres + 0.05 * random.standard_normal((n, 2))).astype(np.float32), mode
