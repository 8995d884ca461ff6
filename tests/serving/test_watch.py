"""A watched folder of bundles: the newest goes live, bad ones are refused, rollback."""

import os
import shutil
import time
from pathlib import Path

import pytest

from adi.bundle.manifest import read_bundle_info, version_of
from adi.data.sealed import files_in, write_sealed
from adi.errors import AdiError
from adi.retrieval.retriever import Retriever
from adi.serving.live import LiveBundle
from adi.serving.metrics import Metrics
from adi.serving.service import Service
from adi.serving.watch import Watcher, bundles_in, follow_newest, roll_back


def copied(bundle: Path, folder: Path, name: str, created: str) -> Path:
    """A copy of a bundle with another time of export."""
    shutil.copytree(bundle, folder / name)
    path = folder / name / "bundle.json"
    info = read_bundle_info(folder / name)
    write_sealed(path, info.model_copy(update={"created": created}).model_dump_json(indent=1))
    return folder / name


@pytest.fixture
def folder(bundles: tuple[Path, Path], tmp_path: Path) -> Path:
    for name, bundle, created in (("a", 0, "2019-01-01"), ("c", 0, "2019-01-03"), ("b", 1, "2019-01-02")):
        copied(bundles[bundle], tmp_path / "bundles", name, created)
    (tmp_path / "bundles" / "notes").mkdir()
    (tmp_path / "bundles" / ".c.partial").mkdir()
    return tmp_path / "bundles"


@pytest.fixture
def messages() -> list[str]:
    return []


@pytest.fixture
def watcher(bundles: tuple[Path, Path], folder: Path, messages: list[str]) -> Watcher:
    live = copied(bundles[1], folder.parent, "first", "2018-01-01")
    return Watcher(Service(live, Metrics()), folder, messages.append, seconds=0.01)


def test_the_newest_goes_live_once(watcher: Watcher, folder: Path, messages: list[str]) -> None:
    assert {path.name: created for path, created in bundles_in(folder).items()} == {
        name: f"2019-01-0{day}" for day, name in enumerate("abc", 1)
    }
    watcher.look()
    watcher.look()
    assert watcher.service.bundle().path == folder / "c"
    assert messages == [f"c: live, version {read_bundle_info(folder / 'c').version}."]


def test_a_bad_bundle_is_reported_once_and_taken_when_repaired(
    watcher: Watcher, folder: Path, bundles: tuple[Path, Path], messages: list[str]
) -> None:
    watcher.look()
    bad = copied(bundles[1], folder, "d", "2019-01-04")
    graph = bad / "towers" / "0.onnx"
    content = graph.read_bytes()
    graph.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    for _ in range(3):
        watcher.look()
    assert watcher.service.bundle().path == folder / "c"
    assert len(messages) == 2
    assert messages[1].startswith(f"d: refused, version {watcher.service.bundle().version} stays: ")
    assert "other content than was written" in messages[1]
    assert b"adi_bundles_refused_total 1.0" in watcher.service.metrics.text()
    graph.write_bytes(content)
    watcher.look()
    assert watcher.service.bundle().path == bad
    (bad / "bundle.json").write_text("{")
    copied(bundles[0], folder, "e", "2019-01-05")
    watcher.look()
    assert watcher.service.bundle().path == folder / "e"


def test_a_bundle_older_than_the_live_one_is_not_taken(
    folder: Path, bundles: tuple[Path, Path], messages: list[str]
) -> None:
    live = copied(bundles[0], folder.parent, "live", "2019-01-02")
    watcher = Watcher(Service(live, Metrics()), folder, messages.append)
    shutil.rmtree(folder / "c")
    watcher.look()
    assert (watcher.service.bundle().path, messages) == (live, [])


def test_rollback_and_back(watcher: Watcher, folder: Path) -> None:
    watcher.look()
    assert roll_back(folder) == folder / "b"
    watcher.look()
    assert watcher.service.bundle().path == folder / "b"
    assert roll_back(folder) == folder / "a"
    with pytest.raises(AdiError, match=r"no bundle before 'a'\. Name one of a, b, c\."):
        roll_back(folder)
    assert roll_back(folder, "b") == folder / "b"
    with pytest.raises(AdiError, match=r"no bundle 'x' \(a, b, c\)"):
        roll_back(folder, "x")
    watcher.look()
    assert watcher.service.bundle().path == folder / "b"
    follow_newest(folder)
    watcher.look()
    assert watcher.service.bundle().path == folder / "c"


def test_a_bundle_without_a_live_domain_is_refused(watcher: Watcher) -> None:
    class Wider(LiveBundle):
        @property
        def domains(self) -> tuple[str, ...]:
            return (*super().domains, "cart")

    live = watcher.service.bundle()
    watcher.service.bundles = {None: Wider(live.path, live.created, live.retriever)}
    with pytest.raises(AdiError, match="lacks domain 'cart', which is being served"):
        watcher.service.swap(watcher.folder / "a")
    assert watcher.service.bundle().version == live.version


