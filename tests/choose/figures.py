"""Figures and findings as a comparison would have them."""

from ectype.choose.candidates import Candidate
from ectype.choose.state import Rung, State, Trial
from ectype.measures.measure import Measure


def measures(frechet=100.0, coverage=0.5, *, spread=0.0, copied=0.0, n=500):
    """What `judge` gives; the floors are 50 and 1. `spread` is the intervals' half width."""

    def around(value):
        return (value * (1 - spread), value * (1 + spread))

    return {
        "frechet": Measure(
            value=frechet,
            better="lower",
            n=n,
            floor=50.0,
            interval=around(frechet),
            features="values",
        ),
        "coverage": Measure(
            value=coverage, better="higher", n=n, floor=1.0, interval=around(coverage)
        ),
        "near_copies": Measure(
            value=copied, better="lower", n=n, floor=0.0, interval=(copied, copied)
        ),
    }


def trial(frechet=100.0, *, seconds=10.0, speed=1000.0, weights=1_000_000, **figures):
    return Trial(
        run="somewhere",
        seconds=seconds,
        measures=measures(frechet, **figures),
        items_per_second=speed,
        weight_bytes=weights,
        samples="somewhere.png",
    )


def failed(why="it diverged", *, seconds=10.0):
    return Trial(run="somewhere", seconds=seconds, failure=why)


def state(*rungs, winner=None):
    """A comparison of gan, gan-free, vae and vae-wide with these rungs, name → trial each."""
    names = ("gan", "vae", "gan-free", "vae-wide")
    return State(
        asked={"budget": {"seconds": 1200.0, "steps": None}, "seed": 0, "labels": "auto"},
        fingerprint="abc",
        settings=[],
        n=500,
        candidates=[
            Candidate(
                name=name, family="gan" if name.startswith("gan") else "vae", about=f"about {name}"
            )
            for name in names
        ],
        rungs=[
            Rung(seconds=next(iter(rung.values())).seconds, names=list(rung), trials=dict(rung))
            for rung in rungs
        ],
        winner=winner,
    )
