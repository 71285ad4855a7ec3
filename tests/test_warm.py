"""`fit --from RUN`: what a run takes over from an earlier one, and what it says about it."""

import dataclasses
import json
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import ectype
from ectype.domains.base import PrepareOptions
from ectype.domains.image.domain import ImageDomain
from ectype.errors import InterruptedRun, UsageError
from ectype.run import make_model
from ectype.warm import hand_over
from tests.contract.points import Points, ring
from tests.contract.test_contract import StopAt, assert_same_weights, pictures, weights
from tests.training.game import Notes

TINY = {"training.capacity": 4, "training.batch": 8, "gan.latent": 6, "vae.latent": 6}
LABELLED = (pictures(40, 12, 12, 3), np.arange(40) % 2)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ECTYPE_CACHE", str(tmp_path / "cache"))


def fit(out: Path, source: Any = LABELLED, *, settings: Any = (), steps: int = 2, **asked: Any):
    return ectype.fit(source, steps=steps, out=out, settings=settings, device="cpu", **asked)


@pytest.fixture(params=["gan", "vae"])
def family(request):
    return request.param


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run of each family; no test may change them."""
    place = tmp_path_factory.mktemp("earlier")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ECTYPE_CACHE", str(place / "cache"))
        return {f: fit(place / f, model=f, settings=TINY) for f in ("gan", "vae")}


@pytest.fixture
def earlier(runs, family):
    return runs[family]


def trained(run) -> dict[str, torch.Tensor]:
    """The averaged weights of a run, and for what has none those of its checkpoint."""
    [state] = run.path.glob("checkpoints/*/state.safetensors")
    last = {k.removeprefix("model."): v for k, v in load_file(state).items()}
    return {**last, **weights(run)}


def fresh(run, source: Any):
    """A model like a run's with other weights, for other pictures, and its labels."""
    domain = ImageDomain()
    spec = domain.prepare(source, domain.Settings(), PrepareOptions()).spec
    return make_model(dataclasses.replace(run.config, seed=1), spec, domain), spec.labels


def given(run, source: Any):
    """What a model of other pictures held before and holds after, and what was said."""
    model, labels = fresh(run, source)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    said = hand_over(str(run.path), run.domain, model, labels)
    return before, model.state_dict(), said


def test_all_weights_are_taken_where_the_data_are_alike(earlier, family):
    before, after, said = given(earlier, LABELLED)
    expected = trained(earlier)
    networks = {"gan": ("generator", "discriminator"), "vae": ("encoder", "decoder", "likelihood")}
    networks = networks[family]
    for name, value in after.items():
        if name.startswith(networks):
            assert torch.equal(value, expected[name]), name
        else:  # what follows from the data
            assert torch.equal(value, before[name]), name
    assert "step 2" in said[0]
    for network in networks:
        number = sum(name.startswith(f"{network}.") for name in after)
        assert f"{network} {number} of {number} tensors" in said[0]
    assert len(said) == 1


def test_what_depends_on_labels_or_size_is_learned_anew_and_said(earlier):
    unlabelled = pictures(40, 12, 12, 3)
    _, after, said = given(earlier, unlabelled)
    expected = trained(earlier)
    assert "labels" not in " ".join(after)
    kept = [k for k in after if k in expected and after[k].shape == expected[k].shape]
    kept = [k for k in kept if k != "label_share"]
    assert len(kept) > 10
    assert all(torch.equal(after[k], expected[k]) for k in kept if not k.startswith("prior"))
    assert "trunk.enter.weight (" in said[1]  # a label's embedding no longer goes in

    larger = (pictures(40, 24, 24, 3), np.arange(40) % 2)
    before, after, said = given(earlier, larger)
    changed = [k for k in after if not torch.equal(after[k], before[k])]
    misfits = [k for k in after if k in expected and after[k].shape != expected[k].shape]
    assert changed
    assert misfits
    assert not {*changed} & {*misfits}
    assert said[1].startswith("not taken over, so learned anew: ")


def test_labels_keep_their_places(runs):
    names = np.array(["cat", "dog"])[np.arange(40) % 2]
    _, _, said = given(runs["gan"], (LABELLED[0], names))
    assert said[-1] == "labels keep their places: “cat” begins as what “0” was, and so on"


