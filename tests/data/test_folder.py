"""A folder is complete or absent, whatever happens while it is built."""

import errno
import fcntl
import os
import shutil
from pathlib import Path

import pytest

from adi.data import folder as folder_module
from adi.data.folder import LOCK, locked, new_folder, replace_file
from adi.errors import AdiError


def _write(path: Path, then: BaseException | None = None) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(path.stem)
    if then is not None:
        raise then


def test_folder_appears_whole_with_its_parents(tmp_path: Path) -> None:
    out = tmp_path / "some" / "where" / "tables"
    with new_folder(out) as folder:
        (folder / "inner").mkdir()
        (folder / "inner" / "a.txt").write_text("a")
        assert folder.parent == out.parent
        assert not out.exists()
    assert (out / "inner" / "a.txt").read_text() == "a"
    assert list(out.parent.iterdir()) == [out]


def test_empty_folder_is_taken_over(tmp_path: Path) -> None:
    out = tmp_path / "tables"
    out.mkdir()
    with new_folder(out) as folder:
        (folder / "a.txt").write_text("a")
    assert [path.name for path in out.iterdir()] == ["a.txt"]


def test_full_folder_is_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_text("kept")
    with pytest.raises(AdiError, match=rf"{tmp_path}: exists and is not empty"), new_folder(tmp_path):
        pytest.fail("the block must not run")
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]


def test_folder_filled_meanwhile_is_kept(tmp_path: Path) -> None:
    out = tmp_path / "tables"
    with pytest.raises(AdiError, match="not empty"), new_folder(out):
        _write(out / "other.txt")
    assert [path.name for path in out.iterdir()] == ["other.txt"]
    assert list(tmp_path.iterdir()) == [out]


def test_file_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "tables"
    out.write_text("a file")
    with pytest.raises(AdiError, match=r"tables: is a file"), new_folder(out):
        pytest.fail("the block must not run")


def test_place_under_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file")
    with pytest.raises(AdiError, match=r"file/tables: cannot be created"), new_folder(tmp_path / "file" / "tables"):
        pytest.fail("the block must not run")


@pytest.mark.parametrize("failure", [ValueError("broken"), KeyboardInterrupt(), SystemExit(1)])
def test_failure_leaves_nothing(tmp_path: Path, failure: BaseException) -> None:
    with pytest.raises(type(failure)), new_folder(tmp_path / "tables") as folder:
        _write(folder / "a.txt", then=failure)
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_amid_the_removal_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rmtree, calls = shutil.rmtree, 0

    def interrupted(path: Path, **options: bool) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise KeyboardInterrupt
        rmtree(path, **options)

    monkeypatch.setattr("shutil.rmtree", interrupted)
    with pytest.raises(KeyboardInterrupt), new_folder(tmp_path / "tables") as folder:
        _write(folder / "a.txt", then=ValueError("broken"))
    assert (calls, list(tmp_path.iterdir())) == (2, [])


def test_full_disk_is_the_users_fault(tmp_path: Path) -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with pytest.raises(AdiError, match=r"tables: the disk is full"), new_folder(tmp_path / "tables") as folder:
        _write(folder / "a.txt", then=full)
    assert list(tmp_path.iterdir()) == []


def test_everything_is_flushed_before_the_rename(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "tables"
    flushed: list[tuple[str, bool]] = []
    monkeypatch.setattr(folder_module, "flush", lambda path: flushed.append((path.name, out.exists())))
    with new_folder(out) as folder:
        (folder / "inner").mkdir()
        (folder / "inner" / "a.txt").write_text("a")
    assert sorted(flushed[:3]) == sorted([(folder.name, False), ("inner", False), ("a.txt", False)])
    assert flushed[3:] == [(tmp_path.name, True)]


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    replace_file(tmp_path / "a.txt", b"old")
    replace_file(tmp_path / "a.txt", b"new\r\n")
    assert (tmp_path / "a.txt").read_bytes() == b"new\r\n"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_file_that_cannot_be_written_stays_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    replace_file(tmp_path / "a.txt", b"old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        replace_file(tmp_path / "a.txt", b"new")
    assert (tmp_path / "a.txt").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_what_a_killed_process_left_is_removed_and_what_a_living_one_builds_is_not(tmp_path):
    left, others, young = (tmp_path / f".{name}.partial" for name in ("out.0123abcd", "outer.0123abcd", "out.89ab0123"))
    for folder in (left, others, young):
        folder.mkdir()
        (folder / "rows").write_text("half")
    for folder in (left, others):
        os.utime(folder, (1, 1))
    with new_folder(tmp_path / "out") as first:
        os.utime(first, (1, 1))
        with new_folder(tmp_path / "out") as second:
            (second / "rows").write_text("second")
        assert first.exists()
        shutil.rmtree(tmp_path / "out")
        (first / "rows").write_text("first")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["out", others.name, young.name])
    assert (tmp_path / "out" / "rows").read_text() == "first"


def test_a_lock_whose_file_a_process_that_ends_removes_is_taken_anew(tmp_path, monkeypatch):
    flock, calls = fcntl.flock, []

    def late_flock(file, operation):
        if not calls:
            (tmp_path / LOCK).unlink()
        calls.append(file)
        flock(file, operation)

    monkeypatch.setattr(fcntl, "flock", late_flock)
    with locked(tmp_path):
        assert len(calls) == 2
        with pytest.raises(AdiError, match="another adi process"), locked(tmp_path):
            pass
