"""Sounds: from folders, archives and arrays to clips of one form, and back to WAV files."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ectype.config import Family
from ectype.domains.audio.decoding import PEAK, SILENT, libraries
from ectype.domains.audio.files import (
    SOUNDS,
    FileSounds,
    Sounds,
    counts_as_sounds,
    open_arrays,
    without_clipped,
)
from ectype.domains.audio.form import caps, choose_form
from ectype.domains.audio.groups import group_keys
from ectype.domains.audio.notes import cut_note, loudness_note, summary
from ectype.domains.audio.spec import AudioSettings, AudioSpec
from ectype.domains.audio.store import cut_all, store
from ectype.domains.base import (
    Chosen,
    Dataset,
    Domain,
    Further,
    PrepareOptions,
    Reject,
    Role,
    Spec,
)
from ectype.domains.cache import Cache
from ectype.domains.files import existing_path, is_archive, open_tree
from ectype.domains.fingerprint import fingerprint
from ectype.domains.labels import choose_labels, known_labels
from ectype.domains.notes import first_rejects, part_note, reject_note
from ectype.domains.parallel import available_cores
from ectype.domains.splitting import check_shares, split
from ectype.errors import DataError, UsageError

if TYPE_CHECKING:  # inspecting data must not wait for torch
    from torch import Tensor, nn

    from ectype.measures.features import FeatureSpace
    from ectype.measures.measure import Measure
    from ectype.models.likelihoods import Likelihood
    from ectype.nets.augment import Augmentation
    from ectype.nets.spectrum import SpectrumGrid
    from ectype.report import Exhibit

#: Sounds that a report lets one listen to, of each kind.
HEARD = 12


class AudioDomain(Domain):
    """Sounds, stored as int16 (n, length, channels), seen by networks as (n, channels, length)."""

    name = "audio"
    Settings: ClassVar[type] = AudioSettings
    Spec: ClassVar[type[Spec]] = AudioSpec
    capacities: ClassVar[tuple[int, ...]] = (16, 24, 32, 48, 64)
    sample_block: ClassVar[int] = 16
    default_capacity: ClassVar[int] = 16
    defaults: ClassVar[Mapping[str, Any]] = {
        "vae.latent": 64,
        "vae.learning_rate": 2e-3,
        "gan.learning_rate": 1e-3,
        "gan.generator_rate": 1.0,
        "gan.gamma": 0.05,
        "gan.penalty_every": 8,
    }
    feature_spaces: ClassVar[tuple[str, ...]] = ("log-mel-statistics", "log-mel-picture")
    #: Statistics do not know when in a sound something is; pictures do.
    copy_spaces: ClassVar[tuple[str, ...]] = ("log-mel-picture",)

    def recognises(self, source: Any) -> bool:
        """Paths with sounds; arrays only when the domain is named, since any numbers may be."""
        if not isinstance(source, str | os.PathLike):
            return False
        path = Path(source).expanduser()
        if path.suffix.lower() in SOUNDS and path.is_file():
            return True
        return (path.is_dir() or is_archive(path)) and counts_as_sounds(open_tree(path))

    def default_batch(self, family: Family, device: str) -> int:
        """See `Domain.default_batch`."""
        return 16 if device == "cpu" else 64

    def prepare(self, source: Any, settings: AudioSettings, options: PrepareOptions) -> Dataset:
        """Cut sounds into clips of one form; they are kept in the cache.

        Raises:
            DataError: nothing in it can be used.
            UsageError: the path does not exist, a package is missing, or the settings do not fit.
            StorageError: the disk is full, or the cache cannot be written.
        """
        check_shares(settings.validation, settings.test)
        sounds = _open(source, settings.rate)
        workers = settings.workers or available_cores()
        cache = Cache(settings.cache)
        survey = sounds.survey(cache, workers)
        if settings.clipped == "leave_out":
            survey = without_clipped(survey)
        _check_any(len(survey.names), survey.rejects, sounds.where)
        form, form_notes = choose_form(
            survey.heard,
            rate=settings.rate,
            seconds=settings.seconds,
            channels=settings.channels,
            loudness=settings.loudness,
            trim=settings.trim,
            cap=caps(options.budget, options.device),
        )
        stored = store(sounds, survey, form, cache=cache, workers=workers)
        rejects = survey.rejects + stored.rejects
        _check_any(len(stored.items), rejects, sounds.where)

        labels, label_names, label_note = choose_labels(
            [survey.labels[i] for i in stored.index], options.labels
        )
        keys, group_notes = group_keys(sounds, survey, stored, settings.group)
        given = [survey.parts[i] for i in stored.index]
        parts = split(
            keys,
            seed=options.seed,
            validation=settings.validation,
            test=settings.test,
            labels=labels,
            given=given,
        )
        spec = AudioSpec(
            domain=self.name,
            shape=(form.length, form.channels),
            labels=label_names,
            rate=form.rate,
            loudness=form.loudness,
            trim=form.trim,
            whitening=_whitening(stored.items, parts["train"], form.rate),
        )
        # the whitening follows from the rest, but for rounding
        facts = {name: fact for name, fact in spec.to_json().items() if name != "whitening"}
        notes = [
            *survey.notes,
            reject_note(rejects),
            *form_notes,
            cut_note(survey, stored, form),
            loudness_note(form),
            label_note,
            *group_notes,
            part_note(parts, "clips", given),
        ]
        return Dataset(
            spec=spec,
            items=stored.items,
            labels=labels,
            parts=parts,
            fingerprint=fingerprint(facts, stored.hashes, labels, parts),
            rejects=rejects,
            notes=[note for note in notes if note],
            summary=summary(spec, survey, stored, labels, parts, len(rejects)),
        )

    def pinned(self, spec: AudioSpec) -> dict[str, str]:
        """Rate, length and channels, which are otherwise chosen for the budget."""
        length, channels = spec.shape
        return {
            "rate": str(spec.rate),
            "seconds": repr(length / spec.rate),
            "channels": "stereo" if channels == 2 else "mono",
        }

    def read(self, source: Any, spec: AudioSpec) -> Further:
        """Sounds of a source as stored clips of a spec, duplicates included.

        Raises:
            DataError: nothing in it can be used.
            UsageError: the path does not exist, or a package is missing.
        """
        sounds = _open(source, spec.rate)
        workers = available_cores()
        survey = sounds.survey(None, workers)
        items, index, rejects = cut_all(sounds, survey, spec.form, workers)
        _check_any(len(items), rejects := survey.rejects + rejects, sounds.where)
        labels = known_labels([survey.labels[number] for number in index], spec.labels)
        return Further(items=items, labels=labels, rejects=rejects)

    def network(
        self,
        role: Role,
        spec: AudioSpec,
        *,
        capacity: int,
        latent: int,
        likelihood: Likelihood | None = None,
    ) -> nn.Module:
        """See `Domain.network`."""
        from ectype.nets import audio as nets

        grid, classes = _grid(spec), spec.classes
        if role == "discriminator":
            return nets.Discriminator(grid, capacity, classes)
        if role == "generator":
            return nets.Generator(grid, capacity, classes, latent)
        if role == "encoder":
            return nets.Encoder(grid, capacity, classes, latent)
        return nets.Decoder(grid, capacity, classes, latent)

    def likelihood(self, spec: AudioSpec, name: str) -> Likelihood:
        """Spectra with noise, whatever the name says but one that makes no sense here.

        Raises:
            UsageError: a likelihood of pictures was asked for.
        """
        from ectype.models.spectral import SpectralEnergy

        if name != "auto":
            raise UsageError(
                f"there is no likelihood “{name}” for sounds",
                where=f"vae.likelihood={name}",
                hint="leave it at auto",
            )
        return SpectralEnergy(_grid(spec))

    def augmentation(self, spec: AudioSpec) -> Augmentation | None:
        """Gain, shift, polarity and, without labels, speed; see `nets/audio_augment.py`."""
        from ectype.nets.audio_augment import SoundAugmentation

        return SoundAugmentation(speed=not spec.labels)

    def to_network(self, items: Tensor, spec: AudioSpec) -> Tensor:
        """int16 (n, length, channels) to float32 (n, channels, length) in [−1, 1]."""
        return items.permute(0, 2, 1).float().div(32767).contiguous()

    def from_network(self, items: Tensor, spec: AudioSpec) -> np.ndarray:
        """(n, channels, length) around [−1, 1] to int16 (n, length, channels).

        Where every clip of the data has one peak, these are brought to it too, unless they are
        silent; else what lies beyond full scale is cut.
        """
        values = items.detach().float()
        if spec.loudness == "peak":
            peaks = values.abs().amax((1, 2), keepdim=True)
            factor = (PEAK / peaks).masked_fill(peaks <= SILENT, 1.0)
            values = values * factor
        values = values.mul(32767).round().clamp(-32767, 32767)
        return np.ascontiguousarray(values.permute(0, 2, 1).cpu().numpy().astype(np.int16))

    def present(self, items: np.ndarray, spec: AudioSpec) -> np.ndarray:
        """float32 (n, length, channels) in [−1, 1]."""
        return items.astype(np.float32) / np.float32(32767)

    def write(
        self, samples: np.ndarray, spec: AudioSpec, folder: Path, label: str | None
    ) -> list[Path]:
        """Write `00000.wav`, `00001.wav`, … of 16 bits; gives their paths."""
        from ectype.domains.audio.drawing import save_wav

        del label  # the folder is the caller's to choose
        folder.mkdir(parents=True, exist_ok=True)
        return [
            save_wav(sample, spec.rate, folder / f"{number:05d}.wav")
            for number, sample in enumerate(samples)
        ]

    def preview(
        self, samples: np.ndarray, spec: AudioSpec, path: Path, columns: int | None = None
    ) -> Path:
        """Write a sheet of waveforms and mel spectra as a PNG; gives its path, with the suffix."""
        from ectype.domains.audio.drawing import save_png, sheet

        return save_png(sheet(samples, spec.rate, columns), path)

    def write_walks(
        self, items: np.ndarray, spec: AudioSpec, folder: Path, steps: int
    ) -> list[Path]:
        """Write `walk-1.wav`, all steps in turn, `morph-1.wav`, one sound of all, and so on."""
        from ectype.domains.audio.drawing import in_sequence, morph, save_wav

        folder.mkdir(parents=True, exist_ok=True)
        paths: list[Path] = []
        for number, start in enumerate(range(0, len(items), steps), start=1):
            walk = items[start : start + steps]
            for name, sound in (("walk", in_sequence(walk, spec.rate)), ("morph", morph(walk))):
                paths.append(save_wav(sound, spec.rate, folder / f"{name}-{number}.wav"))
        return paths

    def feature_space(self, name: str, spec: AudioSpec) -> FeatureSpace:
        """Statistics whitened on the training clips, or coarse log-mel pictures."""
        from ectype.measures import audio as measures
        from ectype.measures.features import FeatureSpace

        whiten = measures.Whitening.from_numbers(spec.whitening)

        def statistics(items: np.ndarray, /, *, device: str = "cpu") -> np.ndarray:
            del device
            return whiten(measures.statistics(items, spec.rate))

        def picture(items: np.ndarray, /, *, device: str = "cpu") -> np.ndarray:
            del device
            return measures.mel_pictures(items, spec.rate)

        extract = {"log-mel-statistics": statistics, "log-mel-picture": picture}[name]
        return FeatureSpace(name=f"{name}@{spec.rate}", dim=None, extract=extract)

    def own_measures(
        self, generated: np.ndarray, reference: Chosen, train: Chosen | None, spec: AudioSpec
    ) -> dict[str, Measure]:
        """Shares of silent and of clipped sounds."""
        from ectype.measures.audio import share_measures

        return share_measures(generated, reference, train)

    def reconstruction_measures(
        self, originals: np.ndarray, copies: np.ndarray, spec: AudioSpec
    ) -> dict[str, Measure]:
        """Distances of spectra and of waveforms; see `ectype.measures.audio`."""
        from ectype.measures.audio import reconstruction_measures

        return reconstruction_measures(originals, copies, spec.rate)

    def own_exhibits(
        self,
        generated: np.ndarray,
        reference: Chosen,
        train: Chosen | None,
        spec: AudioSpec,
        folder: Path,
    ) -> Sequence[Exhibit]:
        """Samples and real sounds to listen to."""
        from ectype.domains.audio.drawing import save_wav
        from ectype.report import Exhibit

        def heard(items: np.ndarray, key: str, title: str, caption: str) -> Exhibit:
            files = tuple(
                save_wav(item, spec.rate, folder / f"{key}-{number}.wav")
                for number, item in enumerate(items[:HEARD], start=1)
            )
            return Exhibit(key=key, title=title, caption=caption, files=files)

        return (
            heard(generated, "listen", "Listen: samples", "The first samples, not chosen."),
            heard(reference[:HEARD], "listen-real", "Listen: real", "Held-out real sounds."),
        )


def _grid(spec: AudioSpec) -> SpectrumGrid:
    from ectype.nets.spectrum import SpectrumGrid

    length, channels = spec.shape
    return SpectrumGrid(rate=spec.rate, length=length, channels=channels)


def _open(source: Any, rate: int | None) -> Sounds:
    """Whatever a user may give as sounds."""
    if not isinstance(source, str | os.PathLike):
        libraries()  # arrays of another length are as much in need of them
        return open_arrays(source, rate)
    path = existing_path(source)
    libraries()
    return FileSounds(open_tree(path))


def _whitening(items: np.ndarray, train: np.ndarray, rate: int) -> tuple[float, ...]:
    from ectype.measures.audio import fit_whitening

    return fit_whitening(items, train, rate).numbers()


def _check_any(count: int, rejects: list[Reject], where: str) -> None:
    if not count:
        raise DataError(
            f"no sound can be used. {first_rejects(rejects)}",
            where=where,
            hint="give WAV, FLAC, OGG, MP3 or AIFF files that other programs can play",
        )
