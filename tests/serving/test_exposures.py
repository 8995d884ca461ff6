"""The exposure log: its rows, its files, and a folder that cannot be written."""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import Queue
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from adi.errors import AdiError
from adi.serving import exposures as exposures_module
from adi.serving.exposures import SCHEMA, Exposure, ExposureLog
from adi.serving.metrics import Metrics

DOCS = Path(__file__).parents[2] / "docs" / "experiments.md"


def row(number: int, items: int = 2) -> Exposure:
    """A row whose place is its number."""
    names = [f"{number}-{each}" for each in range(items)]
    time = datetime(2026, 11, 24, 10, 15, number, 250_000, tzinfo=UTC)
    return Exposure(time, None, None, None, None, "v1", number, "feed", 9, None, 0.0, names, [0.5] * items)


def read(folder: Path) -> list[dict[str, Any]]:
    return [each for path in sorted(folder.glob("*.parquet")) for each in pq.read_table(path).to_pylist()]


def places_of(path: Path) -> list[int]:
    places: list[int] = pq.read_table(path)["place"].to_pylist()
    return places


def counts(log: ExposureLog) -> dict[str, float | None]:
    names = ("written", "dropped", "failed")
    return {name: log.metrics.registry.get_sample_value(f"adi_exposures_{name}_total") for name in names}


@pytest.fixture
def messages() -> list[str]:
    return []


@pytest.fixture
def log(tmp_path: Path, messages: list[str]) -> ExposureLog:
    """A log that writes a file at size 9, which is three rows of two items, and holds at most 18."""
    return ExposureLog(tmp_path / "log" / "here", Metrics(), messages.append, items=9, seconds=3600)


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Queue[Path], Queue[OSError | None]]]:
    """Queues of the paths to write, and of their outcomes: None to succeed, or an error. Writing waits for them."""
    paths: Queue[Path] = Queue()
    outcomes: Queue[OSError | None] = Queue()
    write = exposures_module.replace_file

    def controlled(path: Path, content: bytes, *, mode: int) -> None:
        paths.put(path)
        outcome = outcomes.get(timeout=20)
        if outcome is not None:
            raise outcome
        write(path, content, mode=mode)

    monkeypatch.setattr(exposures_module, "replace_file", controlled)
    yield paths, outcomes
    assert (paths.qsize(), outcomes.qsize()) == (0, 0)


def test_rows_round_trip(log: ExposureLog, messages: list[str]) -> None:
    full = Exposure(
        time=datetime(2026, 11, 24, 23, 59, 59, 999_999, tzinfo=UTC),
        user="李 '\\",
        experiment="ranker-2",
        arm="new",
        assignment="hash",
        version="0a1b",
        place=63,
        domain="search",
        k=5,
        filter="title = 'é'",
        bid_weight=0.5,
        items=["été", "", "x" * 512],
        scores=[1.5, -0.25, 0.0],
    )
    with log:
        log.add([full, row(1, items=0)])
        log.add([])
    (path,) = log.folder.iterdir()
    assert re.fullmatch(r"20261124T235959-[0-9a-f]{12}\.parquet", path.name)
    assert pq.read_schema(path).equals(SCHEMA)
    assert read(log.folder) == [full._asdict(), row(1, items=0)._asdict()]
    assert (counts(log), messages) == ({"written": 2, "dropped": 0, "failed": 0}, [])


def test_a_log_without_rows_has_no_file(log: ExposureLog) -> None:
    with log:
        pass
    assert list(log.folder.iterdir()) == []


def test_a_file_is_written_when_enough_rows_wait(log: ExposureLog, writes) -> None:
    paths, outcomes = writes
    with log:
        log.add([row(0), row(1)])
        log.add([row(2)])
        first = paths.get(timeout=20)
        assert (first.exists(), read(log.folder)) == (False, [])  # readers see no half of a file
        log.add([row(3)])  # while the first file is being written
        outcomes.put(None)
        outcomes.put(None)
    assert places_of(first) == [0, 1, 2]
    assert places_of(paths.get(timeout=20)) == [3]


def test_a_file_is_written_after_some_time(tmp_path: Path, writes) -> None:
    paths, outcomes = writes
    log = ExposureLog(tmp_path, Metrics(), print, seconds=0.01)
    with log:
        for number in range(3):
            log.add([row(number)])
            outcomes.put(None)
            paths.get(timeout=20)
    assert sorted(each["place"] for each in read(tmp_path)) == [0, 1, 2]


