"""Runs that are killed at a chosen moment, from inside, by the signal that nothing can catch.

`python -m tests.training.interruption FOLDER FAMILY MOMENT…` trains to the end once, counting the
calls that Python makes. Then, for each moment (a share of those calls), it trains in a process
that gets SIGKILL there, and in a second one that goes on. It prints one JSON object: per moment
which step was saved when the process died, and whether the weights are those of the first run.
Calls count from the beginning of training, the saves included.

Processes are forked from one that has loaded torch but computed nothing, which saves seconds each.
"""

import json
import os
import signal
import sys
from pathlib import Path

import torch

import ectype
import ectype.fitting
import ectype.training.planning
from ectype.folder import RunFolder
from ectype.training.trainer import Trainer
from tests.contract.points import Points, ring

STEPS = 10
SETTINGS = {
    "training.capacity": 1,
    "training.batch": 8,
    "training.checkpoint_seconds": 0.0,
    "gan.latent": 4,
    "vae.latent": 4,
    "vae.prior": "flow",
    "vae.flow_steps": 1,
}


def train(out: Path, family, kill_at: int | None) -> int:
    """Fit, or go on with a fit; returns how many calls Python made. Dies at call `kill_at`."""
    calls = 0

    def count(frame, event, argument):
        nonlocal calls
        calls += 1
        if calls == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    run = Trainer.run

    def counted_run(self):
        sys.setprofile(count)
        run(self)
        sys.setprofile(None)

    Trainer.run = counted_run
    ectype.fit(
        ring(600),  # enough held out for weights to be scored
        model=family,
        steps=STEPS,
        out=out,
        domain=Points(),
        settings=SETTINGS,
        device="cpu",
    )
    return calls


def in_a_process(function, *arguments) -> tuple[int, int]:
    """Call in a forked process; returns the process's status and what the function returned."""
    reader, writer = os.pipe()
    process = os.fork()
    if not process:
        status = 1
        try:
            os.write(writer, str(function(*arguments)).encode())
            status = 0
        finally:
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader) as answer:
        returned = answer.read()
    return os.waitpid(process, 0)[1], int(returned or 0)


def main(folder: Path, family: str, moments: list[float]) -> None:
    straight = folder / "straight"
    torch.optim.AdamW([torch.nn.Parameter(torch.empty(1))])  # loads what it needs only now
    status, calls = in_a_process(train, straight, family, None)
    assert status == 0
    weights = (straight / "model.safetensors").read_bytes()
    results = []
    for number, moment in enumerate(moments):
        out = folder / str(number)
        killed, _ = in_a_process(train, out, family, max(1, round(moment * calls)))
        saved = RunFolder(out).spent()["step"]
        ended, _ = in_a_process(train, out, family, None)
        model = out / "model.safetensors"
        results.append(
            {
                "moment": moment,
                "killed": os.WIFSIGNALED(killed) and os.WTERMSIG(killed) == signal.SIGKILL,
                "saved": saved,
                "ended": ended == 0,
                "equal": model.exists() and model.read_bytes() == weights,
            }
        )
    print(json.dumps({"calls": calls, "results": results}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], [float(moment) for moment in sys.argv[3:]])
