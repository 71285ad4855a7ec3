"""Counting in texts, against slow references and by hand."""

import numpy as np
import pytest

from ectype.errors import UsageError
from ectype.measures import text_features
from ectype.measures.text_features import (
    EMBEDDED,
    SPACE,
    character_n_grams,
    mean_embeddings,
    text_space,
)
from ectype.measures.text_suite import reconstruction_measures, text_measures
from ectype.measures.texts import (
    by_words,
    distinct,
    edit_distances,
    longest_copied,
    self_bleu,
    units,
)


def random_texts(n, longest, letters="abc", seed=0):
    random = np.random.default_rng(seed)
    lengths = random.integers(0, longest + 1, n)
    return ["".join(random.choice([*letters], length)) for length in lengths]


def slow_edits(a, b):
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        last, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (x != y))
    return row[-1]


def test_edit_distances_agree_with_the_textbook():
    first, second = random_texts(60, 9), random_texts(60, 9, seed=1)
    expected = [slow_edits(a, b) for a, b in zip(first, second, strict=True)]
    assert edit_distances(first, second).tolist() == expected
    assert edit_distances(["kitten", "", "数学"], ["sitting", "abc", "数字"]).tolist() == [3, 3, 1]
    assert edit_distances([], []).tolist() == []


def slow_longest(text, train):
    lengths = range(len(text), 0, -1)
    strings = ((n, text[i : i + n]) for n in lengths for i in range(len(text) - n + 1))
    return next((n for n, s in strings if any(s in seen for seen in train)), 0) / len(text)


def test_the_longest_copied_string_is_found():
    texts = [text for text in random_texts(40, 8) if text]
    train = random_texts(12, 8, seed=2)
    expected = [slow_longest(text, train) for text in texts]
    np.testing.assert_allclose(longest_copied(texts, train), expected)
    # a string that only two neighbours hold together is no copy
    assert longest_copied(["abcd"], ["ab", "cd"]).tolist() == [0.5]
    assert longest_copied(["bc"], ["abcd"]).tolist() == [1.0]


def test_distinct_counts_different_strings():
    assert distinct([[*"abab"]], 2) == pytest.approx(2 / 3)  # ab, ba, ab
    assert distinct([[*"ab"], [*"ab"]], 2) == 0.5
    assert distinct([["a"]], 2) == 1.0


def test_self_bleu_by_hand():
    assert self_bleu([[*"abcd"], [*"abcd"]]) == pytest.approx(1)
    # no string of one text is in the other: half a string counts in each of the four
    apart = (0.5 / 4 * 0.5 / 3 * 0.5 / 2 * 0.5 / 1) ** 0.25
    assert self_bleu([[*"abcd"], [*"efgh"]]) == pytest.approx(apart)
    # "aab" and "ab": a counts once, since the other text has it once; 2/3 · 1/2 · (½)/1
    first = (2 / 3 * 1 / 2 * 0.5 / 1) ** (1 / 3)
    assert self_bleu([[*"aab"], [*"ab"]]) == pytest.approx((first + 1) / 2)


def test_words_or_characters():
    assert by_words(["to be or not to be"])
    assert not by_words(["Ada Lovelace"])
    assert not by_words(["生成模型学习数据的分布"])
    assert units(["a b"], True) == [["a", "b"]]
    assert units(["a b"], False) == [["a", " ", "b"]]


def test_features_are_of_short_strings():
    texts = ["anna", "", "joan", "an" * 50, "数学"]
    features = character_n_grams(texts)
    assert features.shape == (5, 256)
    assert np.isfinite(features).all()
    # one by one they are the same: no string spans two texts
    for i, text in enumerate(texts):
        np.testing.assert_array_equal(character_n_grams([text])[0], features[i])
    anna, other, far = character_n_grams(["annabel", "annabell", "zyxwvu"])
    assert np.linalg.norm(anna - other) < np.linalg.norm(anna - far)
    squares = (character_n_grams(random_texts(300, 20, "abcdefgh"))[:, :-1] ** 2).sum(1)
    assert 0.5 < squares.mean() < 2


def test_embeddings_see_what_a_text_is_about():
    dog, puppy, tax, nothing = mean_embeddings(
        ["The dog barked all night.", "A puppy was barking.", "Taxes are due in April.", ""]
    )
    assert cosine(dog, puppy) > 2 * cosine(dog, tax)
    assert not nothing.any()
    # one by one they are the same, in any script
    texts = ["数学", "a longer text, of more pieces", "🙂 مرحبا"]
    together = mean_embeddings(texts)
    for text, row in zip(texts, together, strict=True):
        assert row.any()
        np.testing.assert_array_equal(mean_embeddings([text])[0], row)


def test_embeddings_say_what_they_need(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(text_features, "_wordllama", text_features._wordllama.__wrapped__)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match="needs the package wordllama") as caught:
        mean_embeddings(["a"])
    assert "ectype[text]" in str(caught.value.hint)


@pytest.mark.parametrize("name", [SPACE, EMBEDDED])
def test_spaces_are_named(name: str):
    space = text_space(name, lambda items: [*items])
    assert space.name == name
    assert space.extract(np.array(["ab", "cd"])).shape == (2, space.dim)
    with pytest.raises(ValueError, match="known"):
        text_space("nonsense", lambda items: [])


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_copies_of_training_texts_are_named():
    names = [f"{a}{b}{c}" for a in "bdfgklm" for b in "aeiou" for c in ("nna", "rra", "lto", "ssi")]
    train, held_out = names[::2], names[1::2]
    copied = text_measures(train, held_out, train)
    assert copied["verbatim_copies"].value == 1
    assert copied["verbatim_copies"].floor == 0
    assert copied["longest_copied"].value == 1
    assert (copied["longest_copied"].floor or 1) < 1
    assert copied["unique"].value == 1
    # the samples are the training texts, so every figure of a set is at its floor
    for name in ("forward_perplexity", "reverse_perplexity", "distinct_2", "self_bleu"):
        assert copied[name].value == pytest.approx(copied[name].floor)


def test_one_text_repeated_is_found_out():
    texts = [text for text in random_texts(200, 9, "abcdef") if text]
    train, held_out = texts[:80], texts[80:160]
    found = text_measures(["abc"] * 80, held_out, train)
    for name in ("unique", "distinct_2", "distinct_3"):
        assert found[name].value < 0.1 < (found[name].floor or 0)
    assert found["self_bleu"].value > (found["self_bleu"].floor or 1)
    assert found["reverse_perplexity"].value > 1.5 * (found["reverse_perplexity"].floor or 9)


def test_empty_samples_are_counted_apart():
    found = text_measures(["", " ", "ab", "cd"], ["ab", "cd", "ef"], None)
    assert found["empty"].value == 0.5
    assert found["forward_perplexity"].floor is None
    assert "verbatim_copies" not in found
    assert [*text_measures(["", ""], ["ab", "cd"], None)] == ["empty"]


def test_reconstruction_is_counted_in_edits():
    found = reconstruction_measures(["abcd", "efgh"], ["abcd", "effh"])
    assert found["reconstruction_accuracy"].value == pytest.approx(7 / 8)
    assert found["reconstruction_exact"].value == 0.5