def test_rows_without_room_are_dropped_and_counted(log: ExposureLog, writes) -> None:
    paths, outcomes = writes
    with log:
        log.add([row(0), row(1), row(2)])
        paths.get(timeout=20)
        log.add([row(3), row(4)])  # 15 of 18, including those being written
        log.add([row(5), row(6)])
        log.add([row(7)])
        log.add([row(8)])
        outcomes.put(None)
        outcomes.put(None)
    paths.get(timeout=20)
    assert sorted(each["place"] for each in read(log.folder)) == [0, 1, 2, 3, 4, 7]
    assert counts(log) == {"written": 6, "dropped": 3, "failed": 0}
    log.add([row(9)])  # after the end
    assert counts(log)["dropped"] == 4


def test_a_full_disk_costs_only_rows_without_room(tmp_path: Path, writes) -> None:
    paths, outcomes = writes
    messages = Queue[str]()
    log = ExposureLog(tmp_path, Metrics(), messages.put, items=9, seconds=0.01)
    with log:
        log.add([row(0), row(1), row(2)])
        for number in range(3):
            paths.get(timeout=20)
            if number == 1:
                log.add([row(3), row(4), row(5)])
                log.add([row(6)])
            outcomes.put(OSError(28, "No space left on device"))
        paths.get(timeout=20)
        outcomes.put(None)
        assert messages.get(timeout=20) == (
            f"{tmp_path}: cannot write exposures (No space left on device). They are kept for now."
        )
        assert messages.get(timeout=20) == f"{tmp_path}: writes exposures again."
        (path,) = tmp_path.iterdir()
        assert places_of(path) == [0, 1, 2, 3, 4, 5]
        log.add([row(7)])
        paths.get(timeout=20)
        outcomes.put(None)
    assert len(read(tmp_path)) == 7
    assert messages.empty()
    assert counts(log) == {"failed": 3, "written": 7, "dropped": 1}


def test_rows_lost_at_the_end_are_reported(log: ExposureLog, messages: list[str]) -> None:
    with log:
        log.add([row(0), row(1)])
        log.folder.rmdir()
    assert messages == [
        f"{log.folder}: cannot write exposures (No such file or directory). They are kept for now.",
        f"{log.folder}: 2 exposures are lost.",
    ]
    assert counts(log) == {"written": 0, "dropped": 2, "failed": 1}


def test_several_threads_lose_nothing(tmp_path: Path) -> None:
    log = ExposureLog(tmp_path, Metrics(), print, items=50, seconds=0.001)
    with log, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: log.add([row(number, items=0)]), range(60)))
    assert sorted(each["place"] for each in read(tmp_path)) == list(range(60))


@pytest.mark.parametrize("name", ["text", "text/below", "x" * 300])
def test_a_path_that_cannot_be_a_folder_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "text").write_text("no folder")
    with pytest.raises(AdiError, match=rf"exposures: .*{name}: cannot be written \(.*\)\. Give another folder\."):
        ExposureLog(tmp_path / name, Metrics(), print)


