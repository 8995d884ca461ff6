"""A run's items in each store: all of them, with their attributes, found as the run finds them, or none."""

import json
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pymilvus import MilvusClient
from qdrant_client import QdrantClient

import adi.stores.milvus
import adi.stores.qdrant
import small
from adi.errors import AdiError, ArgumentError
from adi.exporting.export import export
from adi.retrieval.retriever import Retriever
from adi.stores import copy
from adi.stores.copy import copy_items, merged
from adi.stores.milvus import MilvusItems
from adi.stores.parquet import ParquetFiles
from adi.stores.qdrant import QdrantItems
from adi.stores.store import check_names
from adi.training.train import train

SMALL = {**small.SMALL, "blend": False}


@pytest.fixture(scope="module")
def run(prepared, tmp_path_factory) -> Path:
    """A run of a model with several vectors for each user."""
    folder = tmp_path_factory.mktemp("run") / "mind"
    train(prepared, "mind", folder, settings=SMALL)
    return folder


@pytest.fixture(scope="module")
def retriever(run, tmp_path_factory) -> Retriever:
    """The bundle of the run."""
    out = tmp_path_factory.mktemp("bundle") / "bundle"
    export(run, out)
    return Retriever(out)


@pytest.fixture
def milvus(tmp_path):
    return str(tmp_path / "items.db")


@pytest.fixture
def qdrant(tmp_path, monkeypatch):
    """A folder whose Qdrant is in memory: on disk each point takes a hundredth of a second."""
    client = QdrantClient(":memory:")
    monkeypatch.setattr(client, "close", lambda: None)
    monkeypatch.setattr(adi.stores.qdrant, "QdrantClient", lambda path: client)
    return client


def corpus(retriever, number):
    return retriever.dataset.items.keys_of(retriever.engine.items(number))


def assert_complete(records, retriever):
    """Each item of each domain once, with the attributes that it has."""
    for number, domain in enumerate(retriever.dataset.domains):
        expected = retriever.dataset.attributes_of(number, retriever.engine.items(number)).to_pylist()
        found = {record["id"]: record for record in records if record["domain"] == domain}
        assert sorted(found) == sorted(corpus(retriever, number))
        for item, attributes in zip(corpus(retriever, number), expected, strict=True):
            for name, value in attributes.items():
                stored = found[item].get(name)
                assert (list(stored) if isinstance(value, list) else stored) == value, (item, name)


def test_parquet_has_the_vectors_of_the_run(run, retriever, tmp_path):
    copied = copy_items(run, "parquet", str(tmp_path / "items"), progress=False)
    assert {name: domain.items for name, domain in copied.domains.items()} == {
        name: len(corpus(retriever, number)) for number, name in enumerate(retriever.dataset.domains)
    }
    assert {domain.recall for domain in copied.domains.values()} == {1.0}
    table = pq.read_table(tmp_path / "items", partitioning="hive")
    assert_complete(table.to_pylist(), retriever)
    for domain in retriever.dataset.domains:
        rows = [row for row in table.to_pylist() if row["domain"] == domain]
        history = corpus(retriever, 0)[:2]
        vectors = retriever.user_vectors(domain, history=history)
        scores = (vectors @ np.array([row["vector"] for row in rows], dtype=np.float32).T).max(axis=0)
        top = retriever.retrieve(domain, history=history, k=3, exclude_seen=False)
        order = np.argsort(-scores)[:3]
        assert [rows[row]["id"] for row in order] == list(top.ids)
        np.testing.assert_allclose(scores[order], top.scores, rtol=1e-4)


def test_a_model_with_one_vector_for_each_user(prepared, tmp_path):
    train(prepared, "dnn", tmp_path / "dnn", settings=SMALL)
    copied = copy_items(tmp_path / "dnn", "parquet", str(tmp_path / "items"), progress=False)
    assert {domain.recall for domain in copied.domains.values()} == {1.0}


