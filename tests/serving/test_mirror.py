"""A folder of bundles in an object store, watched by a server: swaps, rollback, half-written bundles, a lost store."""

import shutil
import time
from datetime import UTC, datetime
from pathlib import Path

import fsspec
import pytest
import uvicorn

from adi.bundle.manifest import read_bundle_info
from adi.bundle.remote import CACHE
from adi.bundle.remote_folder import RemoteFolder
from adi.data.sealed import write_sealed
from adi.errors import AdiError, ArgumentError
from adi.serving import server
from adi.serving.metrics import Metrics
from adi.serving.mirror import SECONDS, Mirror
from adi.serving.rollback import follow_newest, roll_back
from adi.serving.service import Service
from adi.serving.watch import Watcher, created_of

ADDRESS = "memory://store/bundles"


@pytest.fixture
def store(bundles):
    memory = fsspec.filesystem("memory")
    yield memory
    memory.rm("/store", recursive=True)


def upload(store, bundle: Path, name: str, created: str, *, leave_out: str = "") -> None:
    """Copy a bundle to the store with another time of export, perhaps without one of its files."""
    info = read_bundle_info(bundle)
    for path in info.files:
        if path != leave_out:
            store.pipe_file(f"/store/bundles/{name}/{path}", (bundle / path).read_bytes())
    manifest = info.model_copy(update={"created": created}).model_dump_json()
    store.pipe_file(f"/store/bundles/{name}/bundle.json", manifest.encode())


def earlier(bundle: Path, folder: Path) -> Path:
    """A copy of a bundle beside a folder, exported before all that is in the store."""
    copy = shutil.copytree(bundle, folder.with_name(f"{folder.name}-earlier"))
    info = read_bundle_info(copy).model_copy(update={"created": "2018-01-01"})
    write_sealed(copy / "bundle.json", info.model_dump_json(indent=1))
    return copy


@pytest.fixture
def messages() -> list[str]:
    return []


@pytest.fixture
def watcher(store, bundles, tmp_path, messages) -> Watcher:
    """A server of the second bundle that watches a remote folder with a copy of the first."""
    upload(store, bundles[0], "a", "2019-01-01")
    service = Service(earlier(bundles[1], tmp_path), Metrics())
    mirror = Mirror(ADDRESS, service.metrics, messages.append, cache=tmp_path)
    return Watcher(service, mirror.folder, messages.append, seconds=0.01, update=mirror.look)


def live(watcher: Watcher) -> str:
    return watcher.service.bundle().version


def test_the_newest_goes_live_and_a_rollback_is_followed(watcher, store, bundles, messages) -> None:
    first, second = (read_bundle_info(bundle).version for bundle in bundles)
    watcher.look()
    assert live(watcher) == first
    upload(store, bundles[1], "b", "2019-01-02")
    watcher.look()
    watcher.look()
    assert live(watcher) == second
    assert roll_back(ADDRESS) == "a"
    assert store.cat_file("/store/bundles/LIVE") == b"a\n"
    watcher.look()
    assert live(watcher) == first
    with pytest.raises(AdiError, match=rf"{ADDRESS} has no bundle before 'a'\. Name one of a, b\."):
        roll_back(ADDRESS)
    with pytest.raises(AdiError, match=r"no bundle 'x' \(a, b\)"):
        roll_back(ADDRESS, "x")
    follow_newest(ADDRESS)
    follow_newest(ADDRESS)
    watcher.look()
    assert live(watcher) == second
    assert messages == [
        f"{name}: live, version {version}." for name, version in zip("abab", (first, second) * 2, strict=True)
    ]


def test_a_version_is_copied_once_and_only_when_it_is_wanted(watcher, store, bundles, tmp_path, monkeypatch) -> None:
    upload(store, bundles[1], "old", "2000-01-01")
    watcher.look()
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(".")] == [live(watcher)]
    monkeypatch.setattr(type(store), "get_file", lambda *_: pytest.fail("copied again"))
    upload(store, bundles[0], "again", "2019-01-03")  # the same version under another name
    watcher.look()
    assert watcher.service.bundle().created == "2019-01-01"


def test_a_half_written_bundle_is_reported_once_and_taken_when_it_is_whole(watcher, store, bundles, messages) -> None:
    second = read_bundle_info(bundles[1]).version
    watcher.look()
    before = live(watcher)
    path = next(name for name, file in read_bundle_info(bundles[1]).files.items() if file.size)
    upload(store, bundles[1], "b", "2019-01-02", leave_out=path)
    for _ in range(3):
        watcher.look()
    assert live(watcher) == before
    assert messages[1:] == [
        f"b: refused, not copied: {path} is missing. Copy the bundle b to the store again, or wait until it is there."
    ]
    assert b"adi_bundles_refused_total 1.0" in watcher.service.metrics.text()
    with pytest.raises(AdiError, match=rf"{path} is missing"):
        roll_back(ADDRESS, "b")
    content = (bundles[1] / path).read_bytes()
    store.pipe_file(f"/store/bundles/b/{path}", bytes([content[0] ^ 1]) + content[1:])
    for _ in range(2):
        watcher.look()
    assert "other content than was written" in messages[2]
    assert len(messages) == 3
    store.pipe_file(f"/store/bundles/b/{path}", content)
    watcher.look()
    assert live(watcher) == second


