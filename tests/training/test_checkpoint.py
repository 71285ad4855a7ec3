import hashlib
import json

import pytest
import torch

from ectype.errors import StorageError
from ectype.training.checkpoint import Checkpoint, Checkpoints
from tests.training.disk import Disk, ProcessDiedError


def checkpoint(number: int) -> Checkpoint:
    tensors = {
        "a.weight": torch.arange(6.0).reshape(2, 3) + number,
        "scalar": torch.tensor(float(number)),
        "half": torch.full((3,), number / 3, dtype=torch.bfloat16),
        "bytes": torch.arange(5, dtype=torch.uint8),
    }
    values = {"step": number, "names": ["x", "y"], "seconds": 0.1 + number, "progress": 0.5}
    return Checkpoint(tensors, {**values, "kept": number - 1})


def assert_equal(found: Checkpoint | None, expected: Checkpoint) -> None:
    assert found is not None
    assert found.values == expected.values
    assert found.tensors.keys() == expected.tensors.keys()
    for name, tensor in expected.tensors.items():
        assert found.tensors[name].dtype == tensor.dtype
        assert torch.equal(found.tensors[name], tensor)


def saved(folder, *numbers: int, keep: int = 2) -> Checkpoints:
    checkpoints = Checkpoints(folder, keep)
    for number in numbers:
        checkpoints.save(number, checkpoint(number))
    return checkpoints


def test_what_was_saved_comes_back(tmp_path):
    saved(tmp_path / "c", 7)
    found, passed_over = Checkpoints(tmp_path / "c").latest()
    assert_equal(found, checkpoint(7))
    assert passed_over == []


def test_nothing_before_the_first(tmp_path):
    assert Checkpoints(tmp_path / "c").latest() == (None, [])
    assert not (tmp_path / "c").exists()


def test_tensors_that_are_views_or_lie_otherwise_in_memory(tmp_path):
    kernel = torch.rand(2, 3, 3, 3).contiguous(memory_format=torch.channels_last)
    tensors = {"row": torch.rand(3, 4)[1], "turned": torch.rand(3, 4).T, "kernel": kernel}
    checkpoint = Checkpoint(tensors, {"seconds": 1.0, "progress": 0.5, "kept": 1})
    Checkpoints(tmp_path).save(1, checkpoint)
    assert_equal(Checkpoints(tmp_path).latest()[0], checkpoint)


def test_the_manifest_says_size_and_hash_of_every_file(tmp_path):
    checkpoints = saved(tmp_path, 1, 2)
    manifest = json.loads(checkpoints.manifest.read_text())
    assert [entry["step"] for entry in manifest] == [1, 2]
    for entry in manifest:
        files = {path.name: path.read_bytes() for path in (tmp_path / entry["name"]).iterdir()}
        assert entry["files"] == {
            name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in files.items()
        }


@pytest.mark.parametrize("keep", [1, 2, 3])
def test_older_ones_go(keep, tmp_path):
    saved(tmp_path, 1, 2, 3, 4, keep=keep)
    left = sorted(path.name for path in tmp_path.iterdir())
    names = [f"step-{step:09d}" for step in range(5 - keep, 5)]
    assert left == ["manifest.json", *names]


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path):
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize("file", ["state.safetensors", "state.json"])
@pytest.mark.parametrize("damage", [flip, cut, lambda path: path.unlink()])
def test_a_damaged_one_is_passed_over(damage, file, tmp_path):
    checkpoints = saved(tmp_path, 1, 2)
    damage(tmp_path / "step-000000002" / file)
    found, passed_over = checkpoints.latest()
    assert_equal(found, checkpoint(1))
    assert passed_over == [f"checkpoint step-000000002 is damaged ({file})"]
    damage(tmp_path / "step-000000001" / file)
    found, passed_over = checkpoints.latest()
    assert found is None
    assert len(passed_over) == 2


def steps_of_a_save(tmp_path) -> int:
    """How many steps on the disk a save takes that removes an older checkpoint."""
    with pytest.MonkeyPatch.context() as patch:
        disk = Disk(patch, tmp_path)
        saved(tmp_path / "counted", 1, 2)
        before = disk.steps
        saved(tmp_path / "counted", 3)
        steps = disk.steps - before
    assert steps > 10
    return steps


def test_a_process_that_dies_at_any_step_leaves_the_old_or_the_new(tmp_path):
    found_steps = []
    for fail_at in range(steps_of_a_save(tmp_path)):
        folder = tmp_path / str(fail_at)
        saved(folder, 1, 2)
        with pytest.MonkeyPatch.context() as patch:
            Disk(patch, folder, fail_at)
            with pytest.raises(ProcessDiedError):
                saved(folder, 3)
        found, passed_over = Checkpoints(folder).latest()
        assert found is not None
        assert_equal(found, checkpoint(found.values["step"]))
        assert passed_over == []
        found_steps.append(found.values["step"])
        saved(folder, 3)  # whatever lay about does not stand in the way of the next process
        assert_equal(Checkpoints(folder).latest()[0], checkpoint(3))
    assert found_steps == sorted(found_steps)
    assert set(found_steps) == {2, 3}


def test_a_disk_that_is_full_at_any_step(tmp_path):
    refused = 0
    for fail_at in range(steps_of_a_save(tmp_path)):
        folder = tmp_path / str(fail_at)
        saved(folder, 1, 2)
        with pytest.MonkeyPatch.context() as patch:
            Disk(patch, folder, fail_at, full=True)
            error = None
            try:
                saved(folder, 3)
            except StorageError as raised:
                error = raised
        found = Checkpoints(folder).latest()[0]
        assert found is not None
        assert_equal(found, checkpoint(found.values["step"]))
        if error is None:
            assert found.values["step"] == 3
        else:
            refused += 1
            assert "the disk is full" in error.message
            assert str(folder) in str(error.where)
            assert "free some space" in str(error.hint)
        assert not [path for path in folder.rglob("*") if path.name.startswith(".")]
        saved(folder, 3)
        assert_equal(Checkpoints(folder).latest()[0], checkpoint(3))
    assert refused > 8
