"""What `fit` decides: begin, go on, extend, leave alone or refuse."""

import dataclasses
import itertools
import json
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import ectype
from ectype.config import Budget
from ectype.domains.base import Reject
from ectype.errors import UsageError
from ectype.fitting import default_folder, differences, versions
from ectype.folder import RunFolder
from ectype.request import parse_budget
from ectype.training import clock as clock_module
from ectype.training import trainer as module
from tests.contract.points import Points, ring
from tests.training.game import Notes

POINTS = ring(100)[0]
TINY = {"training.capacity": 1, "training.batch": 4, "gan.latent": 3}


class Fitting:
    """`ectype.fit` of a tiny GAN into `run`; `told` is what the last one had to say."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.told = Notes()

    def __call__(self, source=POINTS, *, out="run", settings=(), **asked):
        self.told = Notes()
        return ectype.fit(
            source,
            **{"model": "gan", "domain": Points(), "device": "cpu", **asked},
            out=self.folder / out,
            settings={**TINY, **dict(settings)},
            reporter=self.told,
        )


@pytest.fixture
def fit(tmp_path):
    return Fitting(tmp_path)


@pytest.fixture
def clock(monkeypatch):
    """A time that goes on by a twentieth of a second whenever training looks at it."""
    now = itertools.count()
    for each in (module, clock_module):
        monkeypatch.setattr(each, "time", SimpleNamespace(perf_counter=lambda: 0.05 * next(now)))


class DiedError(Exception):
    pass


@contextmanager
def dying_at(step: int):
    """Within it, training fails at a step; what was saved until then remains."""
    play = module.Trainer.round

    def fail_or_play(self, progress):
        if self.step == step:
            raise DiedError
        play(self, progress)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module.Trainer, "round", fail_or_play)
        with pytest.raises(DiedError):
            yield


def state_of(folder: Path) -> dict[str, tuple[int, int]]:
    """Which files there are, and when each was last written."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"]
    return {str(p.relative_to(folder)): (p.stat().st_ino, p.stat().st_mtime_ns) for p in files}


def config_of(run) -> dict:
    return json.loads((run.path / "config.json").read_text())


def test_a_finished_run_is_left_as_it_is(fit, monkeypatch):
    run = fit(steps=2)
    before = state_of(run.path)
    monkeypatch.setattr(module.Trainer, "run", lambda self: pytest.fail("it trained"))
    for again in ({"steps": 2}, {}, {"steps": 2, "device": "auto"}):
        assert fit(**again).path == run.path
        assert any("is finished" in note for note in fit.told.notes)
    assert state_of(run.path) == before


def test_an_unfinished_run_goes_on_with_its_own_budget(fit, tmp_path):
    straight = fit(steps=6, out="straight")
    with dying_at(4):
        fit(steps=6, settings={"training.checkpoint_seconds": 0.0})
    run = fit(settings={"training.checkpoint_seconds": 0.0})
    assert run.finished
    assert "going on from step 4" in fit.told.notes
    assert json.loads((tmp_path / "run/events.jsonl").read_text()) == {
        "event": "resumed",
        "step": 4,
        "what": "going on from step 4",
    }
    weights = [load_file(r.path / "model.safetensors") for r in (run, straight)]
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())


def test_more_time_extends(clock, fit):
    run = fit(budget="2s")
    first, spent = config_of(run), run.folder.spent()
    weights = (run.path / "model.safetensors").read_bytes()
    longer = fit(budget="+1s")
    assert longer.finished
    assert longer.config.budget == Budget(seconds=3)
    assert longer.folder.spent()["step"] > spent["step"]
    assert (run.path / "model.safetensors").read_bytes() != weights
    content = config_of(longer)
    assert content["asked"] == first["asked"], "the first call, made again, is still accepted"
    assert {k: v for k, v in content.items() if k != "resolved"} == {
        k: v for k, v in first.items() if k != "resolved"
    }
    steps = [json.loads(line)["step"] for line in run.folder.log.read_text().splitlines()]
    assert steps == sorted(steps)
    before = state_of(run.path)
    for budget in ("2s", "3s", None):
        assert fit(budget=budget).finished
    assert state_of(run.path) == before
    with pytest.raises(UsageError, match="budget 2s → 4s"):
        fit(budget="4s")