def test_a_manifest_that_cannot_be_understood_does_not_hide_an_earlier_bundle(watcher, store, messages) -> None:
    store.pipe_file("/store/bundles/z/bundle.json", b"{}")
    store.pipe_file("/store/bundles/notes/readme.txt", b"no bundle")
    watcher.look()
    watcher.look()
    assert watcher.service.bundle().created == "2019-01-01"
    assert [message.partition(":")[0] for message in messages] == ["z", "a"]


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")


def test_a_bundle_from_the_future_does_not_hide_later_ones(watcher, store, bundles, messages) -> None:
    first, second = (read_bundle_info(bundle).version for bundle in bundles)
    upload(store, bundles[1], "future", "2999-01-01")
    later = now()  # than what it counts from, and before it is copied here
    assert list(RemoteFolder(ADDRESS).bundles()) == ["a", "future"]
    watcher.look()
    assert live(watcher) == second
    upload(store, bundles[0], "later", later)
    assert list(RemoteFolder(ADDRESS).bundles()) == ["a", "future", "later"]
    watcher.look()
    assert live(watcher) == first
    assert [message.partition(":")[0] for message in messages] == ["future", "later"]
    assert roll_back(ADDRESS) == "future"


def test_the_copy_of_a_bundle_has_the_time_of_its_store(watcher, store, bundles, tmp_path) -> None:
    upload(store, bundles[1], "b", "2999-01-01")
    store.store["/store/bundles/b/bundle.json"].modified = datetime(2020, 1, 2, tzinfo=UTC)
    watcher.look()
    copied = tmp_path / read_bundle_info(bundles[1]).version / "bundle.json"
    assert datetime.fromtimestamp(copied.stat().st_mtime, UTC) == datetime(2020, 1, 2, tzinfo=UTC)
    assert created_of(copied.parent, "2999-01-01") == "2020-01-02T00:00:00.000000+00:00"


def test_a_bundle_from_the_future_in_a_store_without_times_comes_first(watcher, store, bundles, monkeypatch) -> None:
    def modified(*_: object) -> None:
        raise NotImplementedError

    monkeypatch.setattr(type(store), "modified", modified)
    upload(store, bundles[1], "future", "2999-01-01")
    assert list(RemoteFolder(ADDRESS).bundles()) == ["future", "a"]
    watcher.look()
    assert watcher.service.bundle().created == "2019-01-01"


def test_a_store_that_goes_away_is_reported_once_and_does_not_end_the_watching(
    watcher, store, bundles, messages, monkeypatch
) -> None:
    watcher.start()
    try:
        while not messages:
            time.sleep(0.01)
        with monkeypatch.context() as patched:

            def unreachable(*_, **__):
                raise RuntimeError("no route to the store")

            patched.setattr(type(store), "ls", unreachable)
            failures = watcher.service.metrics.mirror_failures._value
            while failures.get() < 3:
                time.sleep(0.01)
        upload(store, bundles[1], "b", "2019-01-02")
        while live(watcher) != read_bundle_info(bundles[1]).version:
            time.sleep(0.01)
    finally:
        watcher.stop()
    assert messages[1:3] == [
        f"{ADDRESS}: cannot be listed (no route to the store). Tried again every 10 seconds.",
        f"{ADDRESS}: answers again.",
    ]


def test_a_choice_that_is_not_there_changes_nothing(watcher, store, messages) -> None:
    watcher.look()
    before = live(watcher)
    store.pipe_file("/store/bundles/LIVE", b"gone\n")
    for _ in range(2):
        watcher.look()
    assert live(watcher) == before
    assert messages[1:] == ["gone: refused, not copied: LIVE names the bundle gone, which is not there."]


@pytest.mark.parametrize("address", ["memory://nothing/there", "nosuch://bundles"])
def test_an_address_that_cannot_be_listed_is_refused_at_once(address, tmp_path) -> None:
    with pytest.raises(ArgumentError, match=rf"watch: {address}: cannot be .*\. Create it, and copy bundles into it\."):
        Mirror(address, Metrics(), print, cache=tmp_path)


def test_a_server_watches_an_address(store, bundles, tmp_path, monkeypatch) -> None:
    started = []
    upload(store, bundles[0], "a", "2019-01-01")
    monkeypatch.setenv(CACHE, str(tmp_path))
    monkeypatch.setattr(Watcher, "start", lambda watcher: started.append(watcher))
    monkeypatch.setattr(uvicorn.Server, "run", lambda self, sockets: sockets[0].close())
    server.serve(earlier(bundles[1], tmp_path), watch=ADDRESS, port=0)
    (watcher,) = started
    assert watcher.seconds == SECONDS
    watcher.look()
    assert live(watcher) == read_bundle_info(bundles[0]).version
