"""The demo's sounds are real and lie as somebody's own would."""

import importlib.util

import pytest

from ectype.demo import audio
from ectype.domains import recognise
from ectype.errors import UsageError

soundfile = pytest.importorskip("soundfile")
has_sounds = pytest.mark.skipif(
    importlib.util.find_spec("FoxDot") is None, reason="the package with the sounds is missing"
)


@has_sounds
def test_the_clips_are_copied_into_two_folders(tmp_path):
    sounds, unseen = audio.write(tmp_path)
    known, kept = (sorted(path.name for path in folder.iterdir()) for folder in (sounds, unseen))
    assert len(known) + len(kept) == 346
    assert len(kept) == 28
    assert not set(known) & set(kept)
    assert {path.name for path in tmp_path.iterdir()} == {"sounds", "unseen"}
    assert recognise(sounds).name == "audio"
    for folder, name in ((sounds, known[0]), (unseen, kept[-1])):
        sound, rate = soundfile.read(folder / name)
        assert len(sound) > 0.01 * rate


@has_sounds
def test_what_is_written_stays_as_it_is(tmp_path):
    for name in ("sounds", "unseen"):
        (tmp_path / name).mkdir()
    audio.write(tmp_path)
    assert not list((tmp_path / "sounds").iterdir())


def test_without_the_package_the_error_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError) as error:
        audio.write(tmp_path)
    assert error.value.hint == "pip install 'ectype[demo]'"
