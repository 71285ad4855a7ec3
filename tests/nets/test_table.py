"""Networks for rows, on a layout of every kind of block."""

import itertools

import pytest
import torch

from ectype.domains.table.likelihood import RowLikelihood
from ectype.nets.rows import FEW, Category, Layout, Number, Rows
from ectype.nets.table import Codebook, RowDecoder, RowGenerator, RowJudge

SMALL = Layout((Number((0.2, 0.7, 1.0), (True, False, True), missing=True), Category(3, rare=True)))
LARGE = Layout(
    (
        Number(tuple((i + 1) / 300 for i in range(300)), (False,) * 300, missing=True),
        Category(2, rare=False),
        Category(150, rare=True),
        Number((0.5, 1.0), (True, True), missing=False),
    ),
    label=1,
    label_codes=(1, 0),
)


def rows(layout, n, seed=0):
    generator = torch.Generator().manual_seed(seed)
    codes = torch.stack(
        [torch.randint(block.codes, (n,), generator=generator) for block in layout.blocks], 1
    )
    return Rows(layout).rows(codes, torch.rand(codes.shape, generator=generator))


def decoder(layout, classes=0):
    torch.manual_seed(0)
    network = RowDecoder(layout, width=16, latent=5, classes=classes)
    for parameter in network.parameters():  # nothing is zero, so that all is seen
        torch.nn.init.normal_(parameter, std=0.3)
    return network.eval()


def test_probabilities_of_all_rows_sum_to_one():
    network, likelihood = decoder(SMALL), RowLikelihood(SMALL)
    codes = torch.tensor([*itertools.product(range(4), range(3))])
    x = Rows(SMALL).rows(codes, torch.full(codes.shape, 0.5))
    z = torch.randn(1, 5).expand(len(x), 5)
    # the same place in its cell for every row, so that what is known before is the same too
    log_p = likelihood.log_prob(x, network(z, None, x))
    assert log_p.exp().sum().item() == pytest.approx(1, abs=1e-5)


def test_a_step_sees_only_the_steps_before_it():
    network = decoder(LARGE, classes=2)
    x, label = rows(LARGE, 6), torch.tensor([0, 1, 0, 1, 0, 1])
    z = torch.randn(6, 5)
    before = network(z, label, x).split(network.choices, 1)
    other = rows(LARGE, 6, seed=1)
    steps = LARGE.steps
    for column, place in enumerate(network.rows.places):
        changed = x.clone()
        changed[:, place] = other[:, place]
        after = network(z, label, changed).split(network.choices, 1)
        for step, (of_column, _, _) in enumerate(steps):
            same = torch.equal(before[step], after[step])
            assert same or of_column >= column
        last = steps[-1][0]
        assert column == last or not torch.equal(before[-1], after[-1])


def test_rows_are_drawn_as_often_as_the_likelihood_says():
    network, likelihood = decoder(SMALL), RowLikelihood(SMALL)
    n = 60_000
    z = torch.randn(1, 5).expand(n, 5)
    with torch.no_grad():
        drawn = network.generate(z, None, torch.Generator().manual_seed(0))
        codes = Rows(SMALL).codes(drawn)
        found = torch.bincount(codes[:, 0] * 3 + codes[:, 1], minlength=12) / n
        every = torch.tensor([*itertools.product(range(4), range(3))])
        place = torch.rand(200, 2, generator=torch.Generator().manual_seed(1))
        # where in its cell a number lies tells the next step a little: a mean over places
        expected = torch.zeros(12)
        for at in place:
            x = Rows(SMALL).rows(every, at.expand(12, 2))
            expected += likelihood.log_prob(x, network(z[:12], None, x)).exp() / len(place)
    assert (found - expected).abs().max() < 0.01


