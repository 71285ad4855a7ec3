"""Of whole runs: which weights the files hold, and that scoring moves nothing else."""

import json

import pytest
import torch
from safetensors.torch import load_file

import ectype
from ectype.domains.base import PrepareOptions
from ectype.measures.frechet import frechet_distance
from ectype.training import trainer as trainer_module
from ectype.training.selection import SEED, FrechetScore, Selection
from tests.contract.points import Points, ring
from tests.training.game import Notes, differing
from tests.training.interruption import SETTINGS


class DiedError(Exception):
    """Stands for a killed process."""


TINY = {**SETTINGS, "vae.autoencoder_share": 0.5}
SOURCE = ring(600)[0]
families = pytest.mark.parametrize("family", ["gan", "vae"])


def fit(out, family, *, source=SOURCE, reporter=None, select="frechet"):
    return ectype.fit(
        source,
        model=family,
        steps=10,
        out=out,
        domain=Points(),
        settings={**TINY, "training.select": select},
        device="cpu",
        reporter=reporter,
    )


def state_after(run):
    """All training state at the end, but what the selection itself remembers."""
    folder = run.path / "checkpoints/step-000000010"
    tensors = load_file(folder / "state.safetensors")
    return {name: tensor for name, tensor in tensors.items() if not name.startswith("best.")}


@families
def test_scoring_moves_nothing_else(family, tmp_path):
    torch.manual_seed(3)
    with_scores = fit(tmp_path / "with", family)
    drawn = torch.get_rng_state()
    torch.manual_seed(3)
    without = fit(tmp_path / "without", family, select="last")
    assert torch.equal(drawn, torch.get_rng_state())
    last = [(run.path / "last.safetensors").read_bytes() for run in (with_scores, without)]
    assert last[0] == last[1]
    assert (without.path / "model.safetensors").read_bytes() == last[1]
    states = [state_after(run) for run in (with_scores, without)]
    assert differing(*states) == []
    scores = [
        json.loads(line)["measures"]
        for run in (with_scores, without)
        for line in run.folder.log.read_text().splitlines()
    ]
    assert any(scores)


@families
@pytest.mark.parametrize("kept", [6, 8, 10])
def test_the_files_hold_what_is_said(family, kept, tmp_path, monkeypatch):
    """With a score that is lowest at a given step."""
    copies = {}

    def consider(self, step, clock, in_place, original=Selection.consider):
        monkeypatch.setattr(FrechetScore, "__call__", lambda score: 1.0 if step == kept else 2.0)
        with in_place():
            copies[step] = {name: w.detach().clone() for name, w in self.weights().items()}
        return original(self, step, clock, in_place)

    monkeypatch.setattr(Selection, "consider", consider)
    told = Notes()
    run = fit(tmp_path / "run", family, reporter=told)
    assert differing(load_file(run.path / "model.safetensors"), copies[kept]) == []
    assert differing(load_file(run.path / "last.safetensors"), copies[10]) == []
    assert differing(copies[6], copies[10])
    assert run.summary()["kept_step"] == kept
    assert told.notes[-1].startswith(
        "kept the last weights" if kept == 10 else f"kept the weights of step {kept} (Fréchet 1 in"
    )
    if family == "vae":
        assert min(copies) == 6, "not before the prior has begun to learn, at half of the budget"


@families
@pytest.mark.parametrize("stop", [2, 3, 7, 9])
def test_a_killed_run_keeps_the_same(family, stop, tmp_path):
    straight = fit(tmp_path / "straight", family)
    play = trainer_module.Trainer.round

    def fail_or_play(self, progress):
        if self.step == stop:
            raise DiedError
        play(self, progress)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer_module.Trainer, "round", fail_or_play)
        with pytest.raises(DiedError):
            fit(tmp_path / "run", family)
    resumed = fit(tmp_path / "run", family)
    for name in ("model.safetensors", "last.safetensors"):
        assert (resumed.path / name).read_bytes() == (straight.path / name).read_bytes()
    assert resumed.folder.kept_step() == straight.folder.kept_step()


def test_the_score_of_a_run_is_the_one_of_its_weights(tmp_path):
    """What the log says can be had again from the files, to the last digit."""
    run = fit(tmp_path / "run", "gan")
    lines = [json.loads(line) for line in run.folder.log.read_text().splitlines()]
    last = lines[-1] if lines[-1]["measures"] else lines[-2]
    assert last["step"] == 10
    run.folder.weights.write_bytes(run.folder.last_weights.read_bytes())
    dataset = Points().prepare(SOURCE, None, PrepareOptions(seed=0))
    held_out = dataset.items[dataset.parts["validation"]]
    again = frechet_distance(
        ectype.load(run.path, domain=Points()).sample(60, seed=SEED).data, held_out
    )
    assert last["measures"] == {"frechet values": pytest.approx(again, rel=1e-9)}


def test_where_there_is_too_little_to_choose_by(tmp_path):
    told = Notes()
    few = fit(tmp_path / "few", "gan", source=ring(400)[0], reporter=told)
    assert "the last weights are kept: 40 validation items say too little" in told.notes
    assert few.summary()["kept_step"] == 10
    told = Notes()
    fit(tmp_path / "last", "gan", reporter=told, select="last")
    assert not any("kept" in note for note in told.notes)
