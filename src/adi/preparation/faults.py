"""Faulty rows and values of the user's tables, with their places: what `strict` refuses."""

from collections.abc import Mapping

import ibis
from ibis import _

from adi.errors import ArgumentError, shown
from adi.features.kinds import KINDS
from adi.preparation.set_aside import ASKED_FOR
from adi.schema import ColumnFeature

EXAMPLES = 3
"""The number of faults of a table or feature that are shown with their places."""


def faulty_rows(rows: ibis.Table, columns: Mapping[str, str]) -> ibis.Table:
    """The rows that are set aside for a fault: file, file_row, reason, column and value.

    `columns` maps columns of `rows` to their names in the user's table. The first that is missing in a row is at fault;
    if none is, the last.
    """
    faulty = rows.filter(_.reason.notnull() & ~_.reason.isin(sorted(ASKED_FOR)))
    *_others, (last, last_name) = columns.items()
    missing = [(faulty[column].isnull(), name) for column, name in columns.items()]
    return faulty.select(
        "file", "file_row", "reason",
        column=ibis.cases(*missing, else_=last_name),
        value=ibis.cases(*((is_missing, None) for is_missing, _name in missing), else_=faulty[last]),
    )  # fmt: skip


def faulty_values(rows: ibis.Table, feature: ColumnFeature, value: str) -> ibis.Table | None:
    """The rows whose value of a feature, in the column `value`, counts as missing though it is there.

    None for a feature that takes every value.
    """
    ignored = KINDS[feature.kind].ignored(rows.select("file", "file_row", value=rows[value]))
    if ignored is None:
        return None
    # Spark has other words for them than DuckDB, and Arrow no NaN for what comes through pandas.
    words = ibis.cases((ignored.value.isnan(), "NaN"), (ignored.value > 0, "inf"), else_="-inf")
    return ignored.mutate(reason=ibis.literal("not finite"), column=ibis.literal(feature.source_column), value=words)


def places(faulty: ibis.Table, most: int = EXAMPLES) -> list[str]:
    """The first faults with file, row, column and value, for messages."""
    first = faulty.order_by("file", "file_row").limit(most).to_pyarrow().to_pylist()
    return [
        f"{fault['file']}, row {fault['file_row']}, column '{fault['column']}': "
        f"{'no value' if fault['value'] is None else shown(fault['value'])}"
        for fault in first
    ]


def refuse_faults(sources: Mapping[str, ibis.Table]) -> None:
    """Raise `ArgumentError` if there are faults; `sources` has them by what messages call their table or feature."""
    lines = []
    for name, faulty in sources.items():
        counted = faulty.group_by("reason").agg(rows=_.count()).order_by("reason").to_pyarrow().to_pylist()
        if counted:
            lines.append(f"{name}: " + ", ".join(f"{count['rows']:,} {count['reason']}" for count in counted))
            lines += [f"  {example}" for example in places(faulty)]
    if lines:
        raise ArgumentError(
            "strict",
            "\n  ".join(["faulty rows or values.", *lines])
            + "\nMend them, or leave strict out: then such rows are set aside, and such values count as missing.",
        )
