import errno
import os
import sys
from pathlib import Path

import pytest

from ectype import files
from ectype.errors import StorageError
from ectype.files import storage_error, write_whole
from tests.training.disk import Disk, ProcessDiedError


@pytest.mark.parametrize("content", ["text – ü", b"\x00\xff", "", b""])
def test_content_is_written(content, tmp_path):
    path = tmp_path / "deep" / "er" / "file"
    write_whole(path, content)
    assert path.read_bytes() == (content.encode() if isinstance(content, str) else content)
    write_whole(path, "next")
    assert path.read_text() == "next"
    assert [p.name for p in path.parent.iterdir()] == ["file"]


def steps_of_a_write(folder) -> int:
    with pytest.MonkeyPatch.context() as patch:
        disk = Disk(patch, folder)
        write_whole(folder / "counted", "old")
        write_whole(folder / "counted", "old")
    assert disk.steps >= 8
    return disk.steps // 2


def test_a_process_that_dies_at_any_step_leaves_the_old_or_the_new(tmp_path):
    path = tmp_path / "file"
    left = []
    for fail_at in range(steps_of_a_write(tmp_path)):
        write_whole(path, "old content")
        with pytest.MonkeyPatch.context() as patch:
            Disk(patch, tmp_path, fail_at)
            with pytest.raises(ProcessDiedError):
                write_whole(path, "new content")
        left.append(path.read_text())
    assert left == sorted(left, reverse=True)
    assert set(left) == {"old content", "new content"}


@pytest.mark.skipif(sys.platform != "linux", reason="asks the system for names of open files")
def test_what_is_renamed_has_reached_the_disk(monkeypatch, tmp_path):
    """Flushed before the rename, and the folder after it: a power cut loses neither."""
    done = []
    for name in ("fsync", "replace"):
        function = getattr(os, name)

        def call(target, *rest, name=name, function=function):
            if name == "fsync":
                path = str(Path(f"/proc/self/fd/{target}").readlink())
            else:
                path = os.fspath(target)
            done.append((name, path.replace(str(tmp_path), "").replace(str(os.getpid()), "PID")))
            return function(target, *rest)

        monkeypatch.setattr(os, name, call)
    write_whole(tmp_path / "file", "content")
    temporary = "/.file.PID.tmp"
    assert done == [("fsync", temporary), ("replace", temporary), ("fsync", "")]


def test_a_full_disk_leaves_the_old_file_and_no_litter(tmp_path):
    path = tmp_path / "file"
    for fail_at in range(steps_of_a_write(tmp_path) - 2):
        write_whole(path, "old")
        with pytest.MonkeyPatch.context() as patch:
            Disk(patch, tmp_path, fail_at, full=True)
            with pytest.raises(StorageError, match=r"the disk is full: 2\.5 MB") as error:
                write_whole(path, bytes(2_500_000))
        assert error.value.where == str(path)
        assert {p.name for p in tmp_path.iterdir()} == {"file", "counted"}


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "the disk is full"),
        (errno.EACCES, "Permission denied"),
        (errno.EROFS, "Read-only file system"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_the_reason_is_said(number, message, tmp_path):
    error = storage_error(OSError(number, os.strerror(number)), tmp_path / "file", 10)
    assert message in error.message
    assert error.exit_code == 2
    assert "what was saved before is whole" in str(error.hint)


def test_other_errors_stay_what_they_are(monkeypatch, tmp_path):
    monkeypatch.setattr(files, "flush_folder", lambda folder: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_whole(tmp_path / "file", "content")