def test_vespa_has_an_application_and_its_feed(run, retriever, tmp_path):
    copied = copy_items(run, "vespa", str(tmp_path / "application"), alias="item", progress=False)
    feed = (tmp_path / "application/feed").iterdir()
    documents = [json.loads(line) for path in feed for line in path.read_text(encoding="utf-8").splitlines()]
    assert_complete([document["fields"] for document in documents], retriever)
    assert len({document["put"] for document in documents}) == len(documents)
    assert all(document["put"].startswith("id:item:item::") for document in documents)
    schema = (tmp_path / "application/schemas/item.sd").read_text(encoding="utf-8")
    assert f"tensor<float>(x[{copied.dim}])" in schema
    assert "distance-metric: dotproduct" in schema
    for name in retriever.dataset.attributes_schema(0).names:
        assert f"field {name} type " in schema


def test_milvus_is_searched_by_domain_and_takes_the_place_of_its_predecessor(run, retriever, milvus, monkeypatch):
    names = []
    for number in range(2):
        monkeypatch.setattr(copy, "name_of", lambda alias, number=number: f"{alias}_{number}")
        copied = copy_items(run, "milvus", milvus, alias="items", k=3, progress=False)
        assert min(domain.recall for domain in copied.domains.values()) >= 0.99
        names.append(copied.name)
    client = MilvusClient(milvus)
    try:
        assert sorted(client.list_collections()) == names  # the earlier one is kept, to go back to
        assert client.describe_alias("items")["collection_name"] == names[1]
        records = client.query("items", filter="number >= 0", output_fields=["*"])
        assert_complete(records, retriever)
        assert {len(record["vector"]) for record in records} == {copied.dim}
        for domain in retriever.dataset.domains:
            assert_top_of_store(MilvusItems(client, "items"), retriever, domain)
    finally:
        client.close()


def test_qdrant_is_searched_by_domain_and_takes_the_place_of_its_predecessor(run, retriever, qdrant, monkeypatch):
    names = []
    for number in range(2):
        monkeypatch.setattr(copy, "name_of", lambda alias, number=number: f"{alias}_{number}")
        copied = copy_items(run, "qdrant", "items", alias="items", k=3, progress=False)
        assert {domain.recall for domain in copied.domains.values()} == {1.0}
        names.append(copied.name)
    assert sorted(each.name for each in qdrant.get_collections().collections) == names
    points, _ = qdrant.scroll("items", limit=10_000, with_vectors=True)
    assert_complete([point.payload for point in points], retriever)
    assert {len(point.vector) for point in points} == {copied.dim}
    for domain in retriever.dataset.domains:
        assert_top_of_store(QdrantItems(qdrant, "items", is_local=True), retriever, domain)


def assert_top_of_store(store, retriever, domain):
    """The best items of the store and their scores are those of the bundle."""
    history = corpus(retriever, 0)[:2]
    expected = retriever.retrieve(domain, history=history, k=3, exclude_seen=False)
    queries = retriever.user_vectors(domain, history=history)
    answers = store.search(domain, queries, 3, store.efforts[0])
    assert merged(answers, 3) == list(expected.ids)
    best = sorted((score for answer in answers for _, score in answer), reverse=True)
    assert best[0] == pytest.approx(expected.scores[0], rel=1e-4)


def test_an_item_of_several_interests_has_its_best_score():
    assert merged([[("a", 2.0), ("b", 1.0)], [("b", 3.0), ("c", 0.5)]], 2) == ["b", "a"]


