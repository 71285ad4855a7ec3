"""Tables: from CSV, Parquet and DataFrames to a dataset, and back to rows as they came."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ectype.config import Family, setting
from ectype.domains.base import (
    Chosen,
    Conditions,
    Dataset,
    Domain,
    Further,
    PrepareOptions,
    Role,
    SelectsBy,
    Spec,
)
from ectype.domains.fingerprint import fingerprint
from ectype.domains.notes import part_note
from ectype.domains.splitting import check_shares, split
from ectype.domains.table.columns import NAMES, Column
from ectype.domains.table.csv import FOUND_OUT
from ectype.domains.table.kinds import find
from ectype.domains.table.notes import kinds_notes, label_note, summary
from ectype.domains.table.output import write_rows
from ectype.domains.table.preparing import (
    guess_target,
    keys,
    label_of,
    require,
    settled,
    with_all_labels,
    without_broken,
)
from ectype.domains.table.rules import Rules, check_kinds, parse
from ectype.domains.table.sources import Table, is_table, open_table, with_label
from ectype.domains.table.where import conditions
from ectype.errors import DataError, UsageError

if TYPE_CHECKING:  # inspecting data must not wait for torch
    from torch import Tensor, nn

    from ectype.domains.table.coding import Coding
    from ectype.measures.features import FeatureSpace
    from ectype.measures.measure import Measure
    from ectype.models.likelihoods import Likelihood
    from ectype.report import Exhibit


@dataclass(frozen=True, kw_only=True)
class TableSettings:
    """How a table is read."""

    columns: dict[str, str] = dataclasses.field(
        default_factory=dict,
        metadata={"doc": "kind of a column, as data.columns.NAME=category, where the guess errs"},
    )
    rules: str | None = setting(
        None, "what always holds, for instance “start<=end; net+tax=total; unique: id”"
    )
    target: str | None = setting(
        None, "column that evaluation predicts from the others; the label, or guessed"
    )
    encoding: str | None = setting(None, "of a CSV file, for instance cp1252; else found out")
    validation: float = setting(0.05, "share of the rows that choices in training look at", least=0)
    test: float = setting(0.1, "share of the rows that only evaluation looks at", least=0)


@dataclass(frozen=True, kw_only=True)
class TableSpec(Spec):
    """A table's columns.

    `shape` is (modelled columns,); `columns` are all of them in order, each a `Column` as plain
    JSON; `form` is how the file was written; `target` is what evaluation predicts.
    """

    columns: tuple[dict[str, Any], ...]
    form: dict[str, Any]
    target: str | None = None
    rules: tuple[dict[str, Any], ...] = ()

    @cached_property
    def table(self) -> tuple[Column, ...]:
        """All columns."""
        return tuple(Column(**column) for column in self.columns)

    @cached_property
    def modelled(self) -> tuple[Column, ...]:
        """The columns of stored rows."""
        return tuple(column for column in self.table if column.modelled)

    @cached_property
    def label(self) -> int | None:
        """The label's position among the modelled columns."""
        name = self.form.get("label")
        names = [column.name for column in self.modelled]
        return names.index(name) if name in names else None

    @cached_property
    def coding(self) -> Coding:
        """Passes between stored rows and what networks read."""
        from ectype.domains.table.coding import Coding

        codes = range(len(self.labels))
        return Coding(self.modelled, self.label, [*codes])

    @cached_property
    def keeping(self) -> Rules | None:
        """The rules that rows keep, None if there are none."""
        return Rules(self.rules, self.modelled) if self.rules else None

    @property
    def names(self) -> np.ndarray:
        """Of each modelled column whether its values are names, bool (columns,)."""
        return np.array([column.kind in NAMES for column in self.modelled])


