"""What a trainer leaves behind: its log, its checkpoints, and what it does when things fail."""

import json
import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from ectype.config import Budget
from ectype.errors import StorageError
from ectype.training import telling
from ectype.training.logs import cut
from tests.training.disk import Disk
from tests.training.game import Duel, Notes, differing, make_trainer, weights_of


@pytest.fixture
def every_step(monkeypatch):
    """A tick after every step."""
    monkeypatch.setattr(telling.Meter, "due", True)


def log_of(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """All weights at the end of ten steps that nothing disturbed."""
    trainer = make_trainer(tmp_path_factory.mktemp("straight"))
    trainer.run()
    return weights_of(trainer)


def test_the_log_is_what_was_told(every_step, tmp_path):
    told = Notes()
    make_trainer(tmp_path, reporter=told).run()
    lines = log_of(tmp_path)
    assert [line["step"] for line in lines][:10] == list(range(1, 11))
    assert [line["items"] for line in lines[:10]] == [8 * step for step in range(1, 11)]
    assert [line["progress"] for line in lines[:10]] == [step / 10 for step in range(1, 11)]
    assert [tick.step for tick in told.ticks] == [line["step"] for line in lines]
    seconds = [line["seconds"] for line in lines]
    assert seconds == sorted(seconds)
    assert set(lines[0]["losses"]) == {"left/loss", "right/loss"}


def test_losses_are_means_since_the_tick_before(monkeypatch, tmp_path):
    losses = []

    class Telling(Duel):
        def loss(self, name):
            play = super().loss(name)

            def loss(turn):
                value, _ = play(turn)
                if name == "left":
                    losses.append(value.item())
                return value, {"loss": value}

            return loss

    trainer = make_trainer(tmp_path, Telling())
    for rounds in (3, 1, 4):
        for _ in range(rounds):
            trainer.round(0.5)
        trainer.tick()
    expected = [sum(part) / len(part) for part in (losses[:3], losses[3:4], losses[4:])]
    assert [line["losses"]["left/loss"] for line in log_of(tmp_path)] == pytest.approx(expected)


LINES = [json.dumps({"step": step, "losses": {}}) + "\n" for step in (1, 3, 5, 8)]


@pytest.mark.parametrize(
    ("content", "step", "kept"),
    [
        ("".join(LINES), 5, 3),
        ("".join(LINES), 4, 2),
        ("".join(LINES), 8, 4),
        ("".join(LINES), 0, 0),
        ("".join(LINES[:3]) + LINES[3][:9], 8, 3),
        ("".join(LINES[:3]) + LINES[3][:9], 3, 2),
        ("", 3, 0),
    ],
)
def test_a_log_is_cut_back(content, step, kept, tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text(content)
    cut(path, step)
    assert path.read_text() == "".join(LINES[:kept])


def test_cutting_no_log(tmp_path):
    cut(tmp_path / "log.jsonl", 3)
    assert not (tmp_path / "log.jsonl").exists()


class DiedError(Exception):
    pass


def interrupted(folder, at: int, **settings) -> None:
    """Train until an exception in the given round, as if the process ended there."""

    def on_loss(name, turn):
        if turn.step == at:
            raise DiedError

    with pytest.raises(DiedError):
        make_trainer(folder, Duel(on_loss=on_loss), **settings).run()


@pytest.mark.parametrize("damaged", [0, 1, 2])
def test_going_on_from_the_newest_whole_checkpoint(damaged, every_step, straight, tmp_path):
    interrupted(tmp_path, at=6, checkpoint_seconds=0.0)
    log = (tmp_path / "log.jsonl").open("a")
    log.write('{"step": 7, "lo')
    log.close()
    for step in (6, 5)[:damaged]:
        (tmp_path / f"checkpoints/step-{step:09d}/state.safetensors").write_bytes(b"gone")
    told = Notes()
    trainer = make_trainer(tmp_path, reporter=told)
    assert trainer.resume() == (damaged < 2)
    assert trainer.step == (6, 5, 0)[damaged]
    assert len(told.notes) == damaged
    for note, step in zip(told.notes, (6, 5), strict=False):
        assert f"step-{step:09d} is damaged (state.safetensors)" in note
    trainer.run()
    assert differing(weights_of(trainer), straight) == []
    steps = [line["step"] for line in log_of(tmp_path)]
    assert steps[:10] == list(range(1, 11)), "each step once, none missing"


def assert_all_finite(folder: Path) -> list[int]:
    """Every number in every saved file is finite; returns the saved steps."""
    manifest = json.loads((folder / "checkpoints/manifest.json").read_text())
    for entry in manifest:
        tensors = load_file(folder / "checkpoints" / entry["name"] / "state.safetensors")
        assert [name for name, t in tensors.items() if not t.float().isfinite().all()] == []
    weights = load_file(folder / "model.safetensors")
    assert [name for name, t in weights.items() if not t.float().isfinite().all()] == []
    return [entry["step"] for entry in manifest]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("most", [None, 1.0], ids=["free", "bound"])
def test_a_damaged_state_is_never_saved(value, most, tmp_path):
    asked = {"left": {"max_gradient_norm": most}}

    def on_loss(name, turn):
        return value if (name, turn.step) == ("left", 5) else None

    trainer = make_trainer(tmp_path, Duel(asked, on_loss), checkpoint_seconds=0.0)
    trainer.run()
    assert assert_all_finite(tmp_path) == [4, 5]
    again = make_trainer(tmp_path)
    assert again.resume()
    assert again.step == 5


def test_a_state_that_was_never_well_leaves_nothing(tmp_path):
    trainer = make_trainer(tmp_path, Duel(on_loss=lambda name, turn: math.nan))
    trainer.run()
    assert not (tmp_path / "model.safetensors").exists()
    assert not trainer.checkpoints.manifest.exists()


def test_events_are_shown_and_cut_back_like_the_log(tmp_path):
    notes = Notes()
    trainer = make_trainer(tmp_path, budget=Budget(steps=3), reporter=notes)
    trainer.run()
    trainer.event("first", what="at the checkpoint", facts=1)
    trainer.step += 1
    trainer.event("second", what="after it")
    assert notes.notes == ["at the checkpoint", "after it"]
    assert make_trainer(tmp_path).resume()
    (line,) = (tmp_path / "events.jsonl").read_text().splitlines()
    assert json.loads(line) == {
        "event": "first",
        "step": 3,
        "what": "at the checkpoint",
        "facts": 1,
    }


@pytest.mark.parametrize("fail_at", [0, 1, 2, 3, 5, 7, 9, 11])
def test_a_full_disk_loses_nothing_that_was_saved(fail_at, straight, tmp_path):
    def on_loss(name, turn):
        if (name, turn.step) == ("left", 5):
            disk.fail_at = disk.steps + fail_at

    with pytest.MonkeyPatch.context() as patch:
        disk = Disk(patch, tmp_path / "checkpoints", full=True)
        trainer = make_trainer(tmp_path, Duel(on_loss=on_loss), checkpoint_seconds=0.0)
        with pytest.raises(StorageError, match="the disk is full") as error:
            trainer.run()
    assert error.value.exit_code == 2
    assert "run the same command again" in str(error.value.hint)
    again = make_trainer(tmp_path)
    assert again.resume()
    assert 5 <= again.step <= 6
    again.run()
    assert differing(weights_of(again), straight) == []


def test_saving_where_training_already_was_saved_does_nothing(tmp_path):
    trainer = make_trainer(tmp_path)
    trainer.run()
    manifest = trainer.checkpoints.manifest.stat()
    trainer.save()
    after = trainer.checkpoints.manifest.stat()
    assert (after.st_ino, after.st_mtime_ns) == (manifest.st_ino, manifest.st_mtime_ns)


def test_the_random_state_of_torch_is_kept(tmp_path):
    """A network that draws from torch's own generator, as dropout does, goes on as it was."""
    drawn = {}

    def on_loss(name, turn):
        drawn.setdefault((turn.step, name), []).append(torch.rand(3))

    torch.manual_seed(7)
    make_trainer(tmp_path / "straight", Duel(on_loss=on_loss)).run()
    torch.manual_seed(7)
    interrupted_at = make_trainer(tmp_path / "resumed", Duel(on_loss=on_loss))
    for step in range(4):
        interrupted_at.round(step / 10)
    interrupted_at.save()
    torch.manual_seed(8)
    later = make_trainer(tmp_path / "resumed", Duel(on_loss=on_loss))
    later.resume()
    later.run()
    assert all(torch.equal(a, b) for a, b in drawn.values())
    assert len(drawn) == 20
