import json
import os
import signal
import subprocess
import sys
import textwrap

import pytest

from ectype.config import Budget, Config, to_dict
from ectype.domains.base import NoSettings
from ectype.errors import UsageError
from ectype.folder import RunFolder, load_config

CONFIG = Config(family="gan", domain="points", budget=Budget(steps=3), data=NoSettings())


@pytest.fixture
def folder(tmp_path):
    """A run folder with what a finished run of three steps has in it."""
    folder = RunFolder(tmp_path / "run")
    folder.write_config(CONFIG, CONFIG, fingerprint="abc")
    folder.weights.touch()
    checkpoint(folder, 3)
    return folder


def checkpoint(folder, step, seconds=5.0, progress=1.0):
    folder.manifest.parent.mkdir(parents=True, exist_ok=True)
    entries = [
        {"name": "step-1", "step": 1, "seconds": 0.1, "progress": 0.1},
        {"name": f"step-{step}", "step": step, "seconds": seconds, "progress": progress},
    ]
    folder.manifest.write_text(json.dumps(entries))


class Holder:
    """Another process that holds a run's lock until it is killed or told to end."""

    def __init__(self, path):
        code = """
            import sys
            from ectype.folder import RunFolder
            with RunFolder(sys.argv[1]).lock():
                print("locked", flush=True)
                sys.stdin.readline()
        """
        self.process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code), str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "locked\n"

    def end(self, how):
        """Let it end by itself, or kill it."""
        if how == "kill":
            self.process.kill()
        self.process.communicate("\n" if how == "return" else None)
        return self.process.returncode


@pytest.mark.parametrize(("how", "code"), [("return", 0), ("kill", -signal.SIGKILL)])
def test_only_one_process_writes(how, code, folder):
    holder = Holder(folder.path)
    with pytest.raises(UsageError, match="another process") as error, folder.lock():
        pytest.fail("it was locked")
    assert error.value.where == f"{folder.path}, process {holder.process.pid}"
    folder.require()  # reading needs no lock
    assert folder.finished(CONFIG.budget)
    assert holder.end(how) == code
    with folder.lock():
        assert (folder.path / ".lock").read_text() == str(os.getpid())


def test_the_lock_is_given_back(tmp_path):
    folder = RunFolder(tmp_path / "deep" / "run")

    def fail_while_locked():
        with folder.lock():
            with pytest.raises(UsageError, match="another"), RunFolder(folder.path).lock():
                pytest.fail("it was locked")
            raise ZeroDivisionError

    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            fail_while_locked()


def test_no_empty_folder_stays_behind(tmp_path):
    folder = RunFolder(tmp_path / "run")
    with folder.lock():
        pass
    assert not folder.path.exists()
    with folder.lock():
        folder.log.write_text("")
    assert folder.path.exists()


def test_putting_aside_takes_the_first_free_number(tmp_path):
    places = []
    for number in range(3):
        folder = RunFolder(tmp_path / "run")
        folder.path.mkdir()
        (folder.path / "which").write_text(str(number))
        places.append(folder.put_aside())
    assert [place.name for place in places] == ["run-old-1", "run-old-2", "run-old-3"]
    assert [(place / "which").read_text() for place in places] == ["0", "1", "2"]
    (tmp_path / "run-old-2").rename(tmp_path / "elsewhere")
    (tmp_path / "run").mkdir()
    assert RunFolder(tmp_path / "run").put_aside().name == "run-old-2"


def test_the_configuration_comes_back(tmp_path):
    folder = RunFolder(tmp_path / "run")
    assert not folder.exists()
    resolved = Config(family="vae", domain="points", budget=Budget(seconds=90), data=NoSettings())
    folder.write_config(CONFIG, resolved, fingerprint="abc", versions={"torch": "2"})
    assert folder.exists()
    content = folder.read_config()
    assert load_config(content["asked"], NoSettings) == CONFIG
    assert load_config(content["resolved"], NoSettings) == resolved
    assert (content["fingerprint"], content["versions"]) == ("abc", {"torch": "2"})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"format": 1, "asked"', "damaged"),
        ("", "damaged"),
        (json.dumps({"format": 2}), "this run has format 2, this ectype reads 1"),
        ("{}", "this run has format None"),
    ],
)
def test_a_configuration_that_cannot_be_read(content, message, folder):
    folder.config_file.write_text(content)
    with pytest.raises(UsageError, match=message) as error:
        folder.read_config()
    assert str(folder.path) in str(error.value.where)


def test_settings_of_another_version_are_named():
    values = to_dict(CONFIG)
    values["training"]["batches"] = 3
    with pytest.raises(UsageError, match=r"no setting “training\.batches”") as error:
        load_config(values, NoSettings)
    assert error.value.hint == "did you mean training.batch?"


@pytest.mark.parametrize("others", [0, 2])
def test_what_is_no_run_and_where_runs_are(others, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number in range(others):
        RunFolder(tmp_path / f"run {number}").write_config(CONFIG, CONFIG)
    (tmp_path / "photos").mkdir()
    runs = [str(tmp_path / f"run {number}") for number in range(others)]
    expected = f"runs here: {', '.join(runs)}" if runs else "`ectype fit DATA` makes one"
    for name, message in (("nothing", "no such run"), ("photos", "this folder is no run")):
        with pytest.raises(UsageError, match=message) as error:
            RunFolder(tmp_path / name).require()
        assert error.value.where == str(tmp_path / name)
        assert error.value.hint == expected


def test_a_run_within_the_folder_that_was_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    RunFolder(tmp_path / "runs" / "photos").write_config(CONFIG, CONFIG)
    with pytest.raises(UsageError, match="no run") as error:
        RunFolder(tmp_path / "runs").require()
    assert str(tmp_path / "runs" / "photos") in str(error.value.hint)


def test_a_run_without_weights(folder):
    folder.require()
    folder.weights.unlink()
    with pytest.raises(UsageError, match="no weights yet") as error:
        folder.require()
    assert "let `ectype fit` go on" in str(error.value.hint)


def test_what_was_spent(tmp_path):
    folder = RunFolder(tmp_path / "run")
    assert folder.spent() == {"step": 0, "seconds": 0.0, "progress": 0.0}
    assert not folder.finished(Budget(steps=1))
    folder.manifest.parent.mkdir(parents=True)
    folder.manifest.write_text("[]")
    assert folder.spent()["step"] == 0
    checkpoint(folder, 20, seconds=7.5, progress=0.5)
    assert folder.spent() == {"step": 20, "seconds": 7.5, "progress": 0.5}
    assert folder.finished(Budget(steps=20))
    assert not folder.finished(Budget(steps=21))
    assert folder.finished(Budget(seconds=7.5))
    assert not folder.finished(Budget(seconds=7.6))
