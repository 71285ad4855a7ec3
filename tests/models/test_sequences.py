"""The likelihood of texts, in closed form."""

import math

import pytest
import torch

from ectype.models.sequences import Sequences, counted


def test_a_text_counts_up_to_its_first_end():
    tokens = torch.tensor([[1, 2, 0, 0], [0, 1, 2, 0], [1, 2, 1, 2]])
    expected = [[True, True, True, False], [True, False, False, False], [True] * 4]
    assert counted(tokens).tolist() == expected


def test_log_prob_is_the_sum_over_tokens():
    likelihood = Sequences(3)
    shares = torch.tensor([[0.2, 0.3, 0.5], [0.1, 0.6, 0.3], [0.7, 0.2, 0.1], [0.4, 0.4, 0.2]])
    x = torch.tensor([[2.0, 1.0, 0.0, 0.0], [2.0, 1.0, 1.0, 2.0]])
    found = likelihood.log_prob(x, shares.log().expand(2, -1, -1))
    expected = [0.5 * 0.6 * 0.7, 0.5 * 0.6 * 0.2 * 0.2]
    assert found.exp().tolist() == pytest.approx(expected)


def test_all_texts_together_have_probability_one():
    likelihood = Sequences(3)
    logits = torch.randn(1, 2, 3)  # the same whatever came before, so sums can be written down
    texts = [[0, 0], *([a, b] for a in (1, 2) for b in (0, 1, 2))]
    x = torch.tensor(texts, dtype=torch.float32)
    total = likelihood.log_prob(x, logits.expand(len(x), -1, -1)).exp().sum()
    assert float(total) == pytest.approx(1, abs=1e-6)


def test_what_it_allows_and_shows():
    likelihood = Sequences(3)
    assert likelihood.outputs(14) == 3
    assert likelihood.allows(torch.tensor([[0.0, 2.0]]))
    assert not likelihood.allows(torch.tensor([[3.0]]))
    assert not likelihood.allows(torch.tensor([[0.5]]))
    assert likelihood.mean(torch.tensor([[[0.0, 3.0, 1.0]]])).tolist() == [[1.0]]
    assert not math.isnan(float(likelihood.training_loss(torch.zeros(1, 2), torch.zeros(1, 2, 3))))
