"""Latents at any level of noise, and the GAN over latents."""

import pytest
import torch

from ectype.config import GanSettings, VaeSettings
from ectype.errors import UsageError
from ectype.models import noisy
from ectype.models.base import Batch, Turn
from ectype.models.latent_gan import LatentGan, Standard
from ectype.models.noisy import NoisyVae, at_level, blurred, for_sampling, for_training
from ectype.models.sequences import Sequences
from ectype.nets.perceptron import JudgingPerceptron, Perceptron
from ectype.nets.text import Decoder, Encoder

SIZE, LENGTH, LATENT = 6, 5, 3
TEXTS = torch.tensor([[1, 2, 0, 0, 0], [3, 4, 5, 1, 0], [5, 5, 0, 0, 0]], dtype=torch.float32)


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def vae():
    networks = Encoder(SIZE, 8, 0, LATENT), Decoder(SIZE, LENGTH, 8, 0, LATENT + 1)
    return NoisyVae(*networks, Sequences(SIZE), None, VaeSettings(latent=LATENT), classes=0)


def latent_gan(share=0.5):
    return LatentGan(
        Encoder(SIZE, 8, 0, LATENT),
        Decoder(SIZE, LENGTH, 8, 0, LATENT + 1),
        Sequences(SIZE),
        Perceptron(4, LATENT, width=8),
        JudgingPerceptron(LATENT, width=8),
        autoencoding=VaeSettings(latent=LATENT, autoencoder_share=share),
        playing=GanSettings(latent=4),
        classes=0,
        gamma=1.0,
    )


def turn(progress=0.0):
    return Turn(Batch(TEXTS, None), progress, 0, torch.Generator().manual_seed(0))


def test_blurring_keeps_the_variance_of_normal_latents():
    z, noise = torch.randn(2, 20_000, 1)
    for level in (0.0, 0.3, 0.7, 1.0):
        found = blurred(z, torch.full_like(z, level), noise)
        assert float(found[:, 0].var()) == pytest.approx(1, abs=0.03)
        assert (found[:, 1] == level).all()
    clear = blurred(z, torch.zeros_like(z), noise)
    assert torch.equal(clear, at_level(z, 0.0))


def test_in_training_half_of_the_latents_are_clear():
    seen = []
    decode = for_training(lambda z, label: seen.append(z) or z, turn())
    z = torch.randn(4000, LATENT)
    decode(z, None)
    levels = seen[0][:, -1]
    clear = levels == 0
    assert float(clear.float().mean()) == pytest.approx(noisy.CLEAR_SHARE, abs=0.03)
    assert torch.equal(seen[0][clear, :-1], z[clear])
    assert (levels[~clear] == noisy.BLUR).all()
    # what is left of a latent is √(1 − s²) of it
    left = (seen[0][~clear, 0] * z[~clear, 0]).mean()
    assert float(left) == pytest.approx((1 - noisy.BLUR**2) ** 0.5, abs=0.08)


def test_samples_are_drawn_at_a_level_and_rebuilt_at_none(monkeypatch):
    model, levels = vae().eval(), []
    assert isinstance(model.decoder, Decoder)
    generate = model.decoder.generate

    def watched(z, *rest):
        levels.append(float(z[0, -1]))
        return generate(z, *rest)

    monkeypatch.setattr(model.decoder, "generate", watched)
    with torch.no_grad():
        z = model.encode(TEXTS, None)
        model.reconstruct(Batch(TEXTS, None))
        model.render(z, None, torch.Generator().manual_seed(0))
        model.interpolate(1, 2)
    assert levels == pytest.approx([0.0, noisy.BLUR, 0.0])
    noise = [for_sampling(z, torch.Generator().manual_seed(s)) for s in (0, 0, 1)]
    assert torch.equal(noise[0], noise[1])
    assert not torch.equal(noise[0], noise[2])


def test_the_bounds_are_at_level_zero():
    model, generator = vae().eval(), torch.Generator().manual_seed(0)
    terms = model.elbo(Batch(TEXTS, None), generator)
    mean, log_variance = model.encoder(TEXTS, None)
    log_variance = 5 * torch.tanh(log_variance / 5)
    noise = torch.randn(mean.shape, generator=torch.Generator().manual_seed(0))
    z = at_level(mean + torch.exp(0.5 * log_variance) * noise, 0.0)
    expected = model.likelihood.log_prob(TEXTS, model.decoder(z, None, TEXTS))
    torch.testing.assert_close(terms["reconstruction"], expected)
    assert (model.iwae(Batch(TEXTS, None), 64, generator) >= terms["elbo"] - 1).all()


def test_the_autoencoder_plays_first_and_the_game_is_on_its_latents():
    model = latent_gan(share=0.5)
    names = [player.name for player in model.players]
    assert names == ["autoencoder", "discriminator", "generator"]
    playing = [[p.plays(progress, 0) for p in model.players] for progress in (0.0, 0.49, 0.5, 1.0)]
    assert playing == [[True, False, False]] * 2 + [[False, True, True]] * 2
    assert not model.ready(0.4)
    assert model.ready(0.6)
    assert model.early_view(Batch(TEXTS, None)).shape == TEXTS.shape

    autoencoder, discriminator, generator = model.players
    assert discriminator.prepare is not None
    discriminator.prepare([Batch(TEXTS, None)], torch.Generator())
    means = model.posteriors.means
    torch.testing.assert_close(means.mean(0), torch.zeros(LATENT), atol=1e-5, rtol=0)
    drawn = model.posteriors.draw(4000, torch.Generator().manual_seed(0)).x
    variance = means.var(0, correction=0) + model.posteriors.deviations.square().mean(0)
    torch.testing.assert_close(drawn.var(0), variance, rtol=0.1, atol=0)
    again = latent_gan()
    again.load_state_dict(model.state_dict())
    assert torch.equal(again.posteriors.means, means)
    for player, others in ((autoencoder, "generator"), (discriminator, "generator")):
        model.zero_grad(set_to_none=True)
        loss, _ = player.loss(turn(0.75))
        loss.backward()
        assert all(p.grad is not None for p in player.module.parameters())
        assert all(p.grad is None for p in getattr(model, others).parameters())
    model.zero_grad(set_to_none=True)
    generator.loss(turn(0.75))[0].backward()
    assert all(p.grad is not None for p in model.generator.parameters())
    assert all(p.grad is None for p in model.encoder.parameters())
    # the second phase has its own course of the learning rate
    _, rate = model.rates
    assert generator.learning_rate(0.5) == pytest.approx(rate)
    assert generator.learning_rate(1.0) == pytest.approx(rate / 20)


def test_latents_are_standardised_and_brought_back():
    standard, z = Standard(2), torch.randn(500, 2) * torch.tensor([3.0, 0.1]) + 5
    standard.fit(z)
    seen = standard(z)
    torch.testing.assert_close(seen.mean(0), torch.zeros(2), atol=1e-4, rtol=0)
    torch.testing.assert_close(seen.std(0), torch.ones(2), atol=1e-4, rtol=0)
    torch.testing.assert_close(standard.back(seen), z)


def test_its_samples_are_texts_and_it_reconstructs_none():
    model = latent_gan().eval()
    texts = model.sample(5, seed=3)
    assert model.likelihood.allows(texts)
    assert torch.equal(model.sample(5, seed=3), texts)
    with pytest.raises(UsageError, match="no encoder"):
        model.reconstruct(Batch(TEXTS, None))
