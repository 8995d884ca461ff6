"""The top k of many users in a file: the same as one by one, complete or absent."""

import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from adi.errors import AdiError, ArgumentError
from adi.retrieval import list_files
from adi.retrieval import retrieve_all as module
from adi.retrieval.list_files import REQUEST
from adi.retrieval.retrieve_all import SCHEMA, retrieve_all
from adi.retrieval.retriever import Retriever
from adi.training import engine
from adi.training.engine import RunEngine
from adi.training.train import train
from later_data import Rows, renumber


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


def test_a_run_scores_no_more_users_at_a_time_than_fit_in_memory(retriever, tmp_path, monkeypatch) -> None:
    retrieve_all(retriever, tmp_path / "at-once.parquet", filter="price < 5")
    users, search = [], RunEngine._search
    monkeypatch.setattr(engine, "SCORES_AT_ONCE", 2 * len(retriever.engine.items(0)))
    monkeypatch.setattr(
        RunEngine,
        "_search",
        lambda self, domain, queries, *args: users.append(len(queries)) or search(self, domain, queries, *args),
    )
    retrieve_all(retriever, tmp_path / "parts.parquet", domains=["search"], filter="price < 5")
    assert users == [2] * (len(retriever.dataset.users) // 2) + [1] * (len(retriever.dataset.users) % 2)
    at_once = pq.read_table(tmp_path / "at-once.parquet", filters=[("domain", "=", "search")])
    assert pq.read_table(tmp_path / "parts.parquet").equals(at_once)


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


@pytest.fixture
def small_files(monkeypatch) -> None:
    monkeypatch.setattr(list_files, "USERS_PER_FILE", 3)
    monkeypatch.setattr(module, "USERS_AT_ONCE", 2)


def rows_of(folder: Path) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = pq.read_table(folder, partitioning="hive").select(SCHEMA.names).to_pylist()
    return sorted(rows, key=lambda row: (str(row["domain"]), str(row["user"])))


@pytest.mark.usefixtures("small_files")
def test_parts_of_a_folder_are_the_lists_of_one_file(retriever, tmp_path) -> None:
    retrieve_all(retriever, tmp_path / "top.parquet", k=3, progress=False)
    expected = sorted(pq.read_table(tmp_path / "top.parquet").to_pylist(), key=lambda row: (row["domain"], row["user"]))
    written = [retrieve_all(retriever, tmp_path / "top", k=3, part=(number, 3), progress=False) for number in (1, 2, 3)]
    assert (sum(written), all(written)) == (len(expected), True)
    assert rows_of(tmp_path / "top") == expected
    assert {len(pq.read_table(path)) for path in (tmp_path / "top").rglob("*.parquet")} <= {1, 2, 3}


@pytest.mark.usefixtures("small_files")
def test_the_same_call_goes_on_after_an_interruption(retriever, tmp_path) -> None:
    calls: list[str] = []

    def interrupt(domain: str, done: int, of: int) -> None:
        calls.append(domain)
        if len(calls) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        retrieve_all(retriever, tmp_path / "top", progress=interrupt)
    there = {path: path.stat().st_mtime_ns for path in (tmp_path / "top").rglob("*.parquet")}
    assert there
    rows = retrieve_all(retriever, tmp_path / "top", progress=False)
    kept = sum(len(pq.read_table(path)) for path in there)
    assert (rows, kept > 0) == (len(retriever.dataset.users) * len(retriever.dataset.domains) - kept, True)
    assert {path: path.stat().st_mtime_ns for path in there} == there
    assert retrieve_all(retriever, tmp_path / "top", progress=False) == 0
    assert not list((tmp_path / "top").rglob("*.partial"))


@pytest.mark.parametrize("content", [b"{}", b"\xff", b"[" * 5000])
def test_a_request_that_cannot_be_read_is_refused(retriever, tmp_path, content: bytes) -> None:
    (tmp_path / "top").mkdir()
    (tmp_path / "top" / REQUEST).write_bytes(content)
    with pytest.raises(
        ArgumentError, match=rf"(?s){REQUEST}: not a request that this adi wrote: .* Choose another folder"
    ):
        retrieve_all(retriever, tmp_path / "top", progress=False)


def test_a_folder_with_other_lists_is_refused(retriever, tmp_path) -> None:
    retrieve_all(retriever, tmp_path / "top", k=3, progress=False)
    with pytest.raises(ArgumentError, match=r"holds lists of another request, which differs in users, k\. Choose"):
        retrieve_all(retriever, tmp_path / "top", k=4, users=["ana"], progress=False)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").touch()
    with pytest.raises(ArgumentError, match=r"other: holds something else\. Choose another folder"):
        retrieve_all(retriever, tmp_path / "other", progress=False)


def test_a_folder_with_lists_of_other_data_or_another_model_is_refused(run, later, tmp_path) -> None:
    copied = Path(shutil.copytree(run, tmp_path / "run"))
    retrieve_all(run, tmp_path / "top", k=3, progress=False)
    assert retrieve_all(Retriever(copied, prepared=later(name="again")), tmp_path / "top", k=3, progress=False) == 0
    for source, differing in [
        (Retriever(run, prepared=later(renumber, name="renumbered")), "data, attributes, users, domains"),
        (Retriever(run, prepared=later(with_colours, name="colours")), "attributes"),
        (Retriever(run, prepared=later(name="same"), bid="bid"), "bid"),
    ]:
        with pytest.raises(ArgumentError, match=rf"another request, which differs in {differing}\. Choose"):
            retrieve_all(source, tmp_path / "top", k=3, progress=False)
    shutil.rmtree(copied)
    train(later(name="trained"), "popularity", copied)
    with pytest.raises(ArgumentError, match=r"another request, which differs in run\. Choose"):
        retrieve_all(copied, tmp_path / "top", k=3, progress=False)


def with_colours(rows: Rows, schema: dict[str, Any]) -> None:
    """Give items an attribute that no model sees."""
    for row in rows["items"]:
        row["colour"] = "blue"


@pytest.mark.parametrize(
    ("out", "part", "message"),
    [
        ("top", (0, 2), r"part: 0/2; give one of 1/2 to 2/2"),
        ("top", (3, 2), r"part: 3/2; give one of 1/2 to 2/2"),
        ("top.parquet", (1, 2), r"part: .*top\.parquet is one file, without parts\. Give a folder"),
    ],
)
def test_bad_parts(retriever, tmp_path, out, part, message) -> None:
    with pytest.raises(ArgumentError, match=message):
        retrieve_all(retriever, tmp_path / out, part=part, progress=False)
    assert not (tmp_path / out).exists()
