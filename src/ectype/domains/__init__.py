"""What the data is. A domain turns a user's data into a dataset and builds networks for it."""

from __future__ import annotations

import os
from typing import Any

from ectype.config import nearest
from ectype.domains.base import Domain
from ectype.domains.files import existing_path
from ectype.errors import DataError, UsageError


def known() -> dict[str, Domain]:
    """The domains that ectype brings, by name, in the order in which they are asked."""
    from ectype.domains.audio.domain import AudioDomain
    from ectype.domains.image.domain import ImageDomain
    from ectype.domains.table.domain import TableDomain
    from ectype.domains.text.domain import TextDomain

    domains = (ImageDomain(), AudioDomain(), TableDomain(), TextDomain())
    return {domain.name: domain for domain in domains}


def by_name(name: str) -> Domain:
    """A domain that ectype brings.

    Raises:
        UsageError: there is none of that name.
    """
    domains = known()
    if name not in domains:
        guess = nearest(name, domains)
        hint = f"did you mean {guess}?" if guess else f"known: {', '.join(domains)}"
        raise UsageError(f"there is no domain “{name}”", hint=hint)
    return domains[name]


def recognise(source: Any) -> Domain:
    """The first domain that takes a source for its own.

    Raises:
        UsageError: the path does not exist.
        DataError: no domain knows what it is.
    """
    if isinstance(source, str | os.PathLike):
        existing_path(source)
    for domain in known().values():
        if domain.recognises(source):
            return domain
    is_path = isinstance(source, str | os.PathLike)
    what = str(source) if is_path else f"a {type(source).__name__}"
    raise DataError(
        "this is no data that ectype knows",
        where=what,
        hint=f"known: {', '.join(known())}; --domain says which it is",
    )