def test_where_a_graph_finds_too_little_lengths_are_made_equal(run, retriever, milvus, monkeypatch):
    def search(self, domain, queries, k, effort, found=MilvusItems.search):
        if queries.shape[1] == SMALL["dim"] + 1:  # with the prior of popularity, and without another coordinate
            return [[("no such item", 1.0)]] * len(queries)
        return found(self, domain, queries, k, effort)

    names = iter(["items_0", "items_1"])
    monkeypatch.setattr(copy, "name_of", lambda alias: next(names))
    monkeypatch.setattr(MilvusItems, "search", search)
    copied = copy_items(run, "milvus", milvus, alias="items", k=3, progress=False)
    assert (copied.name, copied.equal_lengths, copied.dim) == ("items_1", True, SMALL["dim"] + 2)
    client = MilvusClient(milvus)
    try:
        assert client.list_collections() == ["items_1"]
        lengths = [
            np.linalg.norm(
                [record["vector"] for record in client.query("items", f"domain == '{domain}'", ["vector"])], axis=1
            )
            for domain in retriever.dataset.domains
        ]
        for of_domain in lengths:
            np.testing.assert_allclose(of_domain, of_domain[0], rtol=1e-5)
        history = corpus(retriever, 0)[:2]
        queries = copied.queries(retriever.user_vectors("feed", history=history))
        expected = retriever.retrieve("feed", history=history, k=3, exclude_seen=False)
        answers = MilvusItems(client, "items").search("feed", queries, 3, 128)
        assert merged(answers, 3) == list(expected.ids)
    finally:
        client.close()


@pytest.mark.parametrize("to", ["milvus", "qdrant", "parquet"])
def test_below_the_target_nothing_is_left(run, to, milvus, qdrant, tmp_path, monkeypatch):
    def wrong(self, domain, queries, k, effort):
        return [[("no such item", 1.0)]] * len(queries)

    for store in (MilvusItems, QdrantItems, ParquetFiles):
        monkeypatch.setattr(store, "search", wrong)
    out = {"milvus": milvus, "qdrant": "items", "parquet": str(tmp_path / "items")}[to]
    with pytest.raises(AdiError, match=r"domain '\w+': the store finds 0\.0000 of the exact top 3, and the target is"):
        copy_items(run, to, out, k=3, progress=False)
    assert not qdrant.get_collections().collections
    assert not (tmp_path / "items").exists()
    if to == "milvus":
        client = MilvusClient(milvus)
        try:
            assert not client.list_collections()
        finally:
            client.close()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"to": "milvos"},
            r"to: 'milvos' is not one of bundle, milvus, parquet, qdrant, vespa\. Did you mean 'milvus'\?",
        ),
        ({"attributes": ["colour"]}, r"attributes: 'colour' is not one of "),
        ({"target": 1.5}, r"target: a recall@100 of 1\.5; give one above 0 and up to 1"),
        ({"k": 0}, r"target: a recall@0 of 0\.99; give one .* a k of 1 or more"),
        ({"alias": "two words"}, r"alias: 'two words' is no name of letters, digits and _\."),
    ],
)
def test_bad_arguments(run, tmp_path, arguments, message):
    with pytest.raises(ArgumentError, match=message):
        copy_items(run, **{"to": "parquet", "out": str(tmp_path / "items"), **arguments}, progress=False)
    assert not (tmp_path / "items").exists()


def test_chosen_attributes_alone_are_copied(run, tmp_path):
    copy_items(run, "parquet", str(tmp_path / "items"), attributes=[], progress=False)
    names = pq.read_table(tmp_path / "items", partitioning="hive").column_names
    assert sorted(names) == ["domain", "id", "number", "vector"]


def test_an_attribute_with_the_name_of_a_field_is_refused():
    with pytest.raises(ArgumentError, match=r"an attribute is called 'domain', which is a field of every record"):
        check_names(pa.schema({"price": pa.float64(), "domain": pa.string()}))


def test_a_server_that_does_not_answer(run, tmp_path):
    for to, reason in (("qdrant", "no Qdrant answers there"), ("milvus", "no Milvus answers there")):
        with pytest.raises(ArgumentError, match=rf"out: http://127\.0\.0\.1:9: {reason}"):
            copy_items(run, to, "http://127.0.0.1:9", progress=False)


def test_a_missing_client_is_named_with_its_extra(run, monkeypatch):
    @contextmanager
    def missing(place):
        raise ModuleNotFoundError("No module named 'qdrant_client'", name="qdrant_client")
        yield

    monkeypatch.setattr(copy, "import_module", lambda module: missing(module).__enter__())
    with pytest.raises(
        AdiError, match=r"client of qdrant is missing\. Install it: pip install 'adi-retrieval\[qdrant\]'"
    ):
        copy_items(run, "qdrant", "items", progress=False)
