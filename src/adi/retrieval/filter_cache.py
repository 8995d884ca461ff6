"""The filter cache: which items of a domain a filter allows, remembered for later requests."""

from collections import OrderedDict
from threading import Lock

import pyarrow as pa

from adi.data.arrays import arrow_numbers
from adi.filters.conditions import parse_filter
from adi.index.allowed import AllowedItems
from adi.retrieval.engine import Engine

SIZE = 64
"""The number of filters, each in one domain, that are remembered."""


class FilterCache:
    """Evaluates filters on the attributes of a domain's items. Several threads may use it at once.

    A column is read when a filter first needs it and stays in memory, as do the items allowed by the most recently used
    filters.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._columns: dict[tuple[int, str], pa.ChunkedArray] = {}
        self._recent: OrderedDict[tuple[int, str], AllowedItems] = OrderedDict()
        self._lock = Lock()

    def allowed(self, domain: int, filter: str) -> AllowedItems:  # noqa: A002 - the word used throughout
        """Return the items that a filter allows; raises `AdiError` for a filter that does not fit the attributes."""
        key = domain, filter
        with self._lock:
            if key in self._recent:
                self._recent.move_to_end(key)
                return self._recent[key]
        condition = parse_filter(filter)
        condition.check(self.engine.dataset.attributes_schema(domain))
        columns = pa.table({name: self._column(domain, name) for name in condition.columns})
        allowed = AllowedItems(condition.positions(columns), len(self.engine.items(domain)))
        with self._lock:
            self._recent[key] = allowed
            while len(self._recent) > SIZE:
                self._recent.popitem(last=False)
        return allowed

    def _column(self, domain: int, name: str) -> pa.ChunkedArray:
        """Return an attribute of a domain's items, in their order."""
        if (domain, name) not in self._columns:
            column = self.engine.dataset.attributes(domain, [name])[name]
            self._columns[domain, name] = column.take(arrow_numbers(self.engine.items(domain))).combine_chunks()
        return self._columns[domain, name]
