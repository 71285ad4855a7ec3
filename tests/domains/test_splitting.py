"""Parts are drawn once, by group, and always alike."""

import numpy as np
import pytest

from ectype.domains.base import Part
from ectype.domains.splitting import (
    connected,
    dissolve_giants,
    group_names,
    joined_by_path,
    split,
)
from ectype.errors import UsageError


def sizes(parts):
    return tuple(len(parts[name]) for name in ("train", "validation", "test"))


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (1, (1, 0, 0)),
        (2, (1, 0, 1)),
        (3, (1, 1, 1)),
        (12, (10, 1, 1)),
        (1_000, (850, 50, 100)),
        (120_000, (108_000, 2_000, 10_000)),
    ],
)
def test_sizes(count, expected):
    parts = split([str(i) for i in range(count)])
    assert sizes(parts) == expected
    assert sorted(np.concatenate(list(parts.values()))) == list(range(count))


def test_groups_stay_together():
    keys = [str(i // 7) for i in range(700)]
    parts = split(keys)
    seen = [{keys[i] for i in indices} for indices in parts.values()]
    assert sum(map(len, seen)) == 100
    assert 60 <= len(parts["test"]) <= 70
    assert 30 <= len(parts["validation"]) <= 35


def test_the_same_items_land_in_the_same_part_in_any_order():
    keys = [f"item {i}" for i in range(500)]
    order = np.random.default_rng(0).permutation(500)
    plain, shuffled = split(keys), split([keys[i] for i in order])
    for name, indices in plain.items():
        assert {keys[i] for i in indices} == {keys[order[i]] for i in shuffled[name]}


def test_another_seed_gives_other_parts():
    keys = [str(i) for i in range(500)]
    assert set(split(keys, seed=0)["test"]) != set(split(keys, seed=1)["test"])


def test_most_items_stay_where_they_were_when_some_are_added():
    before = {str(i) for i in split([str(i) for i in range(1_000)])["test"]}
    after = {str(i) for i in split([str(i) for i in range(1_020)])["test"]}
    assert len(before & after) >= 95


def test_a_group_larger_than_a_part_stays_in_train():
    keys = ["giant"] * 50 + [str(i) for i in range(50)]
    parts = split(keys)
    assert set(range(50)) <= set(parts["train"])
    assert sizes(parts) == (85, 5, 10)


def test_where_every_group_is_too_large_the_smallest_is_taken():
    keys = ["a"] * 50 + ["b"] * 30 + ["c"] * 20
    parts = split(keys)
    assert sizes(parts) == (50, 30, 20)


def test_one_group_is_train():
    assert sizes(split(["a"] * 10)) == (10, 0, 0)


def test_shares_of_nothing():
    assert sizes(split([str(i) for i in range(100)], validation=0, test=0)) == (100, 0, 0)


def test_every_label_is_in_train():
    keys = [str(i) for i in range(200)]
    held_out = split(keys)
    labels = np.zeros(200, np.int64)
    labels[held_out["test"][:3]] = 1
    labels[held_out["validation"][0]] = 2
    parts = split(keys, labels=labels)
    assert set(labels[parts["train"]]) == {0, 1, 2}
    assert sizes(parts) == (172, 9, 19)


def test_given_parts_are_kept():
    keys = [str(i) for i in range(100)]
    given: list[Part | None] = ["test" if index >= 80 else None for index in range(100)]
    parts = split(keys, given=given)
    assert list(parts["test"]) == list(range(80, 100))
    assert sizes(parts) == (76, 4, 20)


def test_connected_joins_through_others():
    assert connected(6, [(1, 2), (4, 2), (3, 5)]).tolist() == [0, 1, 1, 3, 1, 3]


def test_giants_are_taken_apart_and_others_kept():
    groups = np.array([0] * 40 + [40, 40, 42] + list(range(43, 100)))
    result = dissolve_giants(groups)
    assert len(set(result[:40])) == 40
    assert result[40] == result[41] != result[42]


def test_few_items_of_one_group_are_taken_apart():
    assert len(set(dissolve_giants(np.zeros(5, np.int64)))) == 5


def test_a_group_is_named_alike_in_any_order():
    groups = np.array([0, 1, 0, 1])
    hashes = np.array([[3], [9], [1], [4]], np.uint8)
    assert group_names(groups, hashes) == ["01", "04", "01", "04"]
    assert group_names(np.array([0, 1, 0, 1]), hashes[::-1].copy()) == ["04", "01", "04", "01"]


def test_paths_that_match_alike_join_the_groups_of_both():
    names = ["kick-1.wav", "kick-2.wav", "snare-1.wav", "hat-1.wav"]
    groups = np.array([0, 1, 2, 2])
    with pytest.raises(UsageError, match="puts all items into 2 groups"):
        joined_by_path(groups, names, "[a-z]+", has_paths=True)
    joined = joined_by_path(np.arange(4), names, "[a-z]+", has_paths=True)
    assert joined.tolist() == [0, 0, 2, 3]
