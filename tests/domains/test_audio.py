"""Sounds from folders: read, cut, refused, parted and written again."""

import dataclasses
import tracemalloc
import wave

import numpy as np
import pytest

from ectype.config import Budget, with_changes
from ectype.domains import recognise
from ectype.domains.audio import store
from ectype.domains.audio.decoding import PEAK
from ectype.domains.audio.domain import AudioDomain
from ectype.domains.audio.spec import AudioSettings
from ectype.domains.base import PrepareOptions
from ectype.errors import DataError, UsageError

soundfile = pytest.importorskip("soundfile")
DOMAIN = AudioDomain()


@pytest.fixture
def prepare(tmp_path):
    """Prepares a source with settings as keywords, in a cache of the test's own."""

    def prepare(source, options=None, **settings):
        settings = AudioSettings(cache=str(tmp_path / "the cache"), **settings)
        return DOMAIN.prepare(source, settings, options or PrepareOptions())

    return prepare


def hit(number, rate=16000, seconds=0.3, channels=1, lead=0.0):
    """A decaying tone with some noise, (frames, channels), after `lead` seconds of silence."""
    random = np.random.default_rng(number)
    time = np.arange(round(seconds * rate)) / rate
    tone = np.sin(2 * np.pi * random.uniform(100, 3000) * time)[:, None]
    sound = (0.5 * tone + 0.1 * random.standard_normal((len(time), channels))) * np.exp(
        -time[:, None] * random.uniform(10, 20)
    )
    return np.concatenate([np.zeros((round(lead * rate), channels)), sound])


def write(folder, name, sound, rate=16000, **more):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sound, rate, **more)
    return path


def folder_of(tmp_path, count=12, suffix="wav", **more):
    for number in range(count):
        write(
            tmp_path / "hits",
            f"{number:02d}.{suffix}",
            hit(number, **more),
            more.get("rate", 16000),
        )
    return tmp_path / "hits"


def test_a_folder_of_sounds_is_a_dataset(tmp_path, prepare):
    folder = folder_of(tmp_path)
    assert recognise(folder).name == "audio"
    data = prepare(folder)
    assert data.items.dtype == np.int16
    assert data.items.shape == (12, 4800, 1)
    assert data.spec.rate == 16000
    peaks = np.abs(data.items.astype(float)).max((1, 2)) / 32767
    np.testing.assert_allclose(peaks, PEAK, atol=1e-3)
    assert sorted(np.concatenate([*data.parts.values()])) == list(range(12))
    assert any("0.30 s" in note for note in data.notes)


@pytest.mark.parametrize(
    ("suffix", "more"),
    [
        ("wav", {"subtype": "PCM_24"}),
        ("wav", {"subtype": "FLOAT"}),
        ("wav", {"subtype": "PCM_U8"}),
        ("flac", {}),
        ("ogg", {}),
        ("mp3", {}),
        ("aiff", {}),
    ],
)
def test_formats_and_bit_depths_give_the_same_sound(tmp_path, prepare, suffix, more):
    for number in range(4):
        write(tmp_path / "a", f"{number}.wav", hit(number))
        write(tmp_path / "b", f"{number}.{suffix}", hit(number), **more)
    first = prepare(tmp_path / "a", seconds=0.3, trim=False, validation=0, test=0)
    second = prepare(tmp_path / "b", seconds=0.3, trim=False, validation=0, test=0)
    for a, b in zip(first.items, second.items, strict=True):
        assert np.corrcoef(a[:, 0], b[:, 0])[0, 1] > 0.98