def test_without_a_generator_the_likeliest_choice_is_taken():
    network = decoder(LARGE, classes=2)
    z, label = torch.randn(9, 5), torch.arange(9) % 2
    x = network.generate(z, label, None)
    logits = network(z, label, x).split(network.choices, 1)
    chosen = network.rows.to_steps(network.rows.codes(x))
    for step, (column, _, _) in enumerate(LARGE.steps):
        if column != LARGE.label:
            assert torch.equal(chosen[:, step], logits[step].argmax(1))


def test_low_temperatures_are_greedy():
    network = decoder(LARGE, classes=2)
    z, label = torch.randn(9, 5), torch.arange(9) % 2
    cold = network.generate(z, label, torch.Generator().manual_seed(0), 1e-4)
    codes = network.rows.codes
    greedy = network.generate(z, label, None)
    assert (codes(cold) == codes(greedy)).float().mean() > 0.8


@pytest.mark.parametrize("make", [RowGenerator, RowDecoder])
def test_a_label_is_given_back_exactly(make):
    torch.manual_seed(0)
    network = make(LARGE, width=16, latent=5, classes=2).eval()
    z, label = torch.randn(50, 5), torch.arange(50) % 2
    if make is RowGenerator:
        x = network(z, label)
    else:
        x = network.generate(z, label, torch.Generator().manual_seed(0))
    assert torch.equal(Rows(LARGE).codes(x)[:, 1], 1 - label)


PLACE = Number(tuple((i + 1) / 50 for i in range(50)), (False,) * 50, missing=False)


def test_rows_of_few_numbers_are_those_without_names():
    assert Layout((PLACE,) * FEW).few
    assert not Layout((PLACE,) * (FEW + 1)).few
    assert not SMALL.few


def test_signs_of_noise_choose_a_vector_beside_it():
    torch.manual_seed(0)
    codebook = Codebook(20)
    z = torch.randn(500, 20)
    vectors, noise = codebook(z).split([codebook.size - 12, 12], 1)
    assert torch.equal(noise, z[:, :12])
    assert torch.equal(codebook(z.abs())[:, :-12], codebook(0.1 * z.abs())[:, :-12])
    patterns = (z[:, :8] > 0).unique(dim=0)
    assert len(vectors.unique(dim=0)) == len(patterns) > 200
    assert Codebook(3)(z[:, :3]).shape == (500, Codebook(3).size)


def test_few_numbers_are_judged_with_waves_of_the_same_slope():
    torch.manual_seed(0)
    judge = RowJudge(Layout((PLACE,) * 2), width=16, classes=0)
    seen = []
    judge.enter.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    x = torch.randn(1, 2, dtype=torch.float64).requires_grad_()
    judge.double()(x)
    [features] = seen
    assert torch.equal(features[:, :2], x)
    rows = [torch.autograd.grad(feature, x, retain_graph=True)[0] for feature in features[0]]
    jacobian = torch.cat(rows)
    slopes = jacobian[2:].view(2, 2, -1, 2).square().sum(0)  # sine and cosine of a wave together
    expected = torch.eye(2)[:, None].expand_as(slopes)
    torch.testing.assert_close(slopes, expected, check_dtype=False)
    plain = RowJudge(LARGE, width=16, classes=0)
    assert plain.enter.in_features == LARGE.size


def test_what_a_generator_makes_looks_like_rows_to_the_bit():
    torch.manual_seed(0)
    network = RowGenerator(LARGE, width=16, latent=5, classes=2)
    z = torch.randn(64, 5, requires_grad=True)
    x = network(z, torch.zeros(64, dtype=torch.int64))
    places = network.rows.places
    for column in (1, 2):
        hot = x[:, places[column]][:, : LARGE.blocks[column].codes]
        assert set(hot.detach().round(decimals=5).unique().tolist()) <= {0, 1}
        assert torch.allclose(hot.sum(1), torch.ones(64))
    middles = {0.25, 0.75}
    shares = torch.special.ndtr(x[:, places[3]].detach()).flatten().tolist()
    assert {round(share, 4) for share in shares} <= middles
    x.sum().backward()
    assert z.grad is not None
    assert float(z.grad.abs().sum()) > 0