def test_the_thread_survives_a_folder_that_goes_away(watcher: Watcher, folder: Path, messages: list[str]) -> None:
    watcher.start()
    try:
        while watcher.service.bundle().path != folder / "c":
            time.sleep(0.01)
        folder.rename(folder.with_name("away"))
        while not any("cannot be read" in each for each in messages):
            time.sleep(0.01)
        folder.with_name("away").rename(folder)
        roll_back(folder)
        while watcher.service.bundle().path != folder / "b":
            time.sleep(0.01)
    finally:
        watcher.stop()


@pytest.mark.parametrize("content", [b"{\xff\xfe", b"\x00" * 40, b"[]"])
def test_a_manifest_that_is_no_text_is_refused_and_hides_no_other(
    watcher: Watcher, folder: Path, content: bytes, messages: list[str]
) -> None:
    (folder / "d").mkdir()
    (folder / "d" / "bundle.json").write_bytes(content)
    for _ in range(2):
        watcher.look_safely()
    assert watcher.service.bundle().path == folder / "c"
    assert [message.split(":")[0] for message in messages] == ["d", "c"]
    assert b"adi_bundles_refused_total 1.0" in watcher.service.metrics.text()


def test_a_model_that_does_not_load_is_refused_and_hides_no_other(
    watcher: Watcher, folder: Path, bundles: tuple[Path, Path], messages: list[str]
) -> None:
    """Complete by its manifest, and no graph that the runtime can open."""
    bad = copied(bundles[0], folder, "d", "2019-01-04")
    (bad / "towers" / "0.onnx").write_bytes(b"no graph")
    info, files = read_bundle_info(bundles[0]), files_in(bad, ["bundle.json"])
    changed = info.model_copy(update={"files": files, "version": version_of(files), "created": "2019-01-04"})
    write_sealed(bad / "bundle.json", changed.model_dump_json(indent=1))
    for _ in range(2):
        watcher.look_safely()
    assert watcher.service.bundle().path == folder / "c"
    assert messages[0].startswith("d: refused, version ")
    assert "cannot be opened (" in messages[0]
    assert len(messages) == 2


@pytest.mark.parametrize("content", [b"a\x00b", b"", b"../c", b"/etc"])
def test_a_choice_that_names_no_bundle_is_told_once_and_readiness_has_it(
    watcher: Watcher, folder: Path, content: bytes, messages: list[str]
) -> None:
    watcher.look_safely()
    assert watcher.service.watch_state == "watching"
    (folder / "LIVE").write_bytes(content)
    for _ in range(3):
        watcher.look_safely()
    assert watcher.service.bundle().path == folder / "c"
    assert watcher.service.watch_state == messages[1]
    assert "is no name of a bundle" in messages[1]
    assert len(messages) == 2
    assert b"adi_watch_failures_total 3.0" in watcher.service.metrics.text()
    (folder / "LIVE").write_text("a\n")
    watcher.look_safely()
    assert (watcher.service.bundle().path, watcher.service.watch_state) == (folder / "a", "watching")


def test_a_bundle_from_the_future_does_not_hide_later_ones(
    watcher: Watcher, folder: Path, bundles: tuple[Path, Path]
) -> None:
    """It counts from when it came."""
    future = copied(bundles[0], folder, "future", "2999-01-01")
    os.utime(future / "bundle.json", (1_600_000_000, 1_600_000_000))  # 2020
    watcher.look()
    assert watcher.service.bundle().path == future
    later = copied(bundles[1], folder, "later", "2021-01-01")
    for _ in range(2):
        watcher.look()
        assert watcher.service.bundle().path == later
    assert roll_back(folder) == future


def test_a_bundle_that_no_known_user_can_be_answered_from_is_refused(
    watcher: Watcher, folder: Path, monkeypatch: pytest.MonkeyPatch, messages: list[str]
) -> None:
    answer = Retriever.retrieve

    def without_users(self: Retriever, domain: str, **options: object) -> object:
        if "user" in options and self.engine.version == read_bundle_info(folder / "c").version:
            raise ValueError("offsets of another bundle")
        return answer(self, domain, **options)

    monkeypatch.setattr(Retriever, "retrieve", without_users)
    watcher.look_safely()
    assert "offsets of another bundle" in messages[0]
    assert watcher.service.bundle().path == folder / "b"


def test_a_missing_folder_is_refused(watcher: Watcher, tmp_path: Path) -> None:
    with pytest.raises(AdiError, match=r"watch: .*none: no such folder"):
        Watcher(watcher.service, tmp_path / "none", print)
