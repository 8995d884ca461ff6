"""Attributes as the values of JSON."""

from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa


def records_of(attributes: pa.Table) -> list[dict[str, Any]]:
    """The attributes of each item, without those it lacks. Times are text of ISO 8601, and decimals numbers."""
    return [{name: _plain(value) for name, value in row.items() if value is not None} for row in attributes.to_pylist()]


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    return value
