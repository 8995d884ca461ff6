"""A table of Spark: in its catalogue, or a DataFrame that the caller has."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from adi.engines.spark.types import in_spark
from adi.engines.tables import FILE, ROW, Connection, describe, quoted, refuse_reserved, require_columns

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


class SparkTable:
    """A `adi.engines.tables.RawTable` whose columns DuckDB describes by an empty table of the same types."""

    def __init__(self, connection: Connection, name: str, frame: "DataFrame") -> None:
        from pyspark.sql.pandas.types import to_arrow_schema

        self.name, self.frame = name, frame
        refuse_reserved(name, frame.columns)
        self._registered = f"spark_{name}"
        schema = in_spark(to_arrow_schema(frame.schema))
        connection.register(self._registered, schema.empty_table())

    def __str__(self) -> str:
        return self.name

    @property
    def files(self) -> list[str]:
        return [self.name]

    def columns(
        self, connection: Connection, wanted: Mapping[str, str] | None = None, text: Collection[str] = ()
    ) -> dict[str, str]:
        columns = describe(connection, quoted(self._registered))
        require_columns(self.name, columns, wanted or {})
        return columns

    def sql(self, text: Collection[str] = ()) -> str:
        """SQL for an empty table of the same columns."""
        star = ", ".join(f"CAST({quoted(name)} AS VARCHAR) AS {quoted(name)}" for name in sorted(text))
        replaced = f" REPLACE ({star})" if star else ""
        return f"(SELECT *{replaced}, '' AS {FILE}, 0::BIGINT AS {ROW} FROM {quoted(self._registered)})"

    @contextmanager
    def reading(self, connection: Connection, text: Collection[str] = ()) -> Iterator[None]:
        yield
