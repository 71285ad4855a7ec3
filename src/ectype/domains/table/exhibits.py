"""What a report shows of a table: columns side by side with the real ones, the worst first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ectype.domains.table.drawing import differences, distributions
from ectype.measures.table import associated, column_shapes, pair_trends

if TYPE_CHECKING:
    from ectype.domains.table.domain import TableSpec
    from ectype.report import Exhibit

#: Columns that are drawn, the worst ones; more would be no small multiples.
MOST_TILES, MOST_PAIRED, LISTED = 40, 30, 10


def row_exhibits(
    generated: np.ndarray, real: np.ndarray, spec: TableSpec, folder: Path
) -> Sequence[Exhibit]:
    """Draw them into a folder.

    Args:
        generated: stored rows (n, columns).
        real: held-out stored rows (m, columns).
        spec: of the table.
        folder: where files go.
    """
    from ectype.report import Exhibit

    n = min(len(real), len(generated))
    real, generated = real[:n], generated[:n]
    columns, names = spec.modelled, spec.names
    shapes = column_shapes(real, generated, names)
    order = np.argsort(shapes, kind="stable")
    folder.mkdir(parents=True, exist_ok=True)
    drawn, paired, listed = (folder / f for f in ("columns.png", "pairs.png", "worst.txt"))
    page = distributions(columns, real, generated, shapes.tolist(), order[:MOST_TILES].tolist())
    page.save(drawn)
    found = [
        Exhibit(
            key="columns",
            title="Columns",
            caption="How values are spread in real and in generated rows, the worst column first; "
            "beside its name how alike the two are, 1 being the same.",
            files=(drawn,),
        )
    ]
    if len(columns) > 1:
        # of names that have nothing to do with a column the frequencies differ by chance alone
        told = associated(real, names) | (~names[:, None] & ~names)
        trends = np.where(told, pair_trends(real, generated, names), np.nan)
        least = np.where(np.isnan(trends), 1.0, trends).min(1)
        shown = np.sort(np.argsort(least, kind="stable")[:MOST_PAIRED])
        differences([columns[i].name for i in shown], 1 - trends[np.ix_(shown, shown)]).save(paired)
        listed.write_text(_worst(spec, shapes, trends), encoding="utf-8")
        found += [
            Exhibit(
                key="pairs",
                title="Pairs of columns",
                caption="How much two columns vary together otherwise than in real rows: of "
                "numbers the difference of correlations, else of joint frequencies. Dark is bad; "
                "grey pairs have nothing to do with one another in real rows.",
                files=(paired,),
            ),
            Exhibit(
                key="worst",
                title="Worst first",
                caption="The columns and the pairs that differ most from real rows.",
                files=(listed,),
            ),
        ]
    return found


def _worst(spec: TableSpec, shapes: np.ndarray, trends: np.ndarray) -> str:
    names = [column.name for column in spec.modelled]
    lines = ["column shapes"]
    lines += [f"  {shapes[i]:.3f}  {names[i]}" for i in np.argsort(shapes)[:LISTED]]
    upper = np.triu_indices(len(names), 1)
    order = np.argsort(trends[upper])[:LISTED]
    lines.append("pair trends")
    for i, j in zip(upper[0][order], upper[1][order], strict=True):
        if np.isnan(trends[i, j]):
            break
        lines.append(f"  {trends[i, j]:.3f}  {names[i]} × {names[j]}")
    return "\n".join(lines) + "\n"
