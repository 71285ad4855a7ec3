"""Reports and measures that the tests of this folder share."""

import dataclasses
import math
import struct
import wave

import numpy as np
from PIL import Image

from ectype.measures.measure import Better, Measure
from ectype.report import Exhibit, Report

SPACE = "efficientnet-lite0@128"
#: Sign, quotes and tags that must come out as they went in.
NASTY = "<script>alert('x')</script> & \"q\" | *b* `c`"

#: Name → (which way is better, what real data reach).
_REAL: dict[str, tuple[Better, float]] = {
    "frechet": ("lower", 47.4),
    "kid": ("lower", 0.0002),
    "precision": ("higher", 0.903),
    "recall": ("higher", 0.901),
    "density": ("higher", 0.99),
    "coverage": ("higher", 0.965),
    "two_sample_auc": ("0.5", 0.502),
    "diversity": ("higher", 88.2),
    "nearer_to_train": ("0.5", 0.497),
    "near_copies": ("lower", 0.001),
}


def measures(n=5000, **values):
    """A model as good as real data, but for the values that are given; None leaves one out."""
    found = {}
    for name, (better, floor) in _REAL.items():
        value = values.get(name, floor)
        if value is not None:
            narrow = (value - 0.01, value + 0.01)
            found[name] = Measure(
                value=value, better=better, n=n, floor=floor, interval=narrow, features=SPACE
            )
    return found


def change(found, name, **fields):
    """The measures with one of them changed."""
    return {**found, name: dataclasses.replace(found[name], **fields)}


def report(folder, **fields):
    """A report with something of everything, its exhibits' files in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((30, 40, 3), np.uint8)).save(folder / "small.png")
    Image.fromarray(np.zeros((20, 500), np.uint8)).save(folder / "large.png")
    (folder / "words.txt").write_text(f"Åse\n{NASTY}\n", encoding="utf-8")
    with wave.open(str(folder / "tone.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(struct.pack("<80h", *(int(9e3 * math.sin(k / 5)) for k in range(80))))
    exhibits = tuple(
        Exhibit(key=key, title=f"Title of {key}", caption=NASTY, files=files)
        for key, files in {
            "samples": (folder / "small.png",),
            "real": (folder / "large.png",),
            "near_copies": (folder / "large.png",),
            "interpolation": (folder / "large.png",),
            "previews": (folder / "small.png", folder / "small.png"),
            "sounds": (folder / "tone.wav", folder / "tone.wav"),
            "texts": (folder / "words.txt",),
        }.items()
    )
    values = {
        "name": NASTY,
        "domain": "image",
        "family": "gan",
        "n": 5000,
        "held_out_n": 5000,
        "features": SPACE,
        "measures": {
            **measures(),
            "stripe_trends": Measure(value=0.8, better="higher", n=5000, note=NASTY),
            "lost": Measure(value=math.nan, better="lower", n=5000, interval=(0.0, math.inf)),
        },
        "facts": {"Data": {"source": NASTY}, NASTY: {NASTY: "1"}},
        "settings": {"seed": 0, "gan": {"loss": NASTY, "gamma": None, "exact": True}},
        "exhibits": exhibits,
        "log": [
            {
                "seconds": 10.0 * k,
                "losses": {"generator/loss": 1 / (k + 1), "critic/<p>": None if k == 3 else 500.0},
            }
            for k in range(40)
        ],
        "events": [{"event": "resumed", "step": 1754}, {"event": NASTY}],
    }
    return Report(**{**values, **fields})
