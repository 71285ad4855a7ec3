"""A trained run: what can be asked of it, and what is said where it cannot."""

import json
import math
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

import ectype
from ectype.errors import UsageError
from ectype.models.base import Batch
from ectype.run import Run
from tests.contract.points import Points, ring

TINY = {
    "training.capacity": 1,
    "training.batch": 8,
    "vae.latent": 3,
    "vae.prior": "flow",
    "vae.flow_steps": 2,
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Run:
    """A labelled VAE of points."""
    return ectype.fit(
        ring(200),
        model="vae",
        steps=20,
        out=tmp_path_factory.mktemp("runs") / "ring",
        domain=Points(),
        settings=TINY,
        device="cpu",
    )


@pytest.fixture
def copy(trained, tmp_path):
    """The folder of a run that a test may spoil."""
    return shutil.copytree(trained.path, tmp_path / "copy")


def load(path, **more):
    return ectype.load(path, domain=Points(), device="cpu", **more)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"n": 0}, "0 samples cannot be made"),
        ({"n": -3}, "-3 samples cannot be made"),
        ({"temperature": 0}, "temperature of 0 makes no sense"),
        ({"temperature": -1.0}, "makes no sense"),
        ({"temperature": math.nan}, "makes no sense"),
        ({"label": "mode 8"}, "there is no label “mode 8”"),
        ({"label": ""}, "there is no label “”"),
    ],
)
def test_samples_that_make_no_sense(asked, message, trained):
    with pytest.raises(UsageError, match=message) as error:
        trained.sample(**{"n": 4, **asked})
    assert error.value.hint


def test_the_labels_that_exist_are_named(trained):
    with pytest.raises(UsageError) as error:
        trained.sample(1, label="nonsense")
    assert error.value.hint == f"known: {', '.join(f'mode {i}' for i in range(8))}"


@pytest.mark.parametrize("asked", [{"rows": 0}, {"steps": 1}, {"rows": -1, "steps": 3}])
def test_walks_that_make_no_sense(asked, trained):
    with pytest.raises(UsageError, match="a walk needs a row and two steps"):
        trained.interpolate(**asked)


def test_temperature_spreads_the_samples(trained):
    def spread(temperature):
        points = trained.sample(256, label="mode 2", temperature=temperature).data
        return np.linalg.norm(points - points.mean(0), axis=1).mean()

    cold, plain, hot = (spread(t) for t in (0.1, 1.0, 3.0))
    assert cold < plain < hot


def test_a_walk_begins_and_ends_at_its_points(trained):
    long = trained.interpolate(rows=3, steps=5, seed=2, label="mode 1").data.reshape(3, 5, 2)
    short = trained.interpolate(rows=3, steps=2, seed=2, label="mode 1").data.reshape(3, 2, 2)
    np.testing.assert_allclose(long[:, [0, -1]], short, atol=1e-5)
    steps = np.linalg.norm(np.diff(long, axis=1), axis=-1)
    assert (steps > 0).all()


def test_samples_are_saved_with_a_picture_of_all(trained, tmp_path):
    samples = trained.sample(10, label="mode 1")
    paths = samples.save(tmp_path / "deep" / "out")
    assert [path.name for path in paths] == ["points.csv", "grid.png"]
    written = np.loadtxt(paths[0], delimiter=",", skiprows=1)
    np.testing.assert_allclose(written, samples.data, rtol=1e-6)
    with Image.open(paths[1]) as grid:
        assert np.asarray(grid).any()
    walks = trained.interpolate(rows=2, steps=3).save(tmp_path / "walks")
    assert [path.name for path in walks] == ["grid.png"], "a walk is one picture"


def test_reconstructions_show_pairs(trained, tmp_path):
    rows = []

    class Watching(Points):
        def preview(self, samples, spec, path, columns: int | None = None):
            rows.append((samples, columns))
            return super().preview(samples, spec, path, columns)

    points = ring(11, seed=5)[0]
    run = ectype.load(trained.path, domain=Watching(), device="cpu")
    result = run.reconstruct(points)
    np.testing.assert_array_equal(result.originals, points)
    result.save(tmp_path)
    pairs, columns = rows[0]
    assert columns == 8
    np.testing.assert_array_equal(pairs[:8], points[:8])
    np.testing.assert_array_equal(pairs[8:16], result.data[:8])
    np.testing.assert_array_equal(pairs[16:24], np.concatenate([points[8:], np.zeros((5, 2))]))
    np.testing.assert_array_equal(pairs[24:27], result.data[8:])


def test_items_without_labels_take_the_one_that_explains_them_best(trained):
    points = ring(70, seed=5)[0]
    x = torch.from_numpy(points)
    batches = [Batch(x, torch.full((70,), label)) for label in range(8)]
    with torch.inference_mode():
        each = np.stack([trained.model.reconstruct(batch).numpy() for batch in batches])
        # by hand: a density of one variance is highest where the copy lies nearest
        variance = trained.model.likelihood.variances
        assert variance.numel() == 1
    errors = np.square(each - points).mean(2)
    expected = each[errors.argmin(0), np.arange(70)]
    np.testing.assert_allclose(trained.reconstruct(points).data, expected, atol=1e-5)


def test_the_summary(trained):
    summary = trained.summary()
    assert summary.pop("seconds") > 0
    assert summary == {
        "path": str(trained.path),
        "domain": "points",
        "family": "vae",
        "capacity": 1,
        "parameters": sum(p.numel() for p in trained.model.parameters()),
        "budget": "20 steps",
        "step": 20,
        "items": 160,
        "progress": 1.0,
        "finished": True,
        "kept_step": 20,
    }
    json.dumps(summary)
    assert repr(trained) == f"Run('{trained.path}', vae, points)"


def test_settings_that_training_does_not_depend_on_can_change(trained):
    finer = load(trained.path, settings=["vae.flow_steps=40"])
    assert finer.config.vae.flow_steps == 40
    assert not np.array_equal(finer.sample(8).data, trained.sample(8).data)
    with pytest.raises(UsageError, match="keeps the settings") as error:
        load(trained.path, settings=["vae.flow_steps=40", "vae.beta=2"])
    assert error.value.where == "--set vae.beta=2"


def test_a_domain_that_ectype_does_not_bring_must_be_given(trained):
    with pytest.raises(UsageError, match="the domain “points”") as error:
        ectype.load(trained.path)
    assert "domain=" in str(error.value.hint)


def test_no_run_and_no_weights(copy):
    (copy / "model.safetensors").unlink()
    with pytest.raises(UsageError, match="no weights yet"):
        load(copy)
    with pytest.raises(UsageError, match="no such run"):
        load(copy / "nothing")


def test_weights_that_lack_entries(copy):
    weights = load_file(copy / "model.safetensors")
    removed = min(name for name in weights if name.startswith("decoder"))
    del weights[removed]
    save_file(weights, copy / "model.safetensors")
    run = load(copy)
    with pytest.raises(UsageError, match=f"lack 1 entries, {removed} among them"):
        run.sample(1)


def test_only_what_sampling_needs_is_exported(trained):
    weights = load_file(trained.path / "model.safetensors")
    assert {name.split(".")[0] for name in weights} == {
        "encoder",
        "decoder",
        "likelihood",
        "prior",
        "label_share",
    }
    labels = np.bincount(ring(200)[1], minlength=8) / 200
    np.testing.assert_allclose(weights["label_share"], labels, atol=0.05)
