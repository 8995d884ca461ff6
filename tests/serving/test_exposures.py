"""The log of what was served: its rows, its files, and what happens where they cannot be written."""

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

DOCS = Path(__file__).parents[2] / "docs" / "serving.md"


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
def told() -> list[str]:
    return []


@pytest.fixture
def log(tmp_path: Path, told: list[str]) -> ExposureLog:
    """A log that begins a file at 9 items, which are three rows of two items, and keeps at most 18."""
    return ExposureLog(tmp_path / "log" / "here", Metrics(), told.append, items=9, seconds=3600)


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Queue[Path], Queue[OSError | None]]]:
    """The places that are to be written, and what becomes of each: None to go on, or an error. Nothing, to wait."""
    places: Queue[Path] = Queue()
    fates: Queue[OSError | None] = Queue()
    write = exposures_module.replace_file

    def decided(path: Path, content: bytes) -> None:
        places.put(path)
        fate = fates.get(timeout=20)
        if fate is not None:
            raise fate
        write(path, content)

    monkeypatch.setattr(exposures_module, "replace_file", decided)
    yield places, fates
    assert (places.qsize(), fates.qsize()) == (0, 0)


def test_rows_come_back_as_they_were_given(log: ExposureLog, told: list[str]) -> None:
    whole = Exposure(
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
        log.add([whole, row(1, items=0)])
        log.add([])
    (path,) = log.folder.iterdir()
    assert re.fullmatch(r"20261124T235959-[0-9a-f]{12}\.parquet", path.name)
    assert pq.read_schema(path).equals(SCHEMA)
    assert read(log.folder) == [whole._asdict(), row(1, items=0)._asdict()]
    assert (counts(log), told) == ({"written": 2, "dropped": 0, "failed": 0}, [])


def test_a_log_of_nothing_has_no_file(log: ExposureLog) -> None:
    with log:
        pass
    assert list(log.folder.iterdir()) == []


def test_a_file_is_begun_when_enough_rows_wait(log: ExposureLog, writes) -> None:
    places, fates = writes
    with log:
        log.add([row(0), row(1)])
        log.add([row(2)])
        first = places.get(timeout=20)
        assert (first.exists(), read(log.folder)) == (False, [])  # half a file is nobody's to read
        log.add([row(3)])  # while the first is being written
        fates.put(None)
        fates.put(None)
    assert places_of(first) == [0, 1, 2]
    assert places_of(places.get(timeout=20)) == [3]


def test_a_file_is_begun_when_rows_have_waited_long_enough(tmp_path: Path, writes) -> None:
    places, fates = writes
    log = ExposureLog(tmp_path, Metrics(), print, seconds=0.01)
    with log:
        for number in range(3):
            log.add([row(number)])
            fates.put(None)
            places.get(timeout=20)
    assert sorted(each["place"] for each in read(tmp_path)) == [0, 1, 2]


def test_what_finds_no_room_is_dropped_and_counted(log: ExposureLog, writes) -> None:
    places, fates = writes
    with log:
        log.add([row(0), row(1), row(2)])
        places.get(timeout=20)
        log.add([row(3), row(4)])  # 15 of 18, with those that are being written
        log.add([row(5), row(6)])
        log.add([row(7)])
        log.add([row(8)])
        fates.put(None)
        fates.put(None)
    places.get(timeout=20)
    assert sorted(each["place"] for each in read(log.folder)) == [0, 1, 2, 3, 4, 7]
    assert counts(log) == {"written": 6, "dropped": 3, "failed": 0}
    log.add([row(9)])  # after its end
    assert counts(log)["dropped"] == 4


def test_a_disk_that_is_full_for_a_while_costs_only_what_finds_no_room(tmp_path: Path, writes) -> None:
    places, fates = writes
    told = Queue[str]()
    log = ExposureLog(tmp_path, Metrics(), told.put, items=9, seconds=0.01)
    with log:
        log.add([row(0), row(1), row(2)])
        for number in range(3):
            places.get(timeout=20)
            if number == 1:
                log.add([row(3), row(4), row(5)])
                log.add([row(6)])
            fates.put(OSError(28, "No space left on device"))
        places.get(timeout=20)
        fates.put(None)
        assert told.get(timeout=20) == (
            f"{tmp_path}: exposures cannot be written (No space left on device). They wait for a next try."
        )
        assert told.get(timeout=20) == f"{tmp_path}: exposures are written again."
        (path,) = tmp_path.iterdir()
        assert places_of(path) == [0, 1, 2, 3, 4, 5]
        log.add([row(7)])
        places.get(timeout=20)
        fates.put(None)
    assert len(read(tmp_path)) == 7
    assert told.empty()
    assert counts(log) == {"failed": 3, "written": 7, "dropped": 1}


def test_what_is_lost_at_the_end_is_told(log: ExposureLog, told: list[str]) -> None:
    with log:
        log.add([row(0), row(1)])
        log.folder.rmdir()
    assert told == [
        f"{log.folder}: exposures cannot be written (No such file or directory). They wait for a next try.",
        f"{log.folder}: 2 exposures are lost.",
    ]
    assert counts(log) == {"written": 0, "dropped": 2, "failed": 1}


def test_several_threads_lose_nothing(tmp_path: Path) -> None:
    log = ExposureLog(tmp_path, Metrics(), print, items=50, seconds=0.001)
    with log, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: log.add([row(number, items=0)]), range(60)))
    assert sorted(each["place"] for each in read(tmp_path)) == list(range(60))


