"""Sounds to look at and to listen to: a sheet of waveforms and mel spectra, WAV files, morphs."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
from PIL import Image

from ectype.domains.grids import grid_shape
from ectype.nets.mel import log_mel

#: Pixels of a cell: its width, the heights of the waveform and of the spectrum, the gap around.
WIDTH, WAVE, BANDS, GAP = 144, 28, 80, 4
#: What a spectrum shows, dB below a sine at full scale.
RANGE = 70.0
#: A sheet has few colours: from silent to loud, then those of the page and of waveforms.
LEVELS = 240
PAGE, INK, GROUND = LEVELS, LEVELS + 1, LEVELS + 2
_OTHERS = ((255, 255, 255), (38, 70, 120), (243, 244, 247))
_REDS, _GREENS = (8, 54, 132, 206, 247, 252), (8, 16, 30, 66, 144, 244)
_BLUES = (24, 92, 108, 78, 56, 180)


def sheet(items: np.ndarray, rate: int, columns: int | None = None) -> np.ndarray:
    """Sounds row by row, each a waveform above its mel spectrum, uint8 (height, width).

    The numbers are places in `palette`.

    Channels are drawn as their mean. A spectrum has low frequencies below and shows 70 dB.

    Args:
        items: int16 (n, length, channels).
        rate: samples a second.
        columns: number of columns; chosen where it is None.
    """
    rows, columns = grid_shape(len(items), columns)
    height = WAVE + BANDS
    page = np.full((rows * (height + GAP) + GAP, columns * (WIDTH + GAP) + GAP), PAGE, np.uint8)
    for number, item in enumerate(items):
        row, column = divmod(number, columns)
        top, left = GAP + row * (height + GAP), GAP + column * (WIDTH + GAP)
        sound = item.astype(np.float32).mean(1) / np.float32(32767)
        page[top : top + WAVE, left : left + WIDTH] = waveform(sound)
        page[top + WAVE : top + height, left : left + WIDTH] = spectrum(sound, rate)
    return page


def waveform(sound: np.ndarray) -> np.ndarray:
    """A sound (length,) as the range of its samples in each column, (WAVE, WIDTH)."""
    picture = np.full((WAVE, WIDTH), GROUND, np.uint8)
    firsts = np.linspace(0, len(sound), WIDTH, endpoint=False).astype(int)
    rows = np.arange(WAVE)[:, None]
    low, high = (extreme.reduceat(sound, firsts) for extreme in (np.minimum, np.maximum))
    middle = (WAVE - 1) / 2
    above, below = np.floor(middle * (1 - high)), np.ceil(middle * (1 - low))
    picture[(rows >= above) & (rows <= below)] = INK
    return picture


def spectrum(sound: np.ndarray, rate: int) -> np.ndarray:
    """The mel spectrum of a sound (length,), low frequencies below, (BANDS, WIDTH)."""
    window = 2 ** round(np.log2(0.064 * rate))
    hop = max(1, len(sound) // WIDTH)
    mel = log_mel(sound[None], rate, window=window, hop=hop, bands=BANDS, floor=-RANGE)[0]
    columns = np.linspace(0, mel.shape[1] - 1, WIDTH).round().astype(int)
    level = np.clip(1 + mel[::-1, columns] / RANGE, 0, 1)
    return np.rint(level * (LEVELS - 1)).astype(np.uint8)


def palette() -> list[int]:
    """Red, green and blue of every colour of a sheet, one after another."""
    places = np.linspace(0, len(_REDS) - 1, LEVELS)
    channels = [np.interp(places, range(len(stops)), stops) for stops in (_REDS, _GREENS, _BLUES)]
    levels = np.rint(np.stack(channels, 1)).astype(int).ravel().tolist()
    return [*levels, *(value for colour in _OTHERS for value in colour)]


def save_png(page: np.ndarray, path: Path) -> Path:
    """Write a sheet as a PNG; gives its path, with the suffix."""
    path = path if path.suffix == ".png" else path.with_name(path.name + ".png")
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(page)
    picture.putpalette(palette())
    picture.save(path)
    return path


def save_wav(sound: np.ndarray, rate: int, path: Path) -> Path:
    """Write int16 (length, channels) as a WAV file of 16 bits, which needs no library."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(sound.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.ascontiguousarray(sound, "<i2").tobytes())
    return path


def in_sequence(sounds: np.ndarray, rate: int, pause: float = 0.1) -> np.ndarray:
    """Sounds (n, length, channels) one after another, with a short pause, (total, channels)."""
    gap = np.zeros((round(pause * rate), sounds.shape[2]), sounds.dtype)
    return np.concatenate([part for sound in sounds for part in (sound, gap)])


def morph(steps: np.ndarray) -> np.ndarray:
    """One sound that begins as the first step and ends as the last, (length, channels).

    All steps run at once; at every moment the two whose turn it is are heard, cross-faded.

    Args:
        steps: int16 (n, length, channels), sounds on the way between two.
    """
    n, length, _ = steps.shape
    place = np.linspace(0, n - 1, length)
    share = np.clip(1 - np.abs(place - np.arange(n)[:, None]), 0, 1)
    mixed = (share[:, :, None] * steps).sum(0)
    return np.rint(np.clip(mixed, -32768, 32767)).astype(np.int16)