def test_without_a_checkpoint_only_what_sampling_needs_is_taken(runs, tmp_path):
    place = shutil.copytree(runs["gan"].path, tmp_path / "earlier")
    shutil.rmtree(place / "checkpoints")
    run = ectype.load(place)
    before, after, said = given(run, LABELLED)
    for name, value in after.items():
        if name.startswith("discriminator"):
            assert torch.equal(value, before[name])
    assert "discriminator 0 of" in said[0]
    assert "(not in that run)" in said[1]


def test_shapes_are_those_of_the_earlier_run(earlier, family, tmp_path):
    larger = pictures(40, 16, 16, 3)  # brought to the size that was learned
    notes = Notes()
    run = fit(
        tmp_path / "new", larger, start=earlier.path, reporter=notes, settings={"data.test": 0.3}
    )
    assert run.config.family == family
    assert run.config.training.capacity == 4
    assert getattr(run.config, family).latent == 6
    assert run.spec.shape == (12, 12, 3)
    content = json.loads((run.path / "config.json").read_text())
    assert content["asked"]["start"] == content["resolved"]["start"] == str(earlier.path)
    events = [json.loads(line) for line in (run.path / "events.jsonl").read_text().splitlines()]
    assert events[0]["event"] == "started"
    assert events[0]["what"] in notes.notes
    assert f"model: {family} (that of the run to start from)" in notes.notes
    assert "nearer_to_train" in run.evaluate(n=12), "its data are known again"
    own = fit(tmp_path / "own", larger, start=earlier.path, settings=["data.size=16"])
    assert own.spec.shape == (16, 16, 3)


@pytest.mark.parametrize("key", ["training.capacity", "latent"])
def test_other_shapes_are_refused(earlier, family, tmp_path, key):
    key = key if "." in key else f"{family}.{key}"
    with pytest.raises(UsageError, match=f"{key} is {TINY[key]} in the run to start from"):
        fit(tmp_path / "new", start=earlier.path, settings={key: 32})
    assert not (tmp_path / "new").exists()
    assert fit(tmp_path / "new", start=earlier.path, settings={key: TINY[key]}).finished


def test_a_default_that_was_given_is_not_passed_over(runs, tmp_path):
    with pytest.raises(UsageError, match="is 6 in the run to start from"):
        fit(tmp_path / "new", start=runs["gan"].path, settings={"gan.latent": 64})


def test_training_begins_with_the_weights(runs, tmp_path):
    earlier = runs["gan"]
    still = {"gan.learning_rate": 1e-30}
    run = fit(tmp_path / "new", start=earlier.path, settings=still, steps=1)
    for name, value in trained(run).items():
        if name.startswith("discriminator"):
            # a weight of 0 moves by that rate
            torch.testing.assert_close(value, trained(earlier)[name], atol=1e-29, rtol=0)
        elif name.startswith("generator") and "running" not in name and "num" not in name:
            torch.testing.assert_close(value, trained(earlier)[name], atol=1e-5, rtol=0)


def test_an_interrupted_run_goes_on_without_the_earlier_one(runs, tmp_path, monkeypatch):
    earlier = shutil.copytree(runs["gan"].path, tmp_path / "earlier")
    straight = fit(tmp_path / "straight", start=earlier, steps=8)
    monkeypatch.setattr("ectype.training.telling.TICK_SECONDS", 0.0)
    stop = StopAt(3, signal.SIGINT)
    with pytest.raises(InterruptedRun):
        fit(tmp_path / "cut", start=earlier, steps=8, reporter=stop)
    earlier.rename(tmp_path / "elsewhere")
    resumed = fit(tmp_path / "cut", start=earlier, steps=8)
    assert_same_weights(weights(straight), weights(resumed))
    with pytest.raises(UsageError, match=r"start .*earlier → None"):
        fit(tmp_path / "cut", steps=8)


def test_what_cannot_be_a_start_is_refused(runs, tmp_path):
    gan = runs["gan"]
    points = fit(tmp_path / "points", ring(100)[0], domain=Points(), model="gan", settings=TINY)
    with pytest.raises(UsageError, match="a run cannot start from itself"):
        fit(gan.path, start=gan.path, new=True)
    assert gan.path.exists()
    with pytest.raises(UsageError, match="a vae cannot start from a gan"):
        fit(tmp_path / "new", start=gan.path, model="vae")
    with pytest.raises(UsageError, match="of the domain “points” is no start for data of"):
        fit(tmp_path / "new", start=points.path)
    with pytest.raises(UsageError, match="there is no such run"):
        fit(tmp_path / "new", start=tmp_path / "nothing")
