"""Evaluation of filters on items' attributes, with an Arrow kernel for each condition.

    condition = parse_filter("category in ('toys', 'books') and not bid < 0.5")
    condition.check(attributes.schema)        # raises for missing columns and wrong types
    condition.positions(attributes)           # the rows that the filter allows

docs/filters.md documents the language. As in SQL, a comparison with a null is neither true nor false, nor is its
negation, and a row is allowed only where the filter is true. N is the number of rows, one for each item of a domain.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import lru_cache, reduce
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from adi.errors import suggestion
from adi.filters.grammar import And, Compare, Condition, Expression, Has, In, IsNull, Literal, Not, Or, error_at, parse

Mask = np.ndarray[tuple[int], np.dtype[np.bool_]]
Positions = np.ndarray[tuple[int], np.dtype[np.int64]]


@dataclass(frozen=True)
class Filter:
    """A parsed filter: hashable, immutable and independent of any table."""

    text: str
    expression: Expression = field(compare=False, repr=False)

    @property
    def columns(self) -> tuple[str, ...]:
        """The distinct columns that it reads."""
        return tuple(dict.fromkeys(_columns(self.expression)))

    def check(self, schema: pa.Schema) -> None:
        """Raise `AdiError` for a column that the schema lacks, or whose type does not fit its condition."""
        self.mask(schema.empty_table())

    def mask(self, attributes: pa.Table) -> Mask:
        """Return which rows the filter allows (N,). Raises `AdiError` as `check` does."""
        allowed = pc.fill_null(_evaluate(self.expression, attributes), False)
        mask: Mask = allowed.to_numpy(zero_copy_only=False) if isinstance(allowed, pa.Array) else allowed.to_numpy()
        return mask

    def positions(self, attributes: pa.Table) -> Positions:
        """Return the numbers of the allowed rows, ascending. Raises `AdiError` as `check` does."""
        return np.flatnonzero(self.mask(attributes)).astype(np.int64, copy=False)


@lru_cache(maxsize=256)
def parse_filter(text: str) -> Filter:
    """Parse a filter; recent ones are cached.

    Raises `AdiError` for a syntax error, with the character and what was expected there. Columns are not checked.
    """
    return Filter(text, parse(text))


def _columns(expression: Expression) -> Iterator[str]:
    match expression:
        case And(parts) | Or(parts):
            for part in parts:
                yield from _columns(part)
        case Not(part):
            yield from _columns(part)
        case Compare() | In() | Has() | IsNull():
            yield expression.column


_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "=": pc.equal,
    "!=": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}


def _evaluate(expression: Expression, attributes: pa.Table) -> Any:
    """Return an Arrow array (N,) of true, false and null."""
    match expression:
        case And(parts):
            return reduce(pc.and_kleene, (_evaluate(part, attributes) for part in parts))
        case Or(parts):
            return reduce(pc.or_kleene, (_evaluate(part, attributes) for part in parts))
        case Not(part):
            return pc.invert(_evaluate(part, attributes))
        case IsNull():
            return pc.is_null(_column(expression, attributes))
        case Compare(operator=operator, value=value):
            column, values = _comparable(expression, _scalar_column(expression, attributes), [value])
            if pa.types.is_boolean(column.type) and operator not in ("=", "!="):
                raise error_at(
                    expression.at, f"column '{expression.column}' is true or false: compare it with = or !=."
                )
            return _COMPARE[operator](column, values[0])
        case In(values=values):
            column, value_set = _comparable(expression, _scalar_column(expression, attributes), values)
            return pc.if_else(pc.is_valid(column), pc.is_in(column, value_set=value_set), pa.scalar(None, pa.bool_()))
        case Has(value=value):
            return _has(expression, _column(expression, attributes), value)


def _column(condition: Condition, attributes: pa.Table) -> pa.ChunkedArray:
    """Return the column of a condition; raises `AdiError` for a missing one, with the nearest that exists."""
    names = attributes.column_names
    if condition.column not in names:
        known = ", ".join(names[:40]) + (f" and {len(names) - 40} more" if len(names) > 40 else "")
        raise error_at(
            condition.at, f"no column '{condition.column}'.{suggestion(condition.column, names)} Columns: {known}."
        )
    column = attributes[condition.column]
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _scalar_column(condition: Condition, attributes: pa.Table) -> pa.ChunkedArray:
    """Return the column of a condition; raises `AdiError` for a column of lists."""
    column = _column(condition, attributes)
    if _is_list(column.type):
        raise error_at(
            condition.at,
            f"column '{condition.column}' is a list: ask what it contains, such as {condition.column} has 'x'.",
        )
    return column


def _has(condition: Has, column: pa.ChunkedArray, value: Literal) -> pa.ChunkedArray:
    """Return whether each list contains the value, null where there is no list."""
    if not _is_list(column.type):
        raise error_at(
            condition.at, f"column '{condition.column}' is {_kind(column.type)} and no list: compare it with = or in."
        )
    chunks = []
    for lists in column.chunks or [pa.array([], column.type)]:
        elements, values = _comparable(condition, pc.list_flatten(lists), [value])
        contains = np.zeros(len(lists), dtype=bool)
        contains[pc.list_parent_indices(lists).filter(pc.equal(elements, values[0]))] = True
        chunks.append(pa.array(contains, mask=lists.is_null().to_numpy(zero_copy_only=False)))
    return pa.chunked_array(chunks, pa.bool_())


def _comparable(condition: Condition, column: Any, values: Sequence[Literal]) -> tuple[Any, pa.Array]:
    """Return a column and the literals of its condition in one type; raises `AdiError` for literals of another kind."""
    kind = _kind(column.type)
    for value in values:
        if kind not in _KINDS:
            raise error_at(
                condition.at, f"column '{condition.column}' is {kind}: it can only be asked for with 'is null'."
            )
        if not isinstance(value, _KINDS[kind].literal) or isinstance(value, bool) != (kind == "true or false"):
            shown = f"'{value}'" if isinstance(value, str) else str(value).lower()
            raise error_at(
                condition.at, f"column '{condition.column}' is {kind}, and {shown} is not. {_KINDS[kind].remedy}"
            )
    if kind == "a number":
        return _numbers(column, values)
    if kind in ("a date", "a time"):
        moments = [_moment(condition, kind, str(value)) for value in values]
        moment_type = pa.date32() if kind == "a date" else pa.timestamp("us", column.type.tz)
        return column.cast(moment_type, safe=False), pa.array(moments, moment_type)
    return column, pa.array(values, column.type)


def _numbers(column: Any, values: Sequence[Any]) -> tuple[Any, pa.Array]:
    """Return numbers in the column's type if the literals fit into it, else as float64."""
    number_type = column.type
    if pa.types.is_integer(number_type):
        limits = np.iinfo(number_type.to_pandas_dtype())
        if all(isinstance(value, int) and limits.min <= value <= limits.max for value in values):
            return column, pa.array(values, number_type)
    if number_type not in (pa.float32(), pa.float64()):
        number_type, column = pa.float64(), column.cast(pa.float64(), safe=False)
    zero = pa.scalar(0, number_type)  # adding it turns -0.0 into 0.0, which `is_in` would tell apart
    return pc.add(column, zero), pc.add(pa.array([float(value) for value in values], number_type), zero)


