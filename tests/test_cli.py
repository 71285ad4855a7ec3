import dataclasses
import json
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from ectype import cli
from ectype.domains.base import Dataset, Reject, Spec
from ectype.errors import (
    DataError,
    DivergedError,
    EctypeError,
    InterruptedRun,
    StorageError,
    UsageError,
)
from ectype.evaluating import Evaluation
from ectype.inspecting import Inspection
from ectype.measures.measure import Measure
from ectype.report import Report
from ectype.report.verdict import Verdict

COMMON = {"--set", "--json"}
FLAGS = {
    "inspect": {"DATA", "--budget"},
    "fit": {
        "DATA",
        "--model",
        "--budget",
        "--steps",
        "--out",
        "--seed",
        "--labels",
        "--domain",
        "--from",
        "--device",
        "--new",
    },
    "sample": {"RUN", "-n", "--out", "-o", "--seed", "--label", "--temperature", "--where"},
    "reconstruct": {"RUN", "DATA", "--out", "-o"},
    "interpolate": {"RUN", "--out", "-o"},
    "compare": {
        "DATA",
        "--budget",
        "--out",
        "--seed",
        "--labels",
        "--domain",
        "--device",
        "--new",
    },
    "evaluate": {"RUN", "DATA", "-n"},
    "check": set(),
    "settings": {"PREFIX"},
    "demo": {"KIND", "--new"},
}


class FakeSamples:
    rejects = (Reject("broken.png", "it is cut off"),)
    tally = None

    def save(self, folder):
        return [Path(folder) / "0.png", Path(folder) / "grid.png"]


@dataclass
class FakeRun:
    """What the command line needs of a run."""

    path: Path
    calls: list

    @property
    def folder(self):
        return SimpleNamespace(samples=self.path / "samples")

    def summary(self):
        return {
            "family": "vae",
            "parameters": 1234,
            "items": 5000,
            "seconds": 61.0,
            "finished": True,
        }

    def sample(self, n, **rest):
        self.calls.append(("sample", n, rest))
        return FakeSamples()

    def reconstruct(self, source):
        self.calls.append(("reconstruct", source))
        return FakeSamples()

    def interpolate(self):
        self.calls.append(("interpolate",))
        return FakeSamples()


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run that every call of the API gives back; its `calls` say what was asked."""
    fake = FakeRun(tmp_path, [])

    def fit(source, **asked):
        asked.pop("reporter").close()
        fake.calls.append(("fit", source, asked))
        return fake

    monkeypatch.setattr("ectype.fitting.fit", fit)
    monkeypatch.setattr("ectype.run.load", lambda path, **_: fake)
    return fake


@pytest.fixture
def inspection(monkeypatch):
    dataset = Dataset(
        spec=Spec(domain="image", shape=(8, 8, 1), labels=("cat", "dog")),
        items=np.zeros((5, 8, 8, 1), np.uint8),
        labels=np.array([0, 0, 0, 1, 1]),
        parts={"train": np.arange(4), "validation": np.array([4]), "test": np.array([], int)},
        fingerprint="abc",
        rejects=[Reject(f"[bad]-{i}.png", "it is empty") for i in range(25)],
        notes=["all items are grey"],
    )
    found = Inspection(dataset, ["train a VAE for 10m"])
    monkeypatch.setattr("ectype.inspecting.inspect", lambda source, **asked: found)
    return found


def answer(capsys, *arguments, code=0):
    """Run a command line with `--json` and return what it printed."""
    assert cli.execute([*arguments, "--json"]) == code
    printed = capsys.readouterr().out
    assert len(printed.splitlines()) == 1, "one JSON object and nothing else"
    return json.loads(printed)


def failing(monkeypatch, error):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr("ectype.fitting.fit", fail)


def flags_of(command):
    arguments = cli.app[command].assemble_argument_collection()
    return {name for argument in arguments for name in argument.names if name != "*"}


def test_commands_and_flags_do_not_creep():
    commands = {name for name in cli.app if not name.startswith("-")}
    assert {name: flags_of(name) - COMMON for name in commands} == FLAGS
    assert all(flags_of(name) >= COMMON for name in commands)


def test_help_loads_nothing_heavy():
    code = """
