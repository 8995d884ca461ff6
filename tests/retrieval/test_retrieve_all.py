"""The top k of many users in a file: the same as one by one, complete or absent."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from adi.errors import AdiError
from adi.retrieval import retrieve_all as module
from adi.retrieval.retrieve_all import SCHEMA, retrieve_all
from adi.retrieval.retriever import Retriever
from adi.training.train import train


@pytest.fixture(scope="module")
def run(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("knn") / "run"
    train(prepared, "item-knn", out)
    return out


@pytest.fixture(scope="module")
def retriever(run: Path) -> Retriever:
    return Retriever(run)


@pytest.mark.parametrize(
    ("users", "domains", "options"),
    [
        (None, None, {}),
        (["李", "ana", "bo b"], ["feed", "search"], {"k": 2}),
        (None, ["search"], {"k": 50, "exclude_seen": False, "filter": "price < 5"}),
    ],
)
def test_each_row_is_what_the_user_gets_alone(retriever, tmp_path, monkeypatch, users, domains, options) -> None:
    monkeypatch.setattr(module, "USERS_AT_ONCE", 4)
    calls: list[tuple[str, int, int]] = []
    rows = retrieve_all(
        retriever,
        tmp_path / "top.parquet",
        users=users,
        domains=domains,
        progress=lambda *call: calls.append(call),
        **options,
    )
    table = pq.read_table(tmp_path / "top.parquet")
    assert table.schema.equals(SCHEMA)
    data = retriever.dataset
    everyone = users or [data.users.key(number) for number in range(len(data.users))]
    expected = [(domain, user) for domain in domains or data.domains for user in everyone]
    assert [(row["domain"], row["user"]) for row in table.to_pylist()] == expected
    assert rows == len(expected)
    for row in table.to_pylist():
        top = retriever.retrieve(row["domain"], user=row["user"], **options)
        assert row["items"] == list(top.ids)
        assert row["scores"] == pytest.approx(top.scores)
    assert calls[-1] == ((domains or data.domains)[-1], len(everyone), len(everyone))


def test_a_path_gives_what_its_retriever_gives(run, retriever, tmp_path) -> None:
    retrieve_all(retriever, tmp_path / "a.parquet", k=3)
    retrieve_all(str(run), str(tmp_path / "b.parquet"), k=3)
    assert pq.read_table(tmp_path / "a.parquet").equals(pq.read_table(tmp_path / "b.parquet"))


def test_a_failure_leaves_nothing(retriever, tmp_path) -> None:
    out = tmp_path / "top.parquet"
    with pytest.raises(AdiError, match="user 'x' is not known, nor are 1 more"):
        retrieve_all(retriever, out, users=["ana", "x", "y"])
    with pytest.raises(AdiError, match="domain 'serch' is not one of"):
        retrieve_all(retriever, out, domains=["serch"])
    with pytest.raises(AdiError, match="k = 0: ask for at least one item"):
        retrieve_all(retriever, out, k=0)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        retrieve_all(retriever, out, progress=stop)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(AdiError, match="no such folder"):
        retrieve_all(retriever, tmp_path / "missing" / "top.parquet")
    out.touch()
    with pytest.raises(AdiError, match=r"top\.parquet: exists\. Remove it"):
        retrieve_all(retriever, out)