@pytest.mark.parametrize("budget", ["+10s", "+1h"])
def test_what_cannot_be_extended(budget, fit, tmp_path):
    with pytest.raises(UsageError, match="there is no run to extend"):
        fit(budget=budget)
    assert not RunFolder(tmp_path / "run").exists()
    run = fit(steps=2)
    before = state_of(run.path)
    with pytest.raises(UsageError, match="counts steps cannot be extended by a time"):
        fit(budget=budget)
    assert state_of(run.path) == before


def test_a_run_does_not_go_on_with_other_data(fit, tmp_path):
    with dying_at(2):
        fit(steps=4, settings={"training.checkpoint_seconds": 0.0})
    before = state_of(tmp_path / "run")
    with pytest.raises(UsageError, match="the data are not those") as error:
        fit(POINTS + 0.5, steps=4, settings={"training.checkpoint_seconds": 0.0})
    assert "--new" in str(error.value.hint)
    assert state_of(tmp_path / "run") == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 1}, "seed 0 → 1"),
        ({"model": "vae"}, "family gan → vae"),
        ({"labels": "none"}, "labels auto → none"),
        ({"settings": {"gan.loss": "hinge"}}, "gan.loss relativistic → hinge"),
        ({"settings": {"gan.gamma": 3}}, r"gan.gamma None → 3\.0"),
        ({"steps": 4}, "budget 2 steps → 4 steps"),
        ({"budget": "10m", "steps": None}, "budget 2 steps → 10m"),
    ],
)
def test_what_was_changed_is_named(changes, message, fit, tmp_path):
    fit(steps=2)
    before = state_of(tmp_path / "run")
    with pytest.raises(UsageError, match=message) as error:
        fit(**{"steps": 2, **changes})
    assert error.value.where == str(tmp_path / "run")
    assert state_of(tmp_path / "run") == before


def test_new_puts_the_old_run_aside(fit, tmp_path):
    old = state_of(fit(steps=2).path)
    fit(steps=2, seed=1, new=True)
    assert state_of(tmp_path / "run-old-1") == old
    assert any("run-old-1" in note for note in fit.told.notes)
    with RunFolder(tmp_path / "run").lock(), pytest.raises(UsageError, match="another process"):
        fit(steps=2, seed=2, new=True)
    assert not (tmp_path / "run-old-2").exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"settings": {"gan.los": "hinge"}},
        {"start": "nowhere"},
        {"budget": "+10m", "steps": None},
    ],
)
def test_new_moves_nothing_for_a_call_that_cannot_be_carried_out(wrong, fit, tmp_path):
    old = state_of(fit(steps=2).path)
    with pytest.raises(UsageError):
        fit(**{"steps": 2, "new": True, **wrong})
    assert state_of(tmp_path / "run") == old
    assert not (tmp_path / "run-old-1").exists()


def test_damaged_weights_are_written_anew_once_they_are_deleted(fit):
    run = fit(steps=2)
    whole = run.folder.weights.read_bytes()
    run.folder.weights.write_bytes(whole[:100])
    with pytest.raises(UsageError, match="damaged") as error:
        ectype.load(run.path, domain=Points(), device="cpu").sample(1)
    assert "delete this file and run `ectype fit` again" in str(error.value)
    run.folder.weights.unlink()
    assert fit(steps=2).folder.weights.read_bytes() == whole


def test_what_was_decided_is_written_down(fit):
    run = fit(steps=2, model="auto")
    content = config_of(run)
    assert content["asked"]["family"] == "auto"
    assert content["resolved"]["family"] == run.config.family in ("gan", "vae")
    assert content["versions"] == versions()
    assert content["device"] == "cpu"
    assert len(content["fingerprint"]) == 64
    bare = {"training.capacity": "auto", "training.batch": "auto"}
    run = fit(steps=1, out="bare", settings=bare)
    training = config_of(run)["resolved"]["training"]
    assert training["capacity"] == Points.default_capacity
    assert training["batch"] > 0
    assert any(f"capacity {Points.default_capacity}" in note for note in fit.told.notes)
    assert fit(steps=1, out="bare", settings=bare).finished


