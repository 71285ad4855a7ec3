"""What is said of items that were read."""

import numpy as np

from ectype.domains.base import Part, Reject
from ectype.domains.notes import first_rejects, part_note, reject_note


def parts(train, validation, test) -> dict[Part, np.ndarray]:
    sizes: dict[Part, int] = {"train": train, "validation": validation, "test": test}
    return {name: np.arange(size) for name, size in sizes.items()}


def test_rejects_are_told_apart_from_duplicates():
    broken, double = Reject("a", "it is truncated"), Reject("b", "a duplicate of c")
    assert reject_note([]) == ""
    assert reject_note([broken] * 1200) == "Left out: 1,200 cannot be used."
    assert reject_note([broken, double, double]) == (
        "Left out: 1 cannot be used and 2 are duplicates."
    )


def test_the_first_rejects_are_named_and_the_others_counted():
    rejects = [Reject(f"{number}.png", "it is empty") for number in range(5)]
    assert first_rejects(rejects[:1]) == "0.png: it is empty"
    assert first_rejects(rejects[:3]).endswith("; 2.png: it is empty")
    assert first_rejects(rejects).endswith("; 2.png: it is empty; and 2 more")


def test_the_parts_are_told_with_where_they_come_from():
    assert part_note(parts(1200, 30, 60), "rows") == (
        "1,200 rows to train on, 30 for choices in training (validation), 60 held out for "
        "evaluation (test)."
    )
    given: list[Part | None] = [None, "test", "test"]
    assert part_note(parts(9, 1, 2), "texts", given).endswith("(test); test as the data prescribe.")
    assert part_note(parts(1, 0, 1), "clips").endswith("(test); too few for held-out parts.")
    assert part_note(parts(50, 0, 0), "clips").endswith("(test).")