def _moment(condition: Condition, kind: str, text: str) -> date | datetime:
    """Parse a date, or a time, which is UTC if the text has no zone."""
    try:
        if kind == "a date":
            return date.fromisoformat(text)
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise error_at(
            condition.at, f"column '{condition.column}' is {kind}, and '{text}' is not. {_KINDS[kind].remedy}"
        ) from None


@dataclass(frozen=True)
class _Kind:
    literal: tuple[type, ...]
    remedy: str


_KINDS = {
    "text": _Kind((str,), "Put the text in single quotes."),
    "a number": _Kind((int, float), "Write a number, without quotes."),
    "true or false": _Kind((bool,), "Write true or false, without quotes."),
    "a date": _Kind((str,), "Write one such as '2024-01-31'."),
    "a time": _Kind((str,), "Write one such as '2024-01-31 12:00:00'; without a zone it is UTC."),
}
"""The kinds of columns, and of elements of lists, that can be compared: accepted literals, and a hint for others."""


def _kind(column_type: pa.DataType) -> str:
    """Return a key of `_KINDS`, or the type's name."""
    types = pa.types
    if types.is_string(column_type) or types.is_large_string(column_type):
        return "text"
    if types.is_integer(column_type) or types.is_floating(column_type) or types.is_decimal(column_type):
        return "a number"
    if types.is_boolean(column_type):
        return "true or false"
    if types.is_date(column_type):
        return "a date"
    return "a time" if types.is_timestamp(column_type) else str(column_type)


def _is_list(column_type: pa.DataType) -> bool:
    return bool(pa.types.is_list(column_type) or pa.types.is_large_list(column_type))
