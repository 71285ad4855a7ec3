"""A user's own items in latent space: walks between them, and which lie near."""

import numpy as np
import pytest

import ectype
from ectype.errors import UsageError
from tests.contract.points import Points, ring

TINY = {"training.capacity": 4, "training.batch": 16, "vae.latent": 4, "gan.latent": 4}


@pytest.fixture(scope="module")
def points():
    return ring(300)[0]


def fit(source, family, folder, **more):
    return ectype.fit(
        source,
        model=family,
        steps=60,
        out=folder,
        domain=Points(),
        settings={**TINY, "vae.beta": 0.1},
        device="cpu",
        **more,
    )


def test_walks_and_neighbours(points, tmp_path):
    run = fit(points, "vae", tmp_path / "run")
    walks = run.between(points[:3], steps=5)
    assert walks.items.shape == (10, 2)
    ends = run.reconstruct(points[:3]).items
    np.testing.assert_allclose(walks.items[[0, 4, 5, 9]], ends[[0, 1, 1, 2]], atol=1e-5)
    assert walks.save(tmp_path / "walks")

    found = run.nearest(points[:4], points, k=3)
    assert found.shape == (4, 3)
    assert found[:, 0].tolist() == [0, 1, 2, 3], "an item lies nearest to itself"
    assert run.nearest(points[:4], points[:2], k=9).shape == (4, 2)


def test_what_cannot_be_asked_is_said(points, tmp_path):
    run = fit(points, "vae", tmp_path / "vae")
    with pytest.raises(UsageError, match="two items"):
        run.between(points[:1])
    with pytest.raises(UsageError, match="0 neighbours"):
        run.nearest(points, points, k=0)
    gan = fit(points, "gan", tmp_path / "gan")
    with pytest.raises(UsageError, match="no encoder"):
        gan.between(points[:2])


def test_labelled_runs_need_a_label(tmp_path):
    points, modes = ring(300)
    run = fit((points, modes), "vae", tmp_path / "run")
    with pytest.raises(UsageError, match="with a label"):
        run.nearest(points[:2], points)
    assert run.nearest(points[:2], points, label="mode 3").shape == (2, 1)
    assert run.between(points[:2], label="mode 3", steps=2).items.shape == (2, 2)
