import itertools

import numpy as np
import pytest
import torch

from tests.training.game import batches

NUMBERS = np.arange(100, dtype=np.float32)[:, None]


def drawn(source, n):
    return torch.cat([source.next().x for _ in range(n)]).flatten().int().tolist()


@pytest.mark.parametrize("size", [1, 7, 10, 100, 250])
def test_every_epoch_is_a_permutation(size):
    index = np.arange(10, 80)
    source = batches(size, NUMBERS, index=index)
    assert len(source) == 70
    seen = drawn(source, -(-4 * 70 // size))
    epochs = [seen[start : start + 70] for start in range(0, 280, 70)]
    assert all(sorted(epoch) == index.tolist() for epoch in epochs)
    assert all(a != b for a, b in itertools.pairwise(epochs)), "reshuffled every time"


@pytest.mark.parametrize("size", [1, 7, 70, 250])
def test_every_batch_is_of_its_size(size):
    source = batches(size, NUMBERS, index=np.arange(70))
    assert {len(source.next().x) for _ in range(30)} == {size}
    assert source.drawn == 30 * size


@pytest.mark.parametrize("skipped", [0, 1, 9, 10, 33])
def test_the_order_depends_on_the_seed_and_what_was_drawn(skipped):
    straight = drawn(batches(7, NUMBERS, seed=3), 60)
    resumed = batches(7, NUMBERS, seed=3)
    resumed.drawn = 7 * skipped
    assert drawn(resumed, 60 - skipped) == straight[7 * skipped :]
    other_size = drawn(batches(5, NUMBERS, seed=3), 84)
    assert other_size == straight
    assert drawn(batches(7, NUMBERS, seed=4), 60) != straight


def test_looking_back_does_not_disturb_the_order():
    source = batches(30, NUMBERS)
    expected = drawn(batches(30, NUMBERS), 8)
    assert drawn(source, 4) == expected[:120]
    list(source.in_order(50))
    source.at(torch.tensor([3]))
    assert source.drawn == 120
    assert drawn(source, 4) == expected[120:]


@pytest.mark.parametrize(("most", "size"), [(1000, 512), (70, 16), (20, 16), (1, 1)])
def test_each_item_once(most, size):
    index = np.arange(70)
    source = batches(8, NUMBERS, index=index, seed=1)
    blocks = [batch.x for batch in source.in_order(most, size)]
    seen = torch.cat(blocks).flatten().int().tolist()
    assert len(seen) == len(set(seen)) == min(most, 70)
    assert set(seen) <= set(index.tolist())
    assert {len(block) for block in blocks[:-1]} <= {size}
    source.next()
    again = torch.cat([batch.x for batch in source.in_order(most, size)])
    assert again.flatten().int().tolist() == seen


def test_labels_go_along():
    labels = np.arange(100) // 10
    source = batches(9, NUMBERS, labels=labels)
    for batch in (*(source.next() for _ in range(20)), *source.in_order(40)):
        assert batch.label is not None
        assert batch.label.dtype == torch.int64
        assert torch.equal(batch.label, batch.x.flatten().long() // 10)
    assert batches(9, NUMBERS).next().label is None


def test_items_come_in_the_network_form():
    items = np.arange(50, dtype=np.uint8)[:, None]
    items.setflags(write=False)  # as a memory map is
    source = batches(4, items, to_network=lambda x: x.float() / 127.5 - 1)
    batch = source.next()
    assert batch.x.dtype == torch.float32
    plain = batches(4, items).next().x
    torch.testing.assert_close(batch.x, plain.float() / 127.5 - 1)


def test_batches_are_copies(tmp_path):
    np.save(tmp_path / "items.npy", NUMBERS)
    mapped = np.load(tmp_path / "items.npy", mmap_mode="r")
    source = batches(100, mapped)
    batch = source.next().x
    batch.zero_()
    assert sorted(drawn(source, 1)) == list(range(100))