def test_rates_are_mixed_and_resampled(tmp_path, prepare):
    """A tone keeps its pitch whatever the rate of its file."""
    time = {rate: np.arange(rate // 2) / rate for rate in (8000, 16000, 44100)}
    for number in range(9):
        rate = (8000, 16000, 44100)[number % 3]
        tone = np.sin(2 * np.pi * (500 + 100 * number) * time[rate]) * np.exp(-4 * time[rate])
        write(tmp_path / "tones", f"{number}.wav", tone, rate)
    data = prepare(tmp_path / "tones")
    assert data.spec.rate in (8000, 16000)
    assert any("mixed" in note for note in data.notes)
    for number, item in enumerate(data.items):
        spectrum = np.abs(np.fft.rfft(item[:, 0]))
        pitch = spectrum.argmax() * data.spec.rate / len(item)
        assert abs(pitch - (500 + 100 * number)) < 4


def test_what_the_budget_allows_is_chosen_and_can_be_overridden(tmp_path, prepare):
    folder = folder_of(tmp_path, rate=44100, seconds=2.0, channels=2)
    short = prepare(folder)
    assert (short.spec.rate, short.spec.shape[1]) == (16000, 2)
    long = prepare(folder, PrepareOptions(budget=Budget(seconds=10 * 3600)))
    assert long.spec.rate == 44100
    asked = prepare(folder, rate=22050, seconds=0.25, channels="mono")
    assert asked.spec.shape == (5512, 1)
    assert any("as data.rate says" in note for note in asked.notes)
    pinned = DOMAIN.pinned(asked.spec)
    again = prepare(
        folder,
        rate=int(pinned["rate"]),
        seconds=float(pinned["seconds"]),
        channels=pinned["channels"],
    )
    assert again.spec.shape == asked.spec.shape


def test_what_is_pinned_can_be_set(tmp_path, prepare):
    """Also where the sounds have a lower rate, or are shorter, than what can be set."""
    for number in range(6):
        write(tmp_path / "low", f"{number}.wav", hit(number, rate=2000), 2000)
        write(tmp_path / "short", f"{number}.wav", hit(number, 11025, 0.01), 11025)
    for name, rate in (("low", 4000), ("short", 11025)):
        spec = prepare(tmp_path / name).spec
        assert spec.rate == rate
        pins = [f"{key}={value}" for key, value in DOMAIN.pinned(spec).items()]
        assert with_changes(AudioSettings(), pins).rate == rate


def test_bad_sounds_are_named_and_the_rest_is_used(tmp_path, prepare):
    folder = folder_of(tmp_path)
    (folder / "text.wav").write_text("I am no sound")
    (folder / "empty.wav").write_bytes(b"")
    (folder / "song.m4a").write_bytes(b"\x00\x01")
    (folder / "notes.txt").write_text("not counted as a sound")
    broken = hit(50)
    broken[7] = np.nan
    write(folder, "nan.wav", broken, subtype="FLOAT")
    write(folder, "silent.wav", np.zeros(4000))
    write(folder, "clipped.wav", np.clip(30 * hit(51), -1, 1))
    whole = write(folder, "cut.mp3", hit(52, seconds=2.0)).read_bytes()
    (folder / "cut.mp3").write_bytes(whole[: len(whole) // 3])
    write(folder, "again.wav", hit(0))
    data = prepare(folder, seconds=0.3)
    assert len(data.items) == 12
    reasons = {reject.item: reject.reason for reject in data.rejects}
    assert "cannot be read as sound" in reasons["text.wav"]
    assert "cannot be read" in reasons["empty.wav"]
    assert "convert" in reasons["song.m4a"]
    assert "NaN" in reasons["nan.wav"]
    assert "silent" in reasons["silent.wav"]
    assert "clipped" in reasons["clipped.wav"]
    assert "truncated" in reasons["cut.mp3"]
    assert "duplicate" in reasons["again.wav"] or "duplicate" in reasons["00.wav"]
    assert len(reasons) == 8
    assert len(prepare(folder, seconds=0.3, clipped="keep").items) == 13


def test_nothing_of_use_is_an_error_that_says_why(tmp_path, prepare):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.wav").write_text("text")
    with pytest.raises(DataError, match=r"no sound can be used\. a\.wav"):
        prepare(tmp_path / "bad")


def test_silence_before_a_sound_is_trimmed(tmp_path, prepare):
    for number in range(4):
        write(tmp_path / "late", f"{number}.wav", hit(number, lead=0.05 * (number + 1)))
    trimmed = prepare(tmp_path / "late", validation=0, test=0)
    begins = [int((np.abs(item) > 300).argmax()) for item in trimmed.items]
    assert max(begins) < 0.005 * 16000
    kept = prepare(tmp_path / "late", trim=False, validation=0, test=0)
    begins = [int((np.abs(item) > 300).argmax()) / 16000 for item in kept.items]
    np.testing.assert_allclose(begins, [0.05, 0.1, 0.15, 0.2], atol=0.003)


def test_a_sound_that_begins_with_a_clip_of_silence_is_named(tmp_path, prepare):
    for number in range(10):
        write(tmp_path / "late", f"{number}.wav", hit(number, lead=0.6 if number == 3 else 0.0))
    data = prepare(tmp_path / "late", trim=False, seconds=0.4)
    assert len(data.items) == 9
    assert [reject.item for reject in data.rejects] == ["3.wav"]
    assert "data.trim=yes" in data.rejects[0].reason
    assert not any("give their beginning" in note for note in data.notes)


def test_loudness_can_be_kept(tmp_path, prepare):
    for number in range(4):
        write(tmp_path / "hits", f"{number}.wav", hit(number) * 0.2 * (number + 1))
    data = prepare(tmp_path / "hits", loudness="keep", validation=0, test=0)
    for number, item in enumerate(data.items):
        expected = np.abs(hit(number) * 0.2 * (number + 1)).max()
        assert np.abs(item / 32767).max() == pytest.approx(expected, rel=0.05)


def test_a_long_sound_is_cut_at_its_onsets(tmp_path, prepare):
    rate, random = 16000, np.random.default_rng(0)
    at = [0.5, 1.5, 3.1, 4.0, 6.2, 7.7, 9.0]
    sound = np.zeros(11 * rate)
    for number, second in enumerate(at):
        one = hit(number, seconds=0.5)[:, 0]
        sound[round(second * rate) : round(second * rate) + len(one)] += one
    sound += 1e-5 * random.standard_normal(len(sound))
    write(tmp_path / "one", "take.wav", sound, rate)
    data = prepare(tmp_path / "one", seconds=0.5)
    assert len(data.items) == len(at)  # every hit once; between them there is silence
    for number, item in enumerate(data.items):
        own = np.abs(np.correlate(item[:, 0].astype(float), hit(number, seconds=0.5)[:, 0], "full"))
        norm = np.linalg.norm(item.astype(float)) * np.linalg.norm(hit(number, seconds=0.5))
        assert own.max() > 0.95 * norm
    assert any("longer still" in note for note in data.notes)


def test_a_steady_sound_without_onsets_is_cut_end_to_end(tmp_path, prepare):
    noise = 0.2 * np.random.default_rng(0).standard_normal(5 * 16000)
    write(tmp_path / "rain", "rain.wav", noise)
    data = prepare(tmp_path / "rain", seconds=0.5, trim=False)
    assert 9 <= len(data.items) <= 10


def test_clips_of_one_file_and_near_copies_stay_in_one_part(tmp_path, prepare):
    for number in range(20):
        for take in range(3):  # three takes that hardly differ
            noisy = hit(number) + 1e-4 * np.random.default_rng(take).standard_normal((4800, 1))
            write(tmp_path / "takes", f"{number:02d}-{take}.wav", noisy)
    data = prepare(tmp_path / "takes", validation=0.2, test=0.2)
    assert len(data.items) == 60
    for part in data.parts.values():
        numbers, counts = np.unique(part // 3, return_counts=True)
        assert (counts == 3).all(), numbers
    assert any("nearly the same" in note for note in data.notes)


def test_near_copies_are_joined_through_others():
    at = np.array([0.0, 9.0, 1.0, 2.0, 8.5, 30.0], np.float32)
    sketches = np.repeat(at[:, None] - 50, 64, axis=1)
    assert store.near_groups(sketches).tolist() == [0, 1, 0, 0, 1, 5]


def test_clips_that_are_all_alike_need_little_memory():
    """Of three hours of rain: a list of the pairs took gigabytes."""
    noise = np.random.default_rng(0).normal(-30, 0.5, (3000, 64)).astype(np.float32)
    tracemalloc.start()
    groups = store.near_groups(noise)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert not groups.any()
    assert peak < 30e6


def test_few_sounds_are_held_at_once(tmp_path, prepare, monkeypatch):
    folder = folder_of(tmp_path, count=40)
    cut: list[int] = []
    under_way: list[int] = []
    clips, append = store.clips, store.ArrayWriter.append

    def counted(*args):
        cut.append(1)
        return clips(*args)

    def written(writer, items):
        under_way.append(len(cut) - len(under_way))
        append(writer, items)

    monkeypatch.setattr(store, "clips", counted)
    monkeypatch.setattr(store.ArrayWriter, "append", written)
    assert len(prepare(folder, workers=1).items) == 40
    assert max(under_way) <= 6


def test_kits_stay_in_one_part_if_asked_and_folders_are_labels(tmp_path, prepare):
    for number in range(24):
        kind = ("kick", "snare")[number % 2]
        write(tmp_path / "drums", f"{kind}/kit{number % 6}__{number}.wav", hit(number))
    data = prepare(tmp_path / "drums", group=r"(kit\d)__", validation=0.2, test=0.2)
    assert data.spec.labels == ("kick", "snare")
    order = sorted(range(24), key=lambda n: (("kick", "snare")[n % 2], f"kit{n % 6}__{n}"))
    kits = np.array([n % 6 for n in order])
    found = [set(kits[part]) for part in data.parts.values()]
    assert not found[0] & found[1]
    assert not found[0] & found[2]
    write(tmp_path / "drums", "kick/silence.wav", 0 * hit(0))
    further = DOMAIN.read(tmp_path / "drums", data.spec)
    assert further.labels is not None
    assert further.labels.tolist() == [0] * 12 + [1] * 12
    with pytest.raises(UsageError, match="matches no path"):
        prepare(tmp_path / "drums", group="nothing like it")


def test_what_is_written_can_be_read_again(tmp_path, prepare):
    folder = folder_of(tmp_path, channels=2, rate=44100)
    data = prepare(folder, rate=44100)
    paths = DOMAIN.write(data.items[:3], data.spec, tmp_path / "out", None)
    with wave.open(str(paths[0])) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (44100, 2, 2)
    again = DOMAIN.read(tmp_path / "out", data.spec)
    assert not again.rejects
    np.testing.assert_allclose(again.items, data.items[:3], atol=40)


def test_arrays_need_the_domain_named_and_give_the_same_as_files(tmp_path, prepare):
    folder = folder_of(tmp_path, count=6)
    items = np.stack([hit(number) for number in range(6)]).astype(np.float32)
    assert not DOMAIN.recognises(items)
    files = prepare(folder, validation=0, test=0)
    arrays = prepare(items, validation=0, test=0)
    np.testing.assert_allclose(arrays.items, files.items, atol=3)
    with pytest.raises(DataError, match="no sounds"):
        prepare(np.zeros((3, 4, 5, 6), np.float32))


def test_the_cache_is_used_and_the_fingerprint_follows_the_data(tmp_path, prepare):
    folder = folder_of(tmp_path)
    first, second = prepare(folder), prepare(folder)
    assert first.fingerprint == second.fingerprint
    assert first.spec == second.spec
    write(folder, "99.wav", hit(99))
    assert prepare(folder).fingerprint != first.fingerprint


def test_network_items_and_stored_items_are_two_forms_of_one(tmp_path, prepare):
    torch = pytest.importorskip("torch")
    data = prepare(folder_of(tmp_path, channels=2))
    stored = torch.from_numpy(np.array(data.items))
    x = DOMAIN.to_network(stored, data.spec)
    assert x.shape == (12, 2, data.spec.shape[0])
    assert np.array_equal(DOMAIN.from_network(x, data.spec), data.items)
    # samples are brought to the peak that the data have, but silence stays silence
    loud = DOMAIN.from_network(torch.stack([7 * x[0], 1e-5 * x[0]]), data.spec)
    assert np.array_equal(loud[0], data.items[0])
    assert np.abs(loud[1]).max() <= 1
    kept = dataclasses.replace(data.spec, loudness="keep")
    assert DOMAIN.from_network(7 * x[:1], kept).max() == 32767


def test_a_missing_package_is_named(tmp_path, prepare, monkeypatch):
    folder = folder_of(tmp_path, count=3)
    monkeypatch.setitem(__import__("sys").modules, "soxr", None)
    with pytest.raises(UsageError, match="not installed") as caught:
        prepare(folder)
    assert "ectype[audio]" in str(caught.value.hint)


@pytest.mark.slow
def test_three_hours_need_a_small_share_of_their_size(tmp_path):
    """A child process prepares a file of 3 hours of stereo at 44.1 kHz within 500 MB."""
    import subprocess
    import sys

    rate, path = 44100, tmp_path / "long" / "take.flac"
    path.parent.mkdir()
    minute = np.concatenate([hit(n, rate, 1.0, 2) for n in range(60)])
    with soundfile.SoundFile(path, "w", rate, 2) as file:
        for number in range(180):
            file.write(minute * (0.5 + number / 400))
    code = (
        "import resource, sys; from ectype.domains.audio.domain import *; "
        "from ectype.domains.audio.spec import AudioSettings; "
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; "
        f"data = AudioDomain().prepare({str(path.parent)!r}, "
        f"AudioSettings(cache={str(tmp_path / 'c')!r}), PrepareOptions()); "
        "after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; "
        "print(len(data.items), (after - before) // 1024)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    count, megabytes = map(int, done.stdout.split())
    assert count > 50
    assert megabytes < 500  # as floats it would be 3.8 GB, as stored 1.9 GB
