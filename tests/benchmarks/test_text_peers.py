"""The peers of texts do what they say."""

import json

import numpy as np
import pytest
import torch

from benchmarks.peers import n_gram_sampler
from benchmarks.peers.gru_vae import END, TextVae, _texts, _tokens
from benchmarks.peers.text_protocol import Task
from benchmarks.text_data import Texts
from benchmarks.text_scoring import TextJudge
from ectype.measures.ngrams import NGrams

TEXTS = ["abba", "abab", "baab", "a", "bbbb", "abc", "cab", "caba", "acb", "bca"]


def task(tmp_path, texts):
    return Task(train=texts, held_out=[], seconds=1, samples=0, seed=0, out=tmp_path)


def test_drawn_texts_have_the_probability_that_the_judge_gives_them(tmp_path):
    tables = n_gram_sampler.count(task(tmp_path, TEXTS))
    random = np.random.default_rng(0)
    drawn = [n_gram_sampler.draw(tables, random) for _ in range(20_000)]
    # nothing that was never seen can be drawn, so its alphabet has no other character
    judge = NGrams(TEXTS, alphabet=10**9)
    for text in ("a", "abba", "cab", "ab"):
        share = drawn.count(text) / len(drawn)
        assert share == pytest.approx(float(np.exp(-judge.nats([text])[0])), abs=0.01)


def test_texts_go_into_tokens_and_back():
    characters = ["a", "b", "c"]
    tokens = _tokens(["abc", "", "cccccc"], {c: i + 2 for i, c in enumerate(characters)}, 5)
    assert tokens[:, -1].tolist() == [END] * 3
    assert _texts(torch.from_numpy(tokens), characters) == ["abc", "", "cccc"]


def test_a_text_is_as_likely_with_more_behind_it():
    torch.manual_seed(0)
    model, z = TextVae(5, 2), torch.randn(2, 2)
    x = torch.tensor([[2, 3, END], [4, END, END]])
    longer = torch.tensor([[2, 3, END, END, END], [4, END, END, END, END]])
    torch.testing.assert_close(model.nats(x, z), model.nats(longer, z))
    mean, _ = model.encode(x)
    torch.testing.assert_close(mean, model.encode(longer)[0])


def test_real_texts_are_judged_as_real():
    words = [f"{a}{b}{c}" for a in "bdfgk" for b in "aeiou" for c in ("nna", "rra", "lto", "s")]
    order = np.random.default_rng(0).permutation(len(words))
    parts = [[words[i] for i in order[first::4]] for first in range(4)]
    judge = TextJudge(
        Texts(name="made up", train=parts[0], held_out=parts[1], real=parts[2], others=parts[3])
    )
    real, copied = judge.row(parts[2]), judge.row(parts[0])
    assert real["copies"] == 0
    assert copied["copies"] == 1
    assert real["unique"] == copied["unique"] == 1
    assert judge.row(["zzqq"] * 25)["forward"] > 2 * real["forward"]
    assert json.dumps(real)
    with pytest.raises(ValueError, match="3 samples"):
        judge.row(["a"] * 3)