def test_versions_are_those_installed():
    found = versions()
    assert found["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert found["numpy"] == np.__version__
    assert set(found) == {"python", "ectype", "torch", "numpy", "pillow"}


class Picky(Points):
    """Points of which a dozen could not be read."""

    def prepare(self, source, settings, options):
        dataset = super().prepare(source, settings, options)
        rejects = [Reject(f"point {i}", "it is odd") for i in range(12)]
        return dataclasses.replace(dataset, rejects=rejects, notes=["12 points are odd"])


def test_what_was_left_out_is_told_and_kept(fit):
    run = fit(steps=1, domain=Picky())
    assert config_of(run)["rejects"][11] == {"item": "point 11", "reason": "it is odd"}
    told = [note for note in fit.told.notes if "left out" in note]
    assert told == [f"left out: point {i}: it is odd" for i in range(10)]
    assert "12 points are odd" in fit.told.notes
    assert any(note.startswith("… and 2 more") for note in fit.told.notes)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({}, {}, []),
        ({"a": 1, "b": {"c": 2}}, {"a": 1, "b": {"c": 2}}, []),
        ({"a": 1}, {"a": 2}, ["a 1 → 2"]),
        ({"b": {"c": {"d": 1, "e": 2}}}, {"b": {"c": {"d": 1, "e": 3}}}, ["b.c.e 2 → 3"]),
        ({"a": 1}, {"b": 2}, ["a 1 → None", "b None → 2"]),
        ({"a": {"b": 1}}, {"a": None}, ["a {'b': 1} → None"]),
        ({"z": 1, "a": 1}, {"z": 2, "a": 2}, ["a 1 → 2", "z 1 → 2"]),
    ],
)
def test_differences(old, new, expected):
    assert differences(old, new) == expected


@pytest.mark.parametrize(
    ("budget", "steps", "expected"),
    [
        (None, None, (Budget(seconds=600), False)),
        ("90s", None, (Budget(seconds=90), False)),
        (12.5, None, (Budget(seconds=12.5), False)),
        ("+1h", None, (Budget(seconds=3600), True)),
        (" +10s ", None, (Budget(seconds=10), True)),
        (None, 7, (Budget(steps=7), False)),
    ],
)
def test_budgets(budget, steps, expected):
    assert parse_budget(budget, steps) == expected


@pytest.mark.parametrize(
    ("budget", "steps", "message"),
    [
        ("10m", 5, "either a time or a number of steps"),
        (None, 0, "more than nothing"),
        (None, -3, "more than nothing"),
        ("0s", None, "more than nothing"),
        ("-10s", None, "is no duration"),
        ("soon", None, "“soon” is no duration"),
        ("+", None, "is no duration"),
    ],
)
def test_budgets_that_make_no_sense(budget, steps, message):
    with pytest.raises(UsageError, match=message):
        parse_budget(budget, steps)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("photos", "runs/photos"),
        ("some/where/photos/", "runs/photos"),
        (Path("photos.tar.gz"), "runs/photos"),
        (POINTS, "runs/data"),
    ],
)
def test_the_default_folder(source, expected):
    assert default_folder(source) == Path(expected)


def test_the_default_folder_of_here(tmp_path, monkeypatch):
    (tmp_path / "photos").mkdir()
    monkeypatch.chdir(tmp_path / "photos")
    assert default_folder(".") == Path("runs/photos")


def test_an_impossible_likelihood_is_refused(tmp_path):
    greys = np.random.default_rng(0).integers(0, 256, (30, 8, 8, 1), np.uint8)
    settings = {"vae.likelihood": "bernoulli", "data.cache": str(tmp_path / "cache")}
    call = {"model": "vae", "steps": 1, "out": tmp_path / "run", "settings": settings}
    with pytest.raises(UsageError, match="impossible under the likelihood “bernoulli”"):
        ectype.fit(greys, **call)
    assert not (tmp_path / "run").exists()
    black_and_white = np.where(greys > 127, np.uint8(255), np.uint8(0))
    assert ectype.fit(black_and_white, **call).finished
