"""The top-K of many users in a file: the same as one by one, complete or absent."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from adi.errors import AdiError
from adi.retrieval import batch
from adi.retrieval.batch import SCHEMA, retrieve_all
from adi.retrieval.retriever import Retriever
from adi.training.train import train


@pytest.fixture(scope="module")
def retriever(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Retriever:
    run = tmp_path_factory.mktemp("knn") / "run"
    train(prepared, "item-knn", run)
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
    monkeypatch.setattr(batch, "USERS_AT_ONCE", 4)
    told: list[tuple[str, int, int]] = []
    written = retrieve_all(
        retriever,
        tmp_path / "top.parquet",
        users=users,
        domains=domains,
        progress=lambda *each: told.append(each),
        **options,
    )
    table = pq.read_table(tmp_path / "top.parquet")
    assert table.schema.equals(SCHEMA)
    data = retriever.dataset
    everyone = users or [data.users.key(number) for number in range(len(data.users))]
    asked = [(domain, user) for domain in domains or data.domains for user in everyone]
    assert [(row["domain"], row["user"]) for row in table.to_pylist()] == asked
    assert written == len(asked)
    for row in table.to_pylist():
        top = retriever.retrieve(row["domain"], user=row["user"], **options)
        assert row["items"] == [one.item for one in top.items]
        assert row["scores"] == pytest.approx([one.score for one in top.items])
    assert told[-1] == ((domains or data.domains)[-1], len(everyone), len(everyone))


def test_what_cannot_be_done_leaves_nothing(retriever, tmp_path) -> None:
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
