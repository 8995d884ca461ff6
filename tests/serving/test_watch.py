"""A folder of bundles that a server follows: the newest, a bad one, and back."""

import json
import shutil
import time
from pathlib import Path

import pytest

from adi.bundle.manifest import read_bundle_info
from adi.errors import AdiError
from adi.serving.metrics import Metrics
from adi.serving.service import Live, Service
from adi.serving.watch import Follower, bundles_in, follow_newest, roll_back


def placed(bundle: Path, folder: Path, name: str, created: str) -> Path:
    """A copy of a bundle that was exported at another time."""
    shutil.copytree(bundle, folder / name)
    path = folder / name / "bundle.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"created": created}))
    return folder / name


@pytest.fixture
def folder(bundles: tuple[Path, Path], tmp_path: Path) -> Path:
    for name, bundle, created in (("a", 0, "2099-01-01"), ("c", 0, "2099-01-03"), ("b", 1, "2099-01-02")):
        placed(bundles[bundle], tmp_path / "bundles", name, created)
    (tmp_path / "bundles" / "notes").mkdir()
    (tmp_path / "bundles" / ".c.partial").mkdir()
    return tmp_path / "bundles"


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def follower(bundles: tuple[Path, Path], folder: Path, told: list[str]) -> Follower:
    return Follower(Service(bundles[1], Metrics()), folder, told.append, seconds=0.01)


def test_the_newest_goes_live_once(follower: Follower, folder: Path, told: list[str]) -> None:
    assert {path.name: created for path, created in bundles_in(folder).items()} == {
        name: f"2099-01-0{day}" for day, name in enumerate("abc", 1)
    }
    follower.look()
    follower.look()
    assert follower.service.live.path == folder / "c"
    assert told == [f"c: live, version {read_bundle_info(folder / 'c').version}."]


def test_a_bad_one_is_told_once_and_taken_when_it_is_mended(
    follower: Follower, folder: Path, bundles: tuple[Path, Path], told: list[str]
) -> None:
    follower.look()
    bad = placed(bundles[1], folder, "d", "2099-01-04")
    graph = bad / "towers" / "0.onnx"
    content = graph.read_bytes()
    graph.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    for _ in range(3):
        follower.look()
    assert follower.service.live.path == folder / "c"
    assert len(told) == 2
    assert told[1].startswith(f"d: refused, version {follower.service.live.version} stays: ")
    assert "other content than was exported" in told[1]
    assert b"adi_bundles_refused_total 1.0" in follower.service.metrics.text()
    graph.write_bytes(content)
    follower.look()
    assert follower.service.live.path == bad
    (bad / "bundle.json").write_text("{")
    placed(bundles[0], folder, "e", "2099-01-05")
    follower.look()
    assert follower.service.live.path == folder / "e"


def test_what_is_older_than_the_live_one_is_not_taken(
    folder: Path, bundles: tuple[Path, Path], told: list[str]
) -> None:
    live = placed(bundles[0], folder.parent, "live", "2099-01-02")
    follower = Follower(Service(live, Metrics()), folder, told.append)
    shutil.rmtree(folder / "c")
    follower.look()
    assert (follower.service.live.path, told) == (live, [])


def test_back_and_forth(follower: Follower, folder: Path) -> None:
    follower.look()
    assert roll_back(folder) == folder / "b"
    follower.look()
    assert follower.service.live.path == folder / "b"
    assert roll_back(folder) == folder / "a"
    with pytest.raises(AdiError, match=r"no bundle before 'a'\. Name one with --to: a, b, c\."):
        roll_back(folder)
    assert roll_back(folder, "b") == folder / "b"
    with pytest.raises(AdiError, match=r"no bundle 'x' \(a, b, c\)"):
        roll_back(folder, "x")
    follower.look()
    assert follower.service.live.path == folder / "b"
    follow_newest(folder)
    follower.look()
    assert follower.service.live.path == folder / "c"


def test_a_bundle_without_a_live_domain_is_refused(follower: Follower) -> None:
    class Wider(Live):
        @property
        def domains(self) -> tuple[str, ...]:
            return (*super().domains, "cart")

    live = follower.service.live
    follower.service.lives = {None: Wider(live.path, live.created, live.retriever)}
    with pytest.raises(AdiError, match="lacks domain 'cart', which is being served"):
        follower.service.swap(follower.folder / "a")
    assert follower.service.live.version == live.version


def test_it_follows_by_itself_and_a_folder_that_goes_away_does_not_end_it(
    follower: Follower, folder: Path, told: list[str]
) -> None:
    follower.start()
    try:
        while follower.service.live.path != folder / "c":
            time.sleep(0.01)
        folder.rename(folder.with_name("away"))
        while not any("cannot be looked at" in each for each in told):
            time.sleep(0.01)
        folder.with_name("away").rename(folder)
        roll_back(folder)
        while follower.service.live.path != folder / "b":
            time.sleep(0.01)
    finally:
        follower.stop()


def test_a_folder_that_is_not_there_is_refused(follower: Follower, tmp_path: Path) -> None:
    with pytest.raises(AdiError, match=r"--watch: .*none: no such folder"):
        Follower(follower.service, tmp_path / "none", print)