import sys
from ectype import cli
for command in [[], *([name] for name in cli.app if not name.startswith("-"))]:
    assert cli.execute([*command, "--help"]) == 0
heavy = {"torch", "numpy", "PIL", "safetensors", "ectype.fitting"} & set(sys.modules)
sys.exit(f"loaded {heavy}" if heavy else 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for word in FLAGS:
        assert f"Usage: ectype {word}" in done.stdout


def test_version(capsys):
    assert cli.execute(["--version"]) == 0
    assert capsys.readouterr().out.strip() == metadata.version("ectype")


def test_fit_passes_on_what_was_asked(run, capsys):
    values = answer(
        capsys,
        *("fit", "photos", "--model", "gan", "--budget", "+10m", "--out", "r", "--new"),
        *("--set", "gan.loss=hinge", "--set", "training.batch=8", "--seed", "3"),
        *("--from", "earlier"),
    )
    [(_, source, asked)] = run.calls
    assert source == "photos"
    assert asked == {
        "model": "gan",
        "budget": "+10m",
        "steps": None,
        "out": Path("r"),
        "seed": 3,
        "labels": "auto",
        "domain": None,
        "start": Path("earlier"),
        "device": "auto",
        "new": True,
        "settings": ("gan.loss=hinge", "training.batch=8"),
    }
    assert values["run"] == str(run.path)
    assert values["finished"] is True
    assert values["preview"] is None


def test_fit_ends_with_what_to_do_next(run, capsys):
    (run.path / "samples").mkdir()
    (run.path / "samples" / "real.png").touch()
    (run.path / "samples" / "step-10.png").touch()
    assert cli.execute(["fit", "photos"]) == 0
    printed = capsys.readouterr().out
    assert str(run.path) in printed
    assert str(run.path / "samples" / "step-10.png") in printed
    assert f"ectype sample {run.path} -n 64 -o samples" in printed


def test_sample(run, capsys):
    values = answer(
        capsys,
        *("sample", "r", "-n", "5", "-o", "out", "--seed", "2"),
        *("--label", "cat", "--temperature", "0.8"),
    )
    asked = {"seed": 2, "label": "cat", "temperature": 0.8, "where": None}
    assert run.calls == [("sample", 5, asked)]
    assert [Path(file) for file in values["files"]] == [Path("out/0.png"), Path("out/grid.png")]


def test_reconstruct_names_what_it_left_out(run, capsys):
    values = answer(capsys, "reconstruct", "r", "photos", "--out", "out")
    assert run.calls == [("reconstruct", "photos")]
    assert values["rejects"] == [{"item": "broken.png", "reason": "it is cut off"}]


def test_interpolate(run, capsys):
    assert answer(capsys, "interpolate", "r", "-o", "out")["files"]
    assert run.calls == [("interpolate",)]


def test_compare_passes_on_what_was_asked_and_says_what_to_use(tmp_path, monkeypatch, capsys):
    calls = []
    found = SimpleNamespace(
        folder=tmp_path,
        winner=SimpleNamespace(path=tmp_path / "winner"),
        features="efficientnet-lite0@128",
        table=(("candidate", "after 43s"), [("vae", "1.50×"), ("gan", "2.10×")]),
        advice=Verdict("Use vae: it is it.", ("It comes nearest.",), ("They overlap.",)),
        to_json=lambda: {"winner": "vae"},
    )

    def compare(source, **asked):
        asked.pop("reporter").close()
        calls.append((source, asked))
        return found

    monkeypatch.setattr("ectype.choose.comparing.compare", compare)
    line = ["compare", "photos", "--budget", "1h", "--out", "o", "--seed", "3", "--new"]
    assert answer(capsys, *line, "--set", "gan.loss=hinge") == {"winner": "vae"}
    assert calls == [
        (
            "photos",
            {
                "budget": "1h",
                "out": Path("o"),
                "seed": 3,
                "labels": "auto",
                "domain": None,
                "device": "auto",
                "new": True,
                "settings": ("gan.loss=hinge",),
            },
        )
    ]
    assert cli.execute(["compare", "photos"]) == 0
    page = capsys.readouterr().out
    order = ("vae", "gan", "Use vae", "It comes nearest.", "They overlap.", "ectype sample")
    assert [*order] == sorted(order, key=page.index)


@pytest.fixture
def evaluation(monkeypatch, run):
    """What every evaluation finds; `run.calls` say what was asked."""
    measures = {
        "frechet": Measure(
            value=40, floor=20, interval=(38.2, 41.8), better="lower", n=500, features="pixels"
        ),
        "nearer_to_train": Measure(value=0.52, floor=0.5, better="0.5", n=500, features="pixels"),
        "active_units": Measure(value=7, better="higher", n=500),
    }
    report = Report(
        name="photos",
        domain="image",
        family="vae",
        n=500,
        held_out_n=400,
        features="pixels",
        measures=measures,
        facts={},
        settings={},
    )
    found = Evaluation(report=report, folder=run.path)

    def evaluate(asked, source, *, n, reporter):
        reporter.close()
        run.calls.append(("evaluate", asked, source, n))
        return found

    monkeypatch.setattr("ectype.evaluating.evaluate", evaluate)
    return found


def test_evaluate_passes_on_what_was_asked(evaluation, run, capsys):
    assert answer(capsys, "evaluate", "r", "unseen", "-n", "500") == evaluation.to_json()
    answer(capsys, "evaluate", "r")
    assert run.calls == [("evaluate", run, "unseen", 500), ("evaluate", run, None, None)]


def test_evaluate_says_the_verdict_first_and_every_figure_after_it(evaluation, run, capsys):
    assert cli.execute(["evaluate", "r"]) == 0
    lines = capsys.readouterr().out.splitlines()
    verdict = evaluation.report.verdict
    assert lines[0] == verdict.headline
    assert [line.strip() for line in lines[1 : 1 + len(verdict.sentences)]] == [*verdict.sentences]
    rows = [line.split() for line in lines]
    assert ["frechet", "40.0", "20.0", "38.2", "to", "41.8", "lower", "500", "pixels"] in rows
    assert ["active_units", "7.000", "–", "–", "higher", "500"] in rows
    assert lines[-1] == f"The report is {run.path / 'report.html'}"


def test_inspect_plans_for_the_budget(inspection, monkeypatch, capsys):
    def asked(source, *, budget, settings):
        return dataclasses.replace(inspection, plan=[f"train a VAE for {budget}"])

    monkeypatch.setattr("ectype.inspecting.inspect", asked)
    assert answer(capsys, "inspect", "photos", "--budget", "2m")["plan"] == ["train a VAE for 2m"]
    assert answer(capsys, "inspect", "photos")["plan"] == ["train a VAE for None"]


def test_inspect_page(inspection, capsys):
    assert cli.execute(["inspect", "photos"]) == 0
    page = capsys.readouterr().out
    assert "photos: image data, 5 items of 8×8×1 (4 train, 1 validation, 0 test)" in page
    assert "2 labels: cat (3), dog (2)" in page
    assert "25 left out:\n  [bad]-0.png: it is empty\n" in page
    assert "[bad]-19.png" in page
    assert "[bad]-20.png" not in page
    assert "and 5 more" in page
    assert "all items are grey" in page
    assert "train a VAE for 10m" in page


def test_inspect_json_has_everything(inspection, capsys):
    values = answer(capsys, "inspect", "photos")
    assert values == inspection.to_json()
    assert len(values["rejects"]) == 25


def test_settings_lists_what_set_takes(capsys):
    rows = answer(capsys, "settings")["settings"]
    keys = {row["key"] for row in rows}
    assert {"gan.loss", "vae.prior", "training.batch"} <= keys
    assert any(key.startswith("data.") for key in keys)
    assert all(row["doc"] for row in rows)
    (latent,) = (row for row in rows if row["key"] == "vae.latent")
    assert latent["default"] == "128"
    assert latent["doc"].endswith("(64 for audio, 8 for table, 32 for text)")


def test_settings_below_a_prefix_and_changed(capsys):
    rows = answer(capsys, "settings", "gan.lo", "--set", "gan.loss=hinge")["settings"]
    assert [(row["key"], row["default"]) for row in rows] == [("gan.loss", "hinge")]
    (row,) = answer(capsys, "settings", "vae.latent", "--set", "vae.latent=5")["settings"]
    assert row["doc"] == "length of a latent vector"  # it is what was asked for, of all data
    assert cli.execute(["settings", "xyzzy"]) == 0
    assert "No setting begins with “xyzzy”" in capsys.readouterr().out


def test_settings_of_data_are_those_of_the_kinds_that_have_them(capsys):
    rows = answer(capsys, "settings", "data.size", "--set", "data.size=64")["settings"]
    assert {"data.size": "64"}.items() <= {row["key"]: row["default"] for row in rows}.items()
    answer(capsys, "check", "--set", "data.size=64", "--set", "data.columns.age=integer")
    error = answer(capsys, "settings", "--set", "data.siz=64", code=2)["error"]
    assert error["message"] == "there is no setting “data.siz”"


def test_check(capsys):
    values = answer(capsys, "check", "--set", "training.precision=fp32")
    assert values["precision"] == "float32"
    assert {"ectype", "torch", "python", "threads", "cache", "image_features"} <= set(values)
    assert cli.execute(["check"]) == 0
    assert values["torch"] in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "code", "name"),
    [
        (UsageError("no", hint="do this"), 2, "usage"),
        (StorageError("full"), 2, "storage"),
        (DataError("nothing", where="photos"), 3, "data"),
        (DivergedError("lost"), 4, "diverged"),
        (InterruptedRun("saved", signal_number=2), 130, "interrupted"),
        (InterruptedRun("saved", signal_number=15), 143, "interrupted"),
        (EctypeError("ours"), 1, "defect"),
    ],
)
def test_errors_of_ectype_are_exit_codes(error, code, name, monkeypatch, capsys):
    failing(monkeypatch, error)
    assert answer(capsys, "fit", "photos", code=code) == {
        "error": {
            "code": name,
            "message": error.message,
            "where": error.where,
            "hint": error.hint,
        }
    }
    assert cli.execute(["fit", "photos"]) == code
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == f"ectype: {error}\n"


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ("fti photos", 'Unknown command "fti".', 'did you mean "fit"?'),
        ("fit photos --budgt 3m", "Unknown option: --budgt.", "did you mean --budget?"),
        ("fit photos --model gam", 'Invalid value "gam" for --model', 'did you mean "gan"?'),
        ("fit", "DATA", "`ectype fit --help` shows what it takes"),
        ("fit --data photos", "--data", "`ectype fit --help` shows what it takes"),
        ("fit photos more", "this is more than the command takes: more", "`ectype fit --help`"),
        ("sample r -n many -o out", "-n", "`ectype sample --help`"),
        ("sample r", "--out", "`ectype sample --help`"),
    ],
)
def test_wrong_usage_says_what_was_probably_meant(line, message, hint, run, capsys):
    error = answer(capsys, *line.split(), code=2)["error"]
    assert error["code"] == "usage"
    assert message in error["message"]
    assert error["hint"].startswith(hint)
    assert not run.calls


def test_a_defect_says_so_and_shows_the_traceback(monkeypatch, capsys):
    failing(monkeypatch, ZeroDivisionError("division by zero"))
    assert cli.execute(["fit", "photos", "--json"]) == 1
    told = capsys.readouterr()
    error = json.loads(told.out)["error"]
    assert error["code"] == "defect"
    assert "this is a defect of ectype: ZeroDivisionError: division by zero" in error["message"]
    assert "Traceback" in told.err


def test_a_refused_write_is_no_defect(monkeypatch, capsys):
    failing(monkeypatch, NotADirectoryError(20, "Not a directory", "afile/run"))
    error = answer(capsys, "fit", "photos", code=2)["error"]
    assert (error["code"], error["where"]) == ("storage", "afile/run")
    assert error["message"] == "a file could not be written: Not a directory"


def test_interruption_outside_training(monkeypatch, capsys):
    failing(monkeypatch, KeyboardInterrupt())
    assert answer(capsys, "fit", "photos", code=130)["error"]["code"] == "interrupted"


def test_a_reader_that_has_seen_enough_is_no_error():
    line = f"{sys.executable} -m ectype settings | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True)
    assert done.stderr == ""
    assert done.returncode in (0, 141), "0 if all was written before the reader left"