@pytest.mark.parametrize("name", ["text", "text/below", "x" * 300])
def test_a_place_that_cannot_hold_them_is_refused_at_the_start(tmp_path: Path, name: str) -> None:
    (tmp_path / "text").write_text("no folder")
    with pytest.raises(AdiError, match=rf"--exposures: .*{name}: cannot be written \(.*\)\. Give another folder\."):
        ExposureLog(tmp_path / name, Metrics(), print)


def test_a_folder_that_may_not_be_written_is_refused_at_the_start(tmp_path: Path, monkeypatch) -> None:
    def forbidden(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(exposures_module, "TemporaryFile", forbidden)  # for root may write anywhere
    with pytest.raises(AdiError, match=r"cannot be written \(Permission denied\)"):
        ExposureLog(tmp_path, Metrics(), print)


USERS = ("ana", "bo b", "cy", "dan", "eve", "李")


def expected(asks: list[dict[str, Any]], results: list[dict[str, Any]], **common: Any) -> list[dict[str, Any]]:
    """The rows of a body, less their time, from what the server answered to it."""
    return [
        {"user": ask.get("user"), "arm": result["arm"], "version": result["version"], "place": place, "domain": domain}
        | {"k": ask.get("k", 10), "filter": ask.get("filter"), "bid_weight": 0.0}
        | {"items": own["items"], "scores": own["scores"]}
        | common
        for place, (ask, result) in enumerate(zip(asks, results, strict=True))
        for domain, own in result["domains"].items()
    ]


def test_what_is_served_in_an_experiment_is_logged_by_the_end(
    serving: Callable[..., Any], bundles, between, tmp_path
) -> None:
    server = serving(between(*bundles), exposures=tmp_path)
    before = datetime.now(UTC)
    many = [{"user": user, "k": 3} for user in USERS]
    one, new = [{"user": "ana", "domains": ["feed"]}], [{"history": ["pen"], "filter": "bid > 1e9"}]
    wanted = []
    for asks, headers, assignment in ((many, {}, "hash"), (one, {"X-Adi-Arm": "new"}, "header"), (new, {}, "none")):
        reply = server.ask("/v1/retrieve", {"requests": asks}, headers=headers)
        wanted += expected(asks, reply.body["results"], experiment="ranker-2", assignment=assignment)
    for refused in ({"user": "nobody"}, {"requests": [{"user": "ana"}, {"user": "nobody"}]}):
        assert server.ask("/v1/retrieve", refused).status == 422
    server.ask("/v1/retrieve", {"user": "ana", "preview": True})
    assert server.ask("/v1/retrieve", b'{"user": "\\ud800", "history": []}').status == 400  # it has no UTF-8
    assert read(tmp_path) == []
    server.stop()
    rows = read(tmp_path)
    times = [each.pop("time") for each in rows]
    assert rows == wanted
    assert len(rows) == 3 * len(USERS) + 1 + 3
    assert {each["arm"] for each in rows[: 3 * len(USERS)]} == {"old", "new"}
    assert before - timedelta(milliseconds=1) <= min(times) <= max(times) <= datetime.now(UTC)
    assert len(set(times)) == 3  # one for each body


def test_a_bundle_alone_is_logged_without_an_arm(serving: Callable[..., Any], bundles, tmp_path) -> None:
    server = serving(bundles[0], exposures=tmp_path)
    asks = [
        {"user": "ana", "k": 2, "filter": "bid >= 0.5"},
        {"user": "ana", "k": 2, "preview": True},
        {"history": ["pen"]},
    ]
    results = server.ask("/v1/retrieve", {"requests": asks}).body["results"]
    lines = server.ask("/metrics").body.splitlines()
    assert {line for line in lines if line.startswith("adi_exposures") and "created" not in line} == {
        f"adi_exposures_{name}_total 0.0" for name in ("written", "dropped", "failed")
    }
    server.stop()
    rows = [{name: value for name, value in each.items() if name != "time"} for each in read(tmp_path)]
    wanted = expected(asks, results, experiment=None, assignment=None)
    assert rows == [each for each in wanted if each["place"] != 1]
    assert counts(server.service.exposures)["written"] == 6


def test_an_answer_that_was_given_up_is_no_exposure(serving: Callable[..., Any], bundles, tmp_path, held) -> None:
    server = serving(bundles[0], exposures=tmp_path, workers=1, timeout=0.2)
    go = held(server)
    assert server.ask("/v1/retrieve", {"user": "ana"}).body["title"] == "Too slow"
    go.set()
    server.stop()
    assert read(tmp_path) == []


def test_the_server_answers_on_where_the_folder_is_gone(serving: Callable[..., Any], bundles, tmp_path, capsys) -> None:
    server = serving(bundles[0], exposures=tmp_path / "log")
    server.service.exposures.items = 6  # two lists of two or three
    (tmp_path / "log").rmdir()
    for _ in range(3):
        assert server.ask("/v1/retrieve", {"user": "ana", "k": 3, "domains": ["feed"]}).status == 200
    server.stop()
    assert counts(server.service.exposures)["dropped"] == 3
    assert capsys.readouterr().out.count("exposures cannot be written (No such file or directory)") == 1


def test_the_sql_of_the_page_counts_users_and_lists_by_arm(serving, bundles, between, tmp_path, monkeypatch) -> None:
    one = between(*bundles)
    server = serving(one, exposures=tmp_path / "exposures")
    for _ in range(2):
        server.ask("/v1/retrieve", {"requests": [{"user": user, "domains": ["feed"]} for user in USERS]})
    server.ask("/v1/retrieve", {"user": "ana"}, headers={"X-Adi-Arm": "new"})
    server.stop()
    arms = [one.arm_of(user) for user in USERS]
    monkeypatch.chdir(tmp_path)
    (sql,) = re.findall(r"^```sql\n(.*?)^```$", DOCS.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    found = duckdb.sql(sql).fetchall()
    versions = {arm: live.version for arm, live in server.service.lives.items()}
    assert found == [(arm, versions[arm], "feed", arms.count(arm), 2 * arms.count(arm)) for arm in ("new", "old")]
