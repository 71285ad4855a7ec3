"""Networks for texts: what they may see, and that what they draw is what they say."""

import pytest
import torch
from torch.nn import functional as F

from ectype.nets.text import Decoder, Encoder, draw, used_length

SIZE, LENGTH, LATENT = 7, 6, 3


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def texts(*rows):
    padded = [[*row, *[0] * (LENGTH - len(row))] for row in rows]
    return torch.tensor(padded, dtype=torch.float32)


def decoder(classes=0):
    return Decoder(SIZE, LENGTH, 8, classes, LATENT)


def test_a_token_depends_on_those_before_it_alone():
    net, z = decoder(), torch.randn(1, LATENT)
    logits = net(z, None, texts([1, 2, 3, 4, 5]))
    other = net(z, None, texts([1, 2, 6, 4, 5]))
    torch.testing.assert_close(logits[:, :3], other[:, :3])
    assert not torch.allclose(logits[:, 3], other[:, 3])
    assert logits.shape == (1, LENGTH, SIZE)


def test_every_token_depends_on_the_latent_and_the_label():
    net = decoder(classes=2)
    x, z, label = texts([1, 2, 3, 4, 5]), torch.randn(1, LATENT), torch.tensor([0])
    logits = net(z, label, x)
    assert (logits != net(z + 1, label, x)).any(2).all()
    assert (logits != net(z, 1 - label, x)).any(2).all()


def test_what_fills_a_text_up_does_not_count():
    encoder, net = Encoder(SIZE, 8, 0, LATENT), decoder()
    x, z = texts([1, 2], [3], [1, 2, 3, 4, 5]), torch.randn(3, LATENT)
    alone = [encoder(x[i : i + 1, : used_length(x[i : i + 1].t())], None)[0] for i in range(3)]
    together, log_variance = encoder(x, None)
    assert log_variance.shape == (3, LATENT)
    torch.testing.assert_close(together, torch.cat(alone))
    forth, _ = encoder.forth(encoder.embedding(torch.tensor([[1], [2], [0]])))
    back, _ = encoder.back(encoder.embedding(torch.tensor([[0], [2], [1]])))
    read = torch.cat([forth[-1, 0], back[-1, 0]])
    torch.testing.assert_close(together[0], encoder.head(read)[:LATENT])
    logits = net(z[:2], None, x[:2])
    assert (logits[:, 3:] == 0).all(), "nothing is computed behind the last end of a batch"


def test_texts_that_are_written_are_the_likeliest_or_drawn_from_the_logits():
    net, z = decoder().eval(), torch.randn(4, LATENT)
    with torch.no_grad():
        greedy = net.generate(z, None, None)
        logits = net(z, None, greedy)
    for text, row in zip(greedy, logits, strict=True):
        for place in range(used_length(text[:, None])):
            assert int(text[place]) == int(row[place].argmax())
    assert all((row[: int((row == 0).float().argmax())] != 0).all() for row in greedy)

    z = z[:1].expand(4000, -1)
    with torch.no_grad():
        drawn = net.generate(z, None, torch.Generator().manual_seed(1))
        share = F.softmax(net(z[:1], None, drawn[:1])[0, 0], 0)
    counts = drawn[:, 0].long().bincount(minlength=SIZE) / 4000
    torch.testing.assert_close(counts, share, atol=0.03, rtol=0)
    again = net.generate(z[:5], None, torch.Generator().manual_seed(1))
    assert not torch.equal(again[0], again[1]) or not torch.equal(again[1], again[2])


def test_a_low_temperature_and_a_small_nucleus_take_the_likeliest():
    net, z = decoder().eval(), torch.randn(16, LATENT)
    with torch.no_grad():
        greedy = net.generate(z, None, None)
        cold = net.generate(z, None, torch.Generator().manual_seed(0), temperature=1e-4)
        assert torch.equal(cold, greedy)
        net.nucleus = 1e-6
        assert torch.equal(net.generate(z, None, torch.Generator().manual_seed(0)), greedy)


def test_draws_follow_the_probabilities_within_the_nucleus():
    logits = torch.log(torch.tensor([[0.1, 0.5, 0.15, 0.25]]))
    uniform = torch.linspace(0, 1, 2001)[:-1] + 1 / 4000
    spread = logits.expand(len(uniform), -1)
    shares = draw(spread, uniform, 1.0).bincount(minlength=4) / len(uniform)
    torch.testing.assert_close(shares, torch.tensor([0.1, 0.5, 0.15, 0.25]), atol=1e-3, rtol=0)
    # 0.5 and 0.25 hold 0.7 of it
    shares = draw(spread, uniform, 0.7).bincount(minlength=4) / len(uniform)
    torch.testing.assert_close(shares, torch.tensor([0.0, 2 / 3, 0.0, 1 / 3]), atol=1e-3, rtol=0)
