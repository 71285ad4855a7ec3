"""The cache keeps whole entries only, whatever happens to processes and disks."""

import json
import os
import resource
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from ectype.domains import cache as cache_module
from ectype.domains.cache import ArrayWriter, Cache, default_folder, key_of
from ectype.errors import StorageError


def writes(text: str, calls: list[str] | None = None):
    def build(folder: Path) -> None:
        (folder / "content.txt").write_text(text)
        if calls is not None:
            calls.append(text)

    return build


def test_an_entry_is_built_once(tmp_path):
    calls: list[str] = []
    cache = Cache(tmp_path)
    first = cache.entry("key", writes("a", calls))
    second = cache.entry("key", writes("b", calls))
    assert first == second
    assert (second / "content.txt").read_text() == "a"
    assert calls == ["a"]


@pytest.mark.parametrize("damage", ["cut", "changed", "gone", "no manifest", "bad manifest"])
def test_a_damaged_entry_is_built_anew(tmp_path, damage):
    cache = Cache(tmp_path)
    folder = cache.entry("key", writes("content" * 1000))
    file = folder / "content.txt"
    match damage:
        case "cut":
            os.truncate(file, 100)
        case "changed":
            file.write_text("CONTENT" + file.read_text()[7:])
        case "gone":
            file.unlink()
        case "no manifest":
            (folder / "entry.json").unlink()
        case "bad manifest":
            (folder / "entry.json").write_text("[1, 2")
    folder = cache.entry("key", writes("new"))
    assert (folder / "content.txt").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_a_build_that_fails_leaves_nothing(tmp_path):
    def build(folder: Path) -> None:
        (folder / "half").write_text("half")
        raise KeyError("a defect")

    with pytest.raises(KeyError):
        Cache(tmp_path).entry("key", build)
    assert list(tmp_path.iterdir()) == []


def test_two_builders_at_once_agree(tmp_path):
    cache = Cache(tmp_path)

    def slow_build(folder: Path) -> None:
        cache.entry("key", writes("the quicker one"))
        (folder / "content.txt").write_text("the slower one")

    folder = cache.entry("key", slow_build)
    assert (folder / "content.txt").read_text() == "the quicker one"
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_what_was_used_longest_ago_goes_first(tmp_path, monkeypatch):
    monkeypatch.setattr(cache_module, "LIMIT_BYTES", 2500)
    cache = Cache(tmp_path)
    for age, key in ((30, "old"), (20, "used"), (10, "young")):
        folder = cache.entry(key, writes("x" * 600))
        past = time.time() - age
        os.utime(folder / "entry.json", (past, past))
    cache.entry("used", writes("never"))
    cache.entry("large", writes("x" * 1200))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["large", "used"]


def test_remains_of_killed_builders_are_cleared_after_a_day(tmp_path):
    for name, age in ((".building-old", 100_000), (".building-new", 10)):
        (tmp_path / name).mkdir()
        past = time.time() - age
        os.utime(tmp_path / name, (past, past))
    Cache(tmp_path).entry("key", writes("a"))
    assert sorted(path.name for path in tmp_path.iterdir()) == [".building-new", "key"]


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path):
    def build(folder: Path) -> None:
        with ArrayWriter(folder / "items.npy", (1000, 1000)) as writer:
            writer.append(np.zeros((1, 1000, 1000), np.uint8))

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(StorageError, match="the disk is full") as error:
            Cache(tmp_path).entry("key", build)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert "data.cache" in str(error.value.hint)
    assert list(tmp_path.iterdir()) == []


def test_a_cache_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="cannot be written"):
        Cache(tmp_path / "file" / "cache").entry("key", writes("a"))


def test_the_folder_follows_the_environment(monkeypatch):
    monkeypatch.delenv("ECTYPE_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert default_folder() == Path("/somewhere/ectype")
    monkeypatch.setenv("ECTYPE_CACHE", "/elsewhere")
    assert default_folder() == Path("/elsewhere")


def test_keys_tell_every_part_apart():
    assert key_of(1, "2") != key_of("1", 2)
    assert key_of({"a": 1, "b": 2}) == key_of({"b": 2, "a": 1})


def test_an_array_grows_as_it_is_written(tmp_path):
    rng = np.random.default_rng(0)
    batches = [rng.integers(0, 255, (n, 3, 2), np.uint8) for n in (1, 999, 100_000)]
    with ArrayWriter(tmp_path / "a.npy", (3, 2)) as writer:
        for batch in batches:
            writer.append(batch)
    mapped = np.load(tmp_path / "a.npy", mmap_mode="r")
    np.testing.assert_array_equal(mapped, np.concatenate(batches))


def test_a_manifest_lists_every_file(tmp_path):
    folder = Cache(tmp_path).entry("key", writes("a"))
    assert list(json.loads((folder / "entry.json").read_text())) == ["content.txt"]
