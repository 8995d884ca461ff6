"""Items in Milvus: one collection, whose partitions are those of the domains."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from json import dumps
from os import environ
from typing import Any

import numpy as np
import pyarrow as pa
from pymilvus import DataType, MilvusClient, MilvusException

from adi.data.arrays import Array
from adi.errors import ArgumentError
from adi.stores.collection import published, reason_of
from adi.stores.records import records_of
from adi.stores.store import DOMAIN, ID, NUMBER, VECTOR, Answer, Items

TOKEN = "MILVUS_TOKEN"
"""The environment variable of the token of a server that asks for one, as ``USER:PASSWORD`` or a key."""

ADDED_AT_ONCE = 2000
LONGEST = 65_535
"""The longest text of a field, in bytes."""
LINKS, BUILD_EFFORT = 16, 200
EFFORTS = (128, 256, 512, 1024, 2048, 4096)
"""Values of ef, of which each is at least k."""


class MilvusItems:
    """A collection of items. Numbers, truth values and texts are fields of their type, other attributes JSON."""

    efforts = EFFORTS

    def __init__(self, client: MilvusClient, name: str) -> None:
        self.client, self.name = client, name

    def create(self, dim: int, attributes: pa.Schema) -> None:
        schema = self.client.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field(NUMBER, DataType.INT64, is_primary=True)
        schema.add_field(ID, DataType.VARCHAR, max_length=LONGEST)
        schema.add_field(DOMAIN, DataType.VARCHAR, max_length=LONGEST, is_partition_key=True)
        schema.add_field(VECTOR, DataType.FLOAT_VECTOR, dim=dim)
        self.attributes = attributes.names
        for field in attributes:
            options = {"max_length": LONGEST} if _type(field.type) == DataType.VARCHAR else {}
            schema.add_field(field.name, _type(field.type), nullable=True, **options)
        index = self.client.prepare_index_params()
        index.add_index(
            VECTOR, index_type="HNSW", metric_type="IP", params={"M": LINKS, "efConstruction": BUILD_EFFORT}
        )
        self.client.create_collection(self.name, schema=schema, index_params=index)

    def add(self, items: Items) -> None:
        records = records_of(items.attributes)
        for begin in range(0, len(items.ids), ADDED_AT_ONCE):
            rows = range(begin, min(begin + ADDED_AT_ONCE, len(items.ids)))
            self.client.insert(
                self.name,
                [
                    {
                        NUMBER: items.first + row,
                        ID: items.ids[row],
                        DOMAIN: items.domain,
                        VECTOR: items.vectors[row].tolist(),
                        **{name: records[row].get(name) for name in self.attributes},
                    }
                    for row in rows
                ],
            )

    def finish(self) -> None:
        self.client.flush(self.name)
        self.client.load_collection(self.name)

    def search(self, domain: str, queries: Array, k: int, effort: int) -> list[Answer]:
        answers = self.client.search(
            self.name,
            data=list(np.ascontiguousarray(queries)),
            anns_field=VECTOR,
            filter=f"{DOMAIN} == {dumps(domain, ensure_ascii=False)}",
            limit=k,
            output_fields=[ID],
            search_params={"params": {"ef": max(effort, k)}},
        )
        return [[(found[ID], found["distance"]) for found in answer] for answer in answers]

    def publish(self, alias: str) -> None:
        named = self.client.list_aliases()["aliases"]
        change = self.client.alter_alias if alias in named else self.client.create_alias
        change(collection_name=self.name, alias=alias)

    def drop(self) -> None:
        self.client.drop_collection(self.name)


def _type(of: pa.DataType) -> Any:
    """The type of a field for values of a type of Arrow."""
    if pa.types.is_boolean(of):
        return DataType.BOOL
    if pa.types.is_integer(of):
        return DataType.INT64
    if pa.types.is_floating(of) or pa.types.is_decimal(of):
        return DataType.DOUBLE
    if pa.types.is_string(of) or pa.types.is_large_string(of) or pa.types.is_temporal(of):
        return DataType.VARCHAR
    return DataType.JSON


@contextmanager
def milvus_items(out: str, alias: str, name: str) -> Iterator[MilvusItems]:
    """A new collection at the address of a server, or in a file of Milvus Lite. `alias` names it when the block ends.

    The collection is removed if the block fails. Raises `ArgumentError` for a server that does not answer.
    """
    try:
        client = MilvusClient(out, token=environ.get(TOKEN, ""))
    except (MilvusException, OSError, ValueError) as error:
        raise ArgumentError("out", f"{out}: no Milvus answers there ({reason_of(error)}).") from None
    with closing(client), published(MilvusItems(client, name), alias, out, (MilvusException,)) as items:
        yield items
