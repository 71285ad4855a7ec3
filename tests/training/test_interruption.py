"""A run that is killed, or that meets a full disk, goes on to the same weights."""

import json
import random
import subprocess
import sys

import pytest


@pytest.mark.slow
@pytest.mark.parametrize(("family", "seed"), [("gan", 1), ("vae", 2)])
def test_kill_at_any_moment(family, seed, tmp_path):
    moments = [f"{random.Random(f'{seed} {i}').random():.6f}" for i in range(10)]
    command = [sys.executable, "-m", "tests.training.interruption", str(tmp_path), family]
    done = subprocess.run([*command, *moments], capture_output=True, text=True, check=True)
    results = json.loads(done.stdout)["results"]
    assert len(results) == 10
    wrong = [r for r in results if not (r["killed"] and r["ended"] and r["equal"])]
    assert not wrong, done.stderr
    assert len({r["saved"] for r in results}) >= 4, "the moments lie apart"


FULL = """
import resource, signal, sys
from pathlib import Path
from ectype.errors import StorageError
from ectype.training.trainer import Trainer
from tests.training.interruption import STEPS, train

def allow(most):
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))

play = Trainer.round

def round(self, progress):
    if self.step == full_at:
        allow(4000)
    play(self, progress)

Trainer.round = round
out, family, full_at = Path(sys.argv[1]), sys.argv[2], None
train(out / "straight", family, None)
full_at = STEPS // 2
try:
    train(out / "run", family, None)
except StorageError as error:
    allow(resource.RLIM_INFINITY)
    print(error)
full_at = None
train(out / "run", family, None)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of files are those of POSIX")
@pytest.mark.parametrize("family", ["gan", "vae"])
def test_a_system_that_takes_no_more(family, tmp_path):
    """No simulation: the system itself refuses to let any file grow beyond 4 kB."""
    command = [sys.executable, "-c", FULL, str(tmp_path), family]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "the disk is full" in done.stdout
    assert "what was saved before is whole" in done.stdout
    resumed = json.loads((tmp_path / "run" / "events.jsonl").read_text())
    assert (resumed["event"], resumed["step"]) == ("resumed", 5)
    straight, run = (tmp_path / name / "model.safetensors" for name in ("straight", "run"))
    assert run.read_bytes() == straight.read_bytes()
