"""Sounds as pictures and files."""

import wave

import numpy as np
from PIL import Image

from ectype.domains.audio.domain import AudioDomain
from ectype.domains.audio.drawing import (
    BANDS,
    GAP,
    INK,
    PAGE,
    WAVE,
    WIDTH,
    in_sequence,
    morph,
    palette,
    save_wav,
    sheet,
    spectrum,
    waveform,
)
from ectype.domains.audio.spec import AudioSpec
from ectype.measures.audio import BANDS as STATISTICS_BANDS

RATE = 16000
SPEC = AudioSpec(
    domain="audio",
    shape=(4000, 1),
    rate=RATE,
    loudness="peak",
    trim=True,
    whitening=(0.0,) * (4 * STATISTICS_BANDS) + tuple(np.eye(4 * STATISTICS_BANDS).ravel()),
)


def tone(hertz, length=4000, level=0.8):
    time = np.arange(length) / RATE
    return level * np.sin(2 * np.pi * hertz * time)


def stored(*sounds):
    return np.rint(np.stack(sounds)[:, :, None] * 32767).astype(np.int16)


def test_a_waveform_spans_the_range_of_its_samples_in_each_column():
    sound = np.concatenate([tone(500, 2000, 1.0), tone(500, 2000, 0.25)])
    heights = (waveform(sound) == INK).sum(0)
    assert (heights[5 : WIDTH // 2 - 5] >= WAVE - 2).all()
    assert (np.abs(heights[WIDTH // 2 + 5 : -5] - WAVE / 4) <= 3).all()
    assert (waveform(np.zeros(4000)) == waveform(np.zeros(4000))[:, :1]).all()


def test_a_spectrum_is_bright_where_the_tone_is_and_low_tones_lie_low():
    low, high = (spectrum(tone(h), RATE)[:, 20:-20].mean(1) for h in (200, 5000))
    assert low.argmax() > high.argmax()
    assert low.max() > 2 * np.median(low)
    assert (spectrum(np.zeros(4000), RATE) == 0).all()


def test_a_sheet_holds_every_sound_in_its_place(tmp_path):
    items = stored(tone(200), tone(5000), 0 * tone(1), tone(800), tone(300))
    page = sheet(items, RATE, columns=3)
    cell = (WAVE + BANDS + GAP, WIDTH + GAP)
    assert page.shape == (2 * cell[0] + GAP, 3 * cell[1] + GAP)
    first = page[GAP + WAVE : GAP + WAVE + BANDS, GAP : GAP + WIDTH]
    assert (first == spectrum(items[0, :, 0] / np.float32(32767), RATE)).all()
    assert (page[cell[0] + GAP :, 2 * cell[1] + GAP :] == PAGE).all()  # no sixth sound
    path = AudioDomain().preview(items, SPEC, tmp_path / "grid", columns=3)
    assert path.name == "grid.png"
    with Image.open(path) as picture:
        assert (np.asarray(picture) == page).all()
        colours = np.asarray(picture.convert("RGB"))
    assert (colours[0, 0] == 255).all()
    light = np.array(palette()[: 3 * 240]).reshape(240, 3).sum(1)
    assert (np.diff(light) >= 0).all()


def test_a_wav_file_holds_the_samples_to_the_bit(tmp_path):
    sound = np.random.default_rng(0).integers(-32768, 32768, (500, 2)).astype(np.int16)
    with wave.open(str(save_wav(sound, 44100, tmp_path / "a.wav"))) as file:
        assert file.getparams()[:4] == (2, 2, 44100, 500)
        read = np.frombuffer(file.readframes(500), "<i2").reshape(500, 2)
    assert (read == sound).all()


def test_a_morph_begins_as_the_first_and_ends_as_the_last():
    steps = stored(tone(200), tone(400), tone(600))
    mixed = morph(steps).astype(float)
    assert np.abs(mixed[:20] - steps[0, :20]).max() < 400
    assert np.abs(mixed[-20:] - steps[2, -20:]).max() < 400
    middle = len(mixed) // 2
    assert (
        np.abs(mixed[middle - 10 : middle + 10] - steps[1, middle - 10 : middle + 10]).max() < 400
    )


def test_walks_are_written_in_sequence_and_as_morphs(tmp_path):
    items = stored(*(tone(100 * k) for k in range(1, 7)))
    paths = AudioDomain().write_walks(items, SPEC, tmp_path, steps=3)
    assert [path.name for path in paths] == [
        "walk-1.wav",
        "morph-1.wav",
        "walk-2.wav",
        "morph-2.wav",
    ]
    with wave.open(str(paths[2])) as file:
        assert file.getnframes() == len(in_sequence(items[3:], RATE)) == 3 * (4000 + 1600)
    with wave.open(str(paths[3])) as file:
        assert file.getnframes() == 4000


def test_a_report_lets_one_listen(tmp_path):
    """The exhibits are WAV files that the page embeds as players."""
    from ectype.domains.base import Chosen
    from ectype.report.page import figure

    items = stored(tone(200), tone(400))
    real = Chosen(items, np.array([1, 0]))
    exhibits = AudioDomain().own_exhibits(items, real, None, SPEC, tmp_path)
    assert [len(exhibit.files) for exhibit in exhibits] == [2, 2]
    html = "".join(figure(exhibit) for exhibit in exhibits)
    assert html.count("<audio controls") == 4
    assert "data:audio/wav;base64," in html


def test_feature_spaces_are_named_by_their_rate():
    items = stored(tone(200), tone(400))
    for name, dim in (("log-mel-statistics", 4 * STATISTICS_BANDS), ("log-mel-picture", None)):
        space = AudioDomain().feature_space(name, SPEC)
        assert space.name == f"{name}@16000"
        features = space.extract(items)
        assert features.dtype == np.float32
        assert dim is None or features.shape == (2, dim)
