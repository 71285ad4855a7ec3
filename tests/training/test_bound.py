"""Weights are chosen by how well they explain what they have not seen."""

import numpy as np
import pytest
import torch

import ectype
from ectype.models.base import Batch
from ectype.models.vae import Vae
from ectype.training.bound import PIECE, BoundScore
from tests.domains.tables import prepared


def run_of(n, tmp_path, **more):
    """A VAE on rows of pure noise: whatever it learns beyond their frequencies is by heart."""
    import pandas as pd

    random = np.random.default_rng(0)
    frame = pd.DataFrame({f"c{i}": random.choice(list("abcdefghij"), n) for i in range(6)})
    settings = {"training.capacity": 64, "training.batch": 64, "training.ema": 0.0, **more}
    settings |= {"data.validation": 0.4, "data.test": 0.1, "vae.learning_rate": 0.01}
    out = tmp_path / "run"
    return ectype.fit(frame, model="vae", steps=300, out=out, settings=settings), frame


def test_the_score_is_the_mean_bound_of_all_items(tmp_path):
    run, frame = run_of(300, tmp_path)
    dataset = prepared(frame)
    x = run.domain.to_network(torch.from_numpy(dataset.items), run.spec).repeat(3, 1)
    model = run.model
    assert isinstance(model, Vae)
    score = BoundScore(model, len(x), lambda start, end: Batch(x[start:end], None))
    assert len(x) > PIECE
    value = score()
    bound = model.elbo(Batch(x, None), torch.Generator().manual_seed(1))["elbo"].mean()
    assert value == pytest.approx(-float(bound), rel=0.02)
    assert score() == value
    set_up, cost = score.estimate()
    assert set_up == 0
    assert cost > 0


def test_weights_that_learned_by_heart_are_not_kept(tmp_path):
    run, _ = run_of(200, tmp_path)
    kept = run.folder.kept_step()
    assert kept is not None
    assert kept < 150
