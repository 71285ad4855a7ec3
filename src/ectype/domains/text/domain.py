"""Texts: from files, folders, tables and lists to a dataset, and back to files."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from ectype.config import Family, setting
from ectype.domains.base import (
    Chosen,
    Dataset,
    Domain,
    Further,
    PrepareOptions,
    Role,
    Spec,
)
from ectype.domains.fingerprint import fingerprint
from ectype.domains.labels import choose_labels, known_labels
from ectype.domains.notes import first_rejects, part_note
from ectype.domains.splitting import check_shares, split
from ectype.domains.text import notes as text_notes
from ectype.domains.text import tokens as text_tokens
from ectype.domains.text.pages import sheet, write_texts
from ectype.domains.text.sources import Found, Unit, is_text_source, read_source
from ectype.domains.text.tokens import Kind, Tokens, to_items, to_texts
from ectype.errors import DataError, UsageError

if TYPE_CHECKING:  # inspecting data must not wait for torch
    from torch import Tensor, nn

    from ectype.measures.features import FeatureSpace
    from ectype.measures.measure import Measure
    from ectype.models.likelihoods import Likelihood
    from ectype.report.content import Exhibit

#: Fewer texts than this are no data.
FEWEST = 8
#: Texts of at most so many tokens stand in columns.
SHORT = 20
#: Width of the recurrent networks as a multiple of the capacity.
WIDTH = 8


@dataclass(frozen=True, kw_only=True)
class TextSettings:
    """How texts are read."""

    unit: Literal["auto", "lines", "blocks", "files"] = setting(
        "auto", "what a text is in .txt files: a line, a block between blank lines, a file"
    )
    column: str | None = setting(
        None, "column that holds the texts, in a table or in JSON lines; found by its content"
    )
    tokens: Literal["auto", "characters", "bytes", "bpe"] = setting(
        "auto", "what texts are learned in; bpe is pieces of words, and needs ectype[text]"
    )
    length: int | None = setting(
        None, "the most tokens of a text, its end among them; chosen from the data", least=4
    )
    longer: Literal["auto", "drop", "cut"] = setting(
        "auto", "longer texts: drop (left out), cut, or auto (cut where they are many)"
    )
    validation: float = setting(
        0.05, "share of the texts that choices in training look at", least=0
    )
    test: float = setting(0.1, "share of the texts that only evaluation looks at", least=0)


@dataclass(frozen=True, kw_only=True)
class TextSpec(Spec):
    """Texts of at most so many tokens: `shape` is (length,), the end of a text among them.

    `tokens` and `vocabulary` are what `text_tokens.make` needs; `unit` is what a text was in the
    source, and samples are written alike; `column` held the texts, where there were columns.
    """

    tokens: Kind
    vocabulary: str
    unit: Unit
    column: str | None = None

    def vocabulary_made(self) -> Tokens:
        """The vocabulary, ready to use."""
        return text_tokens.make(self.tokens, self.vocabulary)


class TextDomain(Domain):
    """Texts, stored as token numbers (n, length), seen by networks as the same numbers in fp32."""

    name = "text"
    Settings: ClassVar[type] = TextSettings
    Spec: ClassVar[type[Spec]] = TextSpec
    capacities: ClassVar[tuple[int, ...]] = (12, 16, 24, 32, 48, 64)
    default_capacity: ClassVar[int] = 16
    defaults: ClassVar[Mapping[str, Any]] = {
        "vae.latent": 32,
        "vae.beta": 0.2,
        "gan.learning_rate": 1e-3,
        "gan.generator_rate": 1.0,
        "gan.augment": "off",
    }
    sample_block: ClassVar[int] = 512
    shown_items: ClassVar[int | None] = 64
    temperatures: ClassVar[tuple[float, ...]] = (0.4, 0.6, 0.8, 1.0, 1.2)
    differentiable: ClassVar[bool] = False
    feature_spaces: ClassVar[tuple[str, ...]] = (
        "character-n-grams@256",
        "wordllama@256",
    )

    def recognises(self, source: Any) -> bool:
        """Text files, JSON lines, folders and archives of text files, lists of texts."""
        return is_text_source(source)

    def default_batch(self, family: Family, device: str) -> int:
        """Items a step, of either family: it is the autoencoder that takes the time."""
        return 64 if device == "cpu" else 512

    def prepare(self, source: Any, settings: TextSettings, options: PrepareOptions) -> Dataset:
        """Read texts into a dataset.

        Raises:
            DataError: there are too few texts that can be used.
            UsageError: the path does not exist, or the settings do not fit the source.
        """
        check_shares(settings.validation, settings.test)
        found = read_source(
            source, unit=settings.unit, column=settings.column, labels=options.labels
        )
        _check_enough(found, FEWEST, source)
        tokens, token_note = text_tokens.choose(found.texts, settings.tokens)
        encoded = tokens.encode(found.texts)
        length, cut, length_note = text_notes.choose_length(
            encoded, tokens, settings.length, settings.longer
        )
        if not cut:
            encoded = found.keep_shorter(encoded, length, text_notes.NAMES[tokens.kind])
            _check_enough(found, FEWEST, source)
        labels, names, label_note = choose_labels(found.labels, options.labels)
        keys = [group_of(text) for text in found.texts]
        parts = split(
            keys,
            seed=options.seed,
            validation=settings.validation,
            test=settings.test,
            labels=labels,
            given=found.parts,
        )
        items = to_items(encoded, length, tokens.size)
        spec = TextSpec(
            domain=self.name,
            shape=(length,),
            labels=names,
            tokens=tokens.kind,
            vocabulary=tokens.vocabulary,
            unit=found.unit,
            column=found.column,
        )
        notes = [
            text_notes.count_note(found.texts, keys),
            *found.notes,
            text_notes.reject_note(found.rejects),
            token_note,
            length_note,
            label_note,
            part_note(parts, "texts", found.parts),
        ]
        return Dataset(
            spec=spec,
            items=items,
            labels=labels,
            parts=parts,
            fingerprint=fingerprint(spec.to_json(), items, labels, parts),
            rejects=found.rejects,
            notes=[note for note in notes if note],
            summary=text_notes.summary(
                found.texts, labels, names, found.rejects, tokens, length, found.unit
            ),
        )

    def read(self, source: Any, spec: TextSpec) -> Further:
        """Texts of a source as stored items (n, length) of a spec; longer ones are cut.

        Raises:
            DataError: nothing in it can be used.
            UsageError: the path does not exist.
        """
        wish = "auto" if spec.labels else "none"
        found = read_source(source, unit=spec.unit, column=spec.column, labels=wish)
        tokens = spec.vocabulary_made()
        found.keep(
            [not tokens.lacks(text) for text in found.texts],
            lambda text: f"it has characters that the training texts lack: {tokens.lacks(text)}",
        )
        _check_enough(found, 1, source)
        return Further(
            items=to_items(tokens.encode(found.texts), spec.shape[0], tokens.size),
            labels=known_labels(found.labels, spec.labels),
            rejects=found.rejects,
        )

    def network(
        self,
        role: Role,
        spec: TextSpec,
        *,
        capacity: int,
        latent: int,
        likelihood: Likelihood | None = None,
    ) -> nn.Module:
        """See `Domain.network`; a GAN's players see latents, and are no business of a domain."""
        from ectype.nets import text as nets

        size, width = spec.vocabulary_made().size, WIDTH * capacity
        if role == "encoder":
            return nets.Encoder(size, width, spec.classes, latent)
        if role == "decoder":
            return nets.Decoder(size, spec.shape[0], width, spec.classes, latent)
        raise ValueError(f"there is no {role} of texts: a GAN learns an autoencoder's latents")

    def likelihood(self, spec: TextSpec, name: str) -> Likelihood:
        """The distribution of the next token at each place.

        Raises:
            UsageError: another one was asked for.
        """
        from ectype.models.sequences import Sequences

        if name != "auto":
            message = f"texts have no likelihood “{name}”"
            raise UsageError(message, where=f"vae.likelihood={name}", hint="leave it at auto")
        return Sequences(spec.vocabulary_made().size)

    def to_network(self, items: Tensor, spec: TextSpec) -> Tensor:
        """Token numbers (n, length) as floats."""
        return items.float()

    def from_network(self, items: Tensor, spec: TextSpec) -> np.ndarray:
        """Token numbers (n, length) in the smallest type that holds them."""
        empty = to_items([], spec.shape[0], spec.vocabulary_made().size)
        return items.detach().round().cpu().numpy().astype(empty.dtype)

    def present(self, items: np.ndarray, spec: TextSpec) -> list[str]:
        """The texts themselves."""
        return to_texts(items, spec.vocabulary_made())

    def write(
        self, samples: np.ndarray, spec: TextSpec, folder: Path, label: str | None
    ) -> list[Path]:
        """Write `samples.txt`, or `samples.jsonl` where a text may hold blank lines."""
        return write_texts(self.present(samples, spec), spec.unit, folder)

    def write_blocks(
        self, blocks: Iterable[np.ndarray], spec: TextSpec, folder: Path, label: str | None
    ) -> list[Path]:
        """See `Domain.write_blocks`."""
        texts = (text for block in blocks for text in self.present(block, spec))
        return write_texts(texts, spec.unit, folder)

    def columns(self, spec: TextSpec) -> int:
        """Eight where the texts are short, else each has a line of its own."""
        return 8 if spec.shape[0] <= SHORT else 1

    def preview(
        self, samples: np.ndarray, spec: TextSpec, path: Path, columns: int | None = None
    ) -> Path:
        """Write a sheet of texts as a .txt file; gives its path, with the suffix."""
        path = path if path.suffix == ".txt" else path.with_name(path.name + ".txt")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(sheet(self.present(samples, spec), columns), encoding="utf-8")
        return path

    def feature_space(self, name: str, spec: TextSpec) -> FeatureSpace:
        """See `Domain.feature_space`."""
        from ectype.measures.text_features import text_space

        return text_space(name, lambda items: self.present(items, spec))

    def temperature_exhibits(
        self,
        drawn: Mapping[float, np.ndarray],
        reference: Chosen,
        train: Chosen | None,
        spec: TextSpec,
        folder: Path,
    ) -> Sequence[Exhibit]:
        """Both perplexities over the temperature as a picture, and samples at each."""
        from ectype.domains.text.curve import temperature_exhibits

        sets = {t: self.present(items, spec) for t, items in drawn.items()}
        count = min(map(len, drawn.values()))
        real = None if train is None else self.present(train[:count], spec)
        return temperature_exhibits(sets, self.present(reference[:count], spec), real, folder)

    def own_measures(
        self, generated: np.ndarray, reference: Chosen, train: Chosen | None, spec: TextSpec
    ) -> dict[str, Measure]:
        """Perplexities under a judge of characters, variety of wording, and copying."""
        from ectype.measures.text_suite import text_measures

        seen = None if train is None else self.present(train[:], spec)
        return text_measures(self.present(generated, spec), self.present(reference[:], spec), seen)

    def reconstruction_measures(
        self, originals: np.ndarray, copies: np.ndarray, spec: TextSpec
    ) -> dict[str, Measure]:
        """How many characters come back."""
        from ectype.measures.text_suite import reconstruction_measures

        return reconstruction_measures(self.present(originals, spec), self.present(copies, spec))


def group_of(text: str) -> str:
    """What texts have in common that are the same but for case and punctuation."""
    return " ".join(re.findall(r"\w+", text.casefold())) or text


def _check_enough(found: Found, least: int, source: Any) -> None:
    if len(found.texts) >= least:
        return
    where = str(source) if isinstance(source, str | os.PathLike) else "a list"
    said = f"Left out: {first_rejects(found.rejects)}" if found.rejects else ""
    if least == 1 or not found.texts:
        raise DataError(f"no text can be used. {said}".strip(), where=where, hint=_FORMS)
    count = len(found.texts)
    message = f"there {'is' if count == 1 else 'are'} only {count} texts to learn from. {said}"
    raise DataError(
        message.strip(), where=where, hint=f"give {least} at least; thousands are better"
    )


_FORMS = "give .txt files in UTF-8, JSON lines, a CSV or Parquet column, or a list of str"