class TableDomain(Domain):
    """Rows of a table.

    Stored items are float64 (n, columns): numbers, dates in steps since 1970, positions of
    categories among their values, NaN for what is missing.
    """

    name = "table"
    Settings = TableSettings
    Spec = TableSpec
    capacities: ClassVar[tuple[int, ...]] = (96, 128, 192, 256, 384)
    default_capacity: ClassVar[int] = 128
    sample_block: ClassVar[int] = 512
    shown_items: ClassVar[int | None] = 64
    feature_spaces: ClassVar[tuple[str, ...]] = ("rows",)
    defaults: ClassVar[Mapping[str, Any]] = {
        "vae.latent": 8,
        "vae.free_bits": 0.25,
        "vae.prior": "mixture",
        "vae.learning_rate": 2e-3,
        "gan.learning_rate": 1e-3,
        "gan.generator_rate": 1.0,
    }

    def recognises(self, source: Any) -> bool:
        """Whether it is a CSV or Parquet file or a pandas DataFrame."""
        return is_table(source)

    def default_batch(self, family: Family, device: str) -> int:
        """See `Domain.default_batch`."""
        return 512 if device == "cpu" else 2048

    def selects_by(self, family: Family, spec: TableSpec) -> SelectsBy:
        """See `Domain.selects_by`."""
        if family == "vae":
            return "bound"
        return "last" if spec.coding.layout.few else "frechet"

    def prepare(self, source: Any, settings: TableSettings, options: PrepareOptions) -> Dataset:
        """Read a table, find out what its columns are, and part its rows.

        Raises:
            DataError: it cannot be used; the message names line and column.
            UsageError: a setting names a column or a kind that does not exist.
        """
        check_shares(settings.validation, settings.test)
        table = open_table(source, settings.encoding)
        names = [raw.name for raw in table.columns]
        for wish in (*settings.columns, *([settings.target] if settings.target else [])):
            require(wish, names)
        rules, unique = parse(settings.rules, names)
        kinds = {**settings.columns, **dict.fromkeys(unique, "identifier")}
        found = [find(raw, kinds.get(raw.name)) for raw in table.columns]
        modelled = [f for f in found if f.column.modelled]
        if not modelled:
            raise DataError(
                "no column is left to learn: all are identifiers, constant or free text",
                where=table.where,
                hint="say what they are, for instance --set data.columns.NAME=category",
            )
        wish = with_label(source)[1] if options.labels == "auto" else None
        label = label_of(wish or options.labels, found, names)
        check_kinds(rules, [f.column for f in found])
        keeping = Rules(rules, [f.column for f in modelled])
        alone = [raw for raw in table.columns if raw.name in unique]
        stored = np.stack([f.stored for f in modelled], 1)
        left, broken = without_broken(stored, keeping, alone, table)
        stored = stored[left]
        parts = split(
            keys(stored),
            seed=options.seed,
            validation=settings.validation,
            test=settings.test,
        )
        if label is not None:  # before values are counted in the training rows
            at = [f.column.name for f in modelled].index(label)
            parts = with_all_labels(parts, stored[:, at])
        columns, stored = settled(found, stored, parts["train"], label)
        learned = Rules(rules, [c for c in columns if c.modelled]).learned(stored)
        spec, labels = self._spec(table, columns, learned, stored, settings, label)
        notes = [
            *table.notes,
            *kinds_notes(columns),
            label_note(label, options.labels),
            f"{part_note(parts, 'rows')} Equal rows share a part.",
        ]
        return Dataset(
            spec=spec,
            items=stored,
            labels=labels,
            parts=parts,
            fingerprint=fingerprint(spec.to_json(), stored, None, parts),
            rejects=[*table.rejects, *broken],
            notes=[note for note in notes if note],
            summary=summary(columns, len(stored)),
        )

    def _spec(
        self,
        table: Table,
        columns: Sequence[Column],
        rules: Sequence[dict[str, Any]],
        stored: np.ndarray,
        settings: TableSettings,
        label: str | None,
    ) -> tuple[TableSpec, np.ndarray | None]:
        """The spec, and the label of every row."""
        modelled = [column for column in columns if column.modelled]
        labels: tuple[str, ...] = ()
        index = None
        if label is not None:
            at = next(i for i, column in enumerate(modelled) if column.name == label)
            labels = tuple(str(value) for value in modelled[at].values)
            index = stored[:, at].astype(np.int64)
        spec = TableSpec(
            domain=self.name,
            shape=(stored.shape[1],),
            labels=labels,
            columns=tuple(dataclasses.asdict(column) for column in columns),
            form={**table.form, "label": label},
            target=settings.target or label or guess_target(modelled),
            rules=tuple(rules),
        )
        return spec, index

    def read(self, source: Any, spec: TableSpec) -> Further:
        """Rows of a source as stored rows of a spec; it may lack columns that are not modelled.

        Raises:
            DataError: a column is missing, or no row can be used.
            UsageError: the path does not exist.
        """
        from ectype.domains.table.reading import read_as

        encoding = spec.form.get("encoding")
        try:
            table = open_table(source, None if encoding in FOUND_OUT else encoding)
        except DataError:
            table = open_table(source)  # further rows may be written otherwise
        items, rejects = read_as(table, spec.modelled)
        labels = None if spec.label is None else items[:, spec.label].astype(np.int64)
        return Further(items=items, labels=labels, rejects=rejects)

    def network(
        self,
        role: Role,
        spec: TableSpec,
        *,
        capacity: int,
        latent: int,
        likelihood: Likelihood | None = None,
    ) -> nn.Module:
        """See `Domain.network`."""
        from ectype.nets import perceptron
        from ectype.nets import table as nets

        layout, classes = spec.coding.layout, spec.classes
        if role == "generator":
            return nets.RowGenerator(layout, width=2 * capacity, latent=latent, classes=classes)
        if role == "discriminator":
            return nets.RowJudge(layout, width=2 * capacity, classes=classes)
        if role == "encoder":
            return perceptron.HalvedPerceptron(
                layout.size, latent, width=capacity, blocks=1, classes=classes
            )
        return nets.RowDecoder(layout, width=capacity, latent=latent, classes=classes)

    def likelihood(self, spec: TableSpec, name: str) -> Likelihood:
        """See `Domain.likelihood`; there is only the domain's own."""
        from ectype.domains.table.likelihood import RowLikelihood

        if name != "auto":
            raise UsageError(
                f"tables have no likelihood “{name}”",
                where=f"vae.likelihood={name}",
                hint="leave it at auto: every column has the distribution of its kind",
            )
        return RowLikelihood(spec.coding.layout)

    def to_network(self, items: Tensor, spec: TableSpec) -> Tensor:
        """Stored rows to network rows, see `nets/rows.py`."""
        return spec.coding.encode(items)

    def from_network(self, items: Tensor, spec: TableSpec) -> np.ndarray:
        """Network rows to stored rows, which keep all rules."""
        rows = spec.coding.decode(items)
        return rows if spec.keeping is None else spec.keeping.kept(rows)

    def present(self, items: np.ndarray, spec: TableSpec) -> Any:
        """A pandas DataFrame with the columns, their order and dtypes as they came."""
        from ectype.domains.table.output import frame

        return frame(spec.table, items)

    def write(
        self, samples: np.ndarray, spec: TableSpec, folder: Path, label: str | None
    ) -> list[Path]:
        """Write `samples.csv`, or `samples.parquet` where a Parquet file was learned from."""
        del label  # it is a column
        return [write_rows([samples], spec.table, spec.form, folder)]

    def write_blocks(
        self, blocks: Iterator[np.ndarray], spec: TableSpec, folder: Path, label: str | None
    ) -> list[Path]:
        """See `write`."""
        del label
        return [write_rows(blocks, spec.table, spec.form, folder)]

    def conditions(self, text: str, spec: TableSpec) -> Conditions:
        """Conditions on columns, see `table/where.py`."""
        return conditions(text, spec.modelled, spec.label)

    def preview(
        self, samples: np.ndarray, spec: TableSpec, path: Path, columns: int | None = None
    ) -> Path:
        """Write the first rows as they stand in a table, as text; gives the path."""
        from ectype.domains.table.output import aligned

        path = path if path.suffix == ".txt" else path.with_name(path.name + ".txt")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(aligned(spec.table, samples, group=columns), encoding="utf-8")
        return path

    def feature_space(self, name: str, spec: TableSpec) -> FeatureSpace:
        """`rows`: numbers by their rank, names one-hot; see `table/features.py`."""
        from ectype.domains.table.features import row_space

        if name != "rows":
            return super().feature_space(name, spec)
        return row_space(spec.modelled)

    def own_measures(
        self, generated: np.ndarray, reference: Chosen, train: Chosen | None, spec: TableSpec
    ) -> dict[str, Measure]:
        """See `domains/table/measures.py`."""
        from ectype.domains.table.measures import row_measures

        return row_measures(generated, reference, train, spec)

    def own_exhibits(
        self,
        generated: np.ndarray,
        reference: Chosen,
        train: Chosen | None,
        spec: TableSpec,
        folder: Path,
    ) -> Sequence[Exhibit]:
        """Distributions column by column, and correlations; worst first."""
        from ectype.domains.table.exhibits import row_exhibits

        return row_exhibits(generated, np.asarray(reference), spec, folder)
