"""Types that both DuckDB and Spark have."""

import pyarrow as pa

WIDER = {pa.uint8(): pa.int16(), pa.uint16(): pa.int32(), pa.uint32(): pa.int64(), pa.uint64(): pa.decimal128(20, 0)}


def in_spark(schema: pa.Schema) -> pa.Schema:
    """The schema with types of Spark: signed numbers, microseconds, plain text."""
    return pa.schema([pa.field(field.name, _type_in_spark(field.type)) for field in schema])


def _type_in_spark(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_list(kind):
        return pa.list_(_type_in_spark(kind.value_type))
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", kind.tz)
    if pa.types.is_dictionary(kind):
        return _type_in_spark(kind.value_type)
    return WIDER.get(kind, kind)
