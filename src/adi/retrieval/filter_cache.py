"""Which items of a domain a request's filter admits."""

from collections import OrderedDict
from threading import Lock

import pyarrow as pa

from adi.data.arrays import arrow_numbers
from adi.filters.conditions import parse_filter
from adi.retrieval.engine import Admitted, Engine

LATEST = 64
"""How many filters, each in one domain, are remembered."""


class Admission:
    """Evaluates filters on the attributes of a domain's items. Several threads may ask at once.

    Columns are read when a filter first asks for them, and stay in memory, as does what the latest filters admitted.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._columns: dict[tuple[int, str], pa.ChunkedArray] = {}
        self._latest: OrderedDict[tuple[int, str], Admitted] = OrderedDict()
        self._lock = Lock()

    def admitted(self, domain: int, text: str) -> Admitted:
        """What the engine made of the places that a filter admits; raises `AdiError` for a filter that does not fit."""
        key = domain, text
        with self._lock:
            if key in self._latest:
                self._latest.move_to_end(key)
                return self._latest[key]
        condition = parse_filter(text)
        condition.check(self.engine.dataset.attributes_schema(domain))
        columns = pa.table({name: self._column(domain, name) for name in condition.columns})
        found = self.engine.admit(domain, condition.positions(columns))
        with self._lock:
            self._latest[key] = found
            while len(self._latest) > LATEST:
                self._latest.popitem(last=False)
        return found

    def _column(self, domain: int, name: str) -> pa.ChunkedArray:
        if (domain, name) not in self._columns:
            column = self.engine.dataset.attributes(domain, [name])[name]
            self._columns[domain, name] = column.take(arrow_numbers(self.engine.items(domain))).combine_chunks()
        return self._columns[domain, name]
