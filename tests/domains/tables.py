"""What tests of tables share."""

from ectype.domains.base import Dataset, PrepareOptions, Spec
from ectype.domains.table.domain import TableDomain, TableSettings, TableSpec


def prepared(source, **settings) -> Dataset:
    return TableDomain().prepare(source, TableSettings(**settings), PrepareOptions())


def table_spec(spec: Spec) -> TableSpec:
    assert isinstance(spec, TableSpec)
    return spec
