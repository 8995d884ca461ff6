"""Filters of a request, evaluated on the items' attributes with a kernel of Arrow for each condition.

    condition = parse_filter("category in ('toys', 'books') and not bid < 0.5")
    condition.check(attributes.schema)        # are there such columns, and of types that compare so?
    condition.positions(attributes)           # the rows that are selected

docs/filters.md has the language. A comparison with a null is neither true nor false, nor is its opposite, and what is
not true is not selected: SQL's rule. N is the number of rows of the attributes, one for each item of a domain.
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
from adi.filters.grammar import And, Compare, Expression, Has, In, IsNull, Leaf, Literal, Not, Or, fault, parse

Mask = np.ndarray[tuple[int], np.dtype[np.bool_]]
Positions = np.ndarray[tuple[int], np.dtype[np.int64]]


@dataclass(frozen=True)
class Filter:
    """A parsed filter. It belongs to no table, can be a key of a cache, and evaluates without changing anything."""

    text: str
    expression: Expression = field(compare=False, repr=False)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it asks for, each once."""
        return tuple(dict.fromkeys(_columns(self.expression)))

    def check(self, schema: pa.Schema) -> None:
        """Raise `AdiError` for a column that the schema lacks, or one of a type that its condition does not take."""
        self.mask(schema.empty_table())

    def mask(self, attributes: pa.Table) -> Mask:
        """Which rows are selected, (N,). Raises `AdiError` as `check` does."""
        selected = pc.fill_null(_evaluate(self.expression, attributes), False)
        mask: Mask = selected.to_numpy(zero_copy_only=False) if isinstance(selected, pa.Array) else selected.to_numpy()
        return mask

    def positions(self, attributes: pa.Table) -> Positions:
        """The numbers of the rows that are selected, ascending. Raises `AdiError` as `check` does."""
        return np.flatnonzero(self.mask(attributes)).astype(np.int64, copy=False)


@lru_cache(maxsize=256)
def parse_filter(text: str) -> Filter:
    """Parse a filter, or return the one parsed of the same text lately.

    Raises `AdiError` with the character at which something else was expected; which columns there are is for `check`.
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
    """An Arrow array (N,) of true, false and null."""
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
            column, values = _alike(expression, _single(expression, attributes), [value])
            if pa.types.is_boolean(column.type) and operator not in ("=", "!="):
                raise fault(expression.at, f"column '{expression.column}' is true or false: compare it with = or !=.")
            return _COMPARE[operator](column, values[0])
        case In(values=values):
            column, listed = _alike(expression, _single(expression, attributes), values)
            return pc.if_else(pc.is_valid(column), pc.is_in(column, value_set=listed), pa.scalar(None, pa.bool_()))
        case Has(value=value):
            return _has(expression, _column(expression, attributes), value)


def _column(leaf: Leaf, attributes: pa.Table) -> pa.ChunkedArray:
    names = attributes.column_names
    if leaf.column not in names:
        known = ", ".join(names[:40]) + (f" and {len(names) - 40} more" if len(names) > 40 else "")
        raise fault(leaf.at, f"no column '{leaf.column}'.{suggestion(leaf.column, names)} Columns: {known}.")
    column = attributes[leaf.column]
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _single(leaf: Leaf, attributes: pa.Table) -> pa.ChunkedArray:
    column = _column(leaf, attributes)
    if _is_list(column.type):
        raise fault(leaf.at, f"column '{leaf.column}' is a list: ask what it contains, such as {leaf.column} has 'x'.")
    return column


def _has(leaf: Has, column: pa.ChunkedArray, value: Literal) -> pa.ChunkedArray:
    """Whether each list contains the value; null where there is no list."""
    if not _is_list(column.type):
        raise fault(leaf.at, f"column '{leaf.column}' is {_kind(column.type)} and no list: compare it with = or in.")
    found = []
    for lists in column.chunks or [pa.array([], column.type)]:
        elements, values = _alike(leaf, pc.list_flatten(lists), [value])
        inside = np.zeros(len(lists), dtype=bool)
        inside[pc.list_parent_indices(lists).filter(pc.equal(elements, values[0]))] = True
        found.append(pa.array(inside, mask=lists.is_null().to_numpy(zero_copy_only=False)))
    return pa.chunked_array(found, pa.bool_())


def _alike(leaf: Leaf, column: Any, values: Sequence[Literal]) -> tuple[Any, pa.Array]:
    """A column and what it is compared with, in one type; refuses a literal of another kind than the column."""
    kind = _kind(column.type)
    for value in values:
        if kind not in _KINDS:
            raise fault(leaf.at, f"column '{leaf.column}' is {kind}: it can only be asked for with 'is null'.")
        if not isinstance(value, _KINDS[kind].literal) or isinstance(value, bool) != (kind == "true or false"):
            shown = f"'{value}'" if isinstance(value, str) else str(value).lower()
            raise fault(leaf.at, f"column '{leaf.column}' is {kind}, and {shown} is not. {_KINDS[kind].remedy}")
    if kind == "a number":
        return _numbers(column, values)
    if kind in ("a date", "a time"):
        moments = [_moment(leaf, kind, str(value)) for value in values]
        of = pa.date32() if kind == "a date" else pa.timestamp("us", column.type.tz)
        return column.cast(of, safe=False), pa.array(moments, of)
    return column, pa.array(values, column.type)


def _numbers(column: Any, values: Sequence[Any]) -> tuple[Any, pa.Array]:
    """In the column's own precision where the values fit into it; a whole column and a fraction as float64."""
    of = column.type
    if pa.types.is_integer(of):
        limits = np.iinfo(of.to_pandas_dtype())
        if all(isinstance(value, int) and limits.min <= value <= limits.max for value in values):
            return column, pa.array(values, of)
    if of not in (pa.float32(), pa.float64()):
        of, column = pa.float64(), column.cast(pa.float64(), safe=False)
    zero = pa.scalar(0, of)  # added, it makes one zero of the two, which `is_in` tells apart
    return pc.add(column, zero), pc.add(pa.array([float(value) for value in values], of), zero)


def _moment(leaf: Leaf, kind: str, text: str) -> date | datetime:
    """A date, or a moment that is UTC where the text has no zone."""
    try:
        if kind == "a date":
            return date.fromisoformat(text)
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise fault(leaf.at, f"column '{leaf.column}' is {kind}, and '{text}' is not. {_KINDS[kind].remedy}") from None


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
"""What a column, or an element of a list, may be to be compared: which literals it takes, and a hint for others."""


def _kind(of: pa.DataType) -> str:
    types = pa.types
    if types.is_string(of) or types.is_large_string(of):
        return "text"
    if types.is_integer(of) or types.is_floating(of) or types.is_decimal(of):
        return "a number"
    if types.is_boolean(of):
        return "true or false"
    if types.is_date(of):
        return "a date"
    return "a time" if types.is_timestamp(of) else str(of)


def _is_list(of: pa.DataType) -> bool:
    return bool(pa.types.is_list(of) or pa.types.is_large_list(of))