def test_a_folder_without_permission_to_write_is_refused(tmp_path: Path, monkeypatch) -> None:
    def forbidden(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(exposures_module, "TemporaryFile", forbidden)  # since root may write anywhere
    with pytest.raises(AdiError, match=r"cannot be written \(Permission denied\)"):
        ExposureLog(tmp_path, Metrics(), print)


USERS = ("ana", "bo b", "cy", "dan", "eve", "李")


def expected_rows(requests: list[dict[str, Any]], results: list[dict[str, Any]], **common: Any) -> list[dict[str, Any]]:
    """The rows of a batch without their time, from the results that the server returned."""
    return [
        {"user": request.get("user"), "arm": result["arm"], "version": result["version"]}
        | {"place": place, "domain": domain}
        | {"k": request.get("k", 10), "filter": request.get("filter"), "bid_weight": 0.0}
        | {"items": ranked["items"], "scores": ranked["scores"]}
        | common
        for place, (request, result) in enumerate(zip(requests, results, strict=True))
        for domain, ranked in result["domains"].items()
    ]


def test_the_lists_of_an_experiment_are_logged(serving: Callable[..., Any], bundles, between, tmp_path) -> None:
    server = serving(between(*bundles), exposures=tmp_path)
    before = datetime.now(UTC)
    by_user = [{"user": user, "k": 3} for user in USERS]
    by_header = [{"user": "ana", "domains": ["feed"]}]
    by_history = [{"history": ["pen"], "filter": "bid > 1e9"}]
    expected = []
    for requests, headers, assignment in (
        (by_user, {}, "hash"),
        (by_header, {"X-Adi-Arm": "new"}, "header"),
        (by_history, {}, "none"),
    ):
        reply = server.ask("/v1/retrieve", {"requests": requests}, headers=headers)
        expected += expected_rows(requests, reply.body["results"], experiment="ranker-2", assignment=assignment)
    for refused in ({"user": "nobody"}, {"requests": [{"user": "ana"}, {"user": "nobody"}]}):
        assert server.ask("/v1/retrieve", refused).status == 422
    server.ask("/v1/retrieve", {"user": "ana", "preview": True})
    assert server.ask("/v1/retrieve", b'{"user": "\\ud800", "history": []}').status == 400  # not encodable as UTF-8
    assert read(tmp_path) == []
    server.stop()
    rows = read(tmp_path)
    times = [each.pop("time") for each in rows]
    assert rows == expected
    assert len(rows) == 3 * len(USERS) + 1 + 3
    assert {each["arm"] for each in rows[: 3 * len(USERS)]} == {"old", "new"}
    assert before - timedelta(milliseconds=1) <= min(times) <= max(times) <= datetime.now(UTC)
    assert len(set(times)) == 3  # one for each batch


def test_a_bundle_alone_is_logged_without_an_arm(serving: Callable[..., Any], bundles, tmp_path) -> None:
    server = serving(bundles[0], exposures=tmp_path)
    requests = [
        {"user": "ana", "k": 2, "filter": "bid >= 0.5"},
        {"user": "ana", "k": 2, "preview": True},
        {"history": ["pen"]},
    ]
    results = server.ask("/v1/retrieve", {"requests": requests}).body["results"]
    lines = server.ask("/metrics").body.splitlines()
    assert {line for line in lines if line.startswith("adi_exposures") and "created" not in line} == {
        f"adi_exposures_{name}_total 0.0" for name in ("written", "dropped", "failed")
    }
    server.stop()
    rows = [{name: value for name, value in each.items() if name != "time"} for each in read(tmp_path)]
    expected = expected_rows(requests, results, experiment=None, assignment=None)
    assert rows == [each for each in expected if each["place"] != 1]
    assert counts(server.service.exposures)["written"] == 6


def test_an_answer_that_times_out_is_not_an_exposure(serving: Callable[..., Any], bundles, tmp_path, held) -> None:
    server = serving(bundles[0], exposures=tmp_path, workers=1, timeout=0.2)
    released = held(server)
    assert server.ask("/v1/retrieve", {"user": "ana"}).body["title"] == "Too slow"
    released.set()
    server.stop()
    assert read(tmp_path) == []


def test_a_missing_folder_does_not_stop_the_answers(serving: Callable[..., Any], bundles, tmp_path, capsys) -> None:
    server = serving(bundles[0], exposures=tmp_path / "log")
    server.service.exposures.items = 6  # two lists of two or three
    (tmp_path / "log").rmdir()
    for _ in range(3):
        assert server.ask("/v1/retrieve", {"user": "ana", "k": 3, "domains": ["feed"]}).status == 200
    server.stop()
    assert counts(server.service.exposures)["dropped"] == 3
    assert capsys.readouterr().out.count("cannot write exposures (No such file or directory)") == 1


def test_the_documented_sql_counts_users_and_lists_by_arm(serving, bundles, between, tmp_path, monkeypatch) -> None:
    experiment = between(*bundles)
    server = serving(experiment, exposures=tmp_path / "exposures")
    for _ in range(2):
        server.ask("/v1/retrieve", {"requests": [{"user": user, "domains": ["feed"]} for user in USERS]})
    server.ask("/v1/retrieve", {"user": "ana"}, headers={"X-Adi-Arm": "new"})
    server.stop()
    arms = [experiment.arm_of(user) for user in USERS]
    monkeypatch.chdir(tmp_path)
    (sql,) = re.findall(r"^```sql\n(.*?)^```$", DOCS.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    rows = duckdb.sql(sql).fetchall()
    versions = {arm: bundle.version for arm, bundle in server.service.bundles.items()}
    assert rows == [(arm, versions[arm], "feed", arms.count(arm), 2 * arms.count(arm)) for arm in ("new", "old")]
