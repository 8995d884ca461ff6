"""Items in Qdrant: one collection, of which each domain is a tenant with a graph of its own."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from os import environ
from time import sleep
from typing import Any

import pyarrow as pa
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import ApiException, ResponseHandlingException, UnexpectedResponse

from adi.data.arrays import Array
from adi.errors import ArgumentError
from adi.stores.collection import published, reason_of
from adi.stores.records import records_of
from adi.stores.store import DOMAIN, ID, Answer, Items

KEY = "QDRANT_API_KEY"
"""The environment variable of the key of a server that asks for one."""

ADDED_AT_ONCE = 512
LINKS = 16
"""Links of an item in its domain's graph."""
EFFORTS = (128, 256, 512, 1024, 2048, 4096)
"""Values of hnsw_ef."""
PAUSE = 1.0
"""Seconds between looks at whether the server has built its graphs."""


class QdrantItems:
    """A collection of items; `is_local` is a client without a server, which scans."""

    def __init__(self, client: QdrantClient, name: str, *, is_local: bool) -> None:
        self.client, self.name, self.is_local = client, name, is_local
        self.efforts = (0,) if is_local else EFFORTS

    def create(self, dim: int, attributes: pa.Schema) -> None:
        self.client.create_collection(
            self.name,
            vectors_config=models.VectorParams(size=dim, distance=models.Distance.DOT, on_disk=True),
            hnsw_config=models.HnswConfigDiff(m=0, payload_m=LINKS),  # no graph over all domains
        )
        if not self.is_local:
            self.client.create_payload_index(
                self.name, DOMAIN, models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, is_tenant=True)
            )

    def add(self, items: Items) -> None:
        records = records_of(items.attributes)
        for begin in range(0, len(items.ids), ADDED_AT_ONCE):
            rows = range(begin, min(begin + ADDED_AT_ONCE, len(items.ids)))
            points = models.Batch(
                ids=[items.first + row for row in rows],
                vectors=items.vectors[begin : begin + ADDED_AT_ONCE].tolist(),
                payloads=[{ID: items.ids[row], DOMAIN: items.domain, **records[row]} for row in rows],
            )
            self.client.upsert(self.name, points, wait=True)

    def finish(self) -> None:
        """Wait for the graphs: until they are there, the server scans."""
        while self.client.get_collection(self.name).status != models.CollectionStatus.GREEN:
            sleep(PAUSE)

    def search(self, domain: str, queries: Array, k: int, effort: int) -> list[Answer]:
        in_domain = models.Filter(must=[models.FieldCondition(key=DOMAIN, match=models.MatchValue(value=domain))])
        params = None if self.is_local else models.SearchParams(hnsw_ef=effort)
        requests = [
            models.QueryRequest(query=query, filter=in_domain, limit=k, params=params, with_payload=[ID])
            for query in queries.tolist()
        ]
        answers = self.client.query_batch_points(self.name, requests)
        return [[((found.payload or {})[ID], found.score) for found in answer.points] for answer in answers]

    def publish(self, alias: str) -> None:
        named = {each.alias_name for each in self.client.get_aliases().aliases}
        operations: list[Any] = [
            models.CreateAliasOperation(create_alias=models.CreateAlias(collection_name=self.name, alias_name=alias))
        ]
        if alias in named:
            operations.insert(0, models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=alias)))
        self.client.update_collection_aliases(operations)

    def drop(self) -> None:
        self.client.delete_collection(self.name)


@contextmanager
def qdrant_items(out: str, alias: str, name: str) -> Iterator[QdrantItems]:
    """A new collection at the address of a server, or in a folder without one. `alias` names it when the block ends.

    The collection is removed if the block fails. Raises `ArgumentError` for a server that does not answer.
    """
    is_local = "://" not in out
    try:
        client = (
            QdrantClient(path=out)
            if is_local
            else QdrantClient(out, api_key=environ.get(KEY), check_compatibility=False)
        )
        client.get_collections()
    except (ApiException, OSError, RuntimeError, ValueError) as error:
        raise ArgumentError("out", f"{out}: no Qdrant answers there ({reason_of(error)}).") from None
    items, refusals = QdrantItems(client, name, is_local=is_local), (ResponseHandlingException, UnexpectedResponse)
    with closing(client), published(items, alias, out, refusals):
        yield items
