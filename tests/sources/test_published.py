"""Finding published files, loose or in a wheel, and the message when they are not there."""

import zipfile
from pathlib import Path

import pytest

from adi.errors import AdiError
from adi.sources.published import published_files, published_in_wheel

NAMES = ["a.txt", "b.txt"]


def _contents(source: Path) -> dict[str, str]:
    with published_in_wheel(source, wheel="pack-*.whl", inner="pack/data", names=NAMES, remedy="Get it.") as files:
        return {name: path.read_text() for name, path in files.items()}


def _wheel(folder: Path, *, members: list[str], version: str = "1") -> None:
    with zipfile.ZipFile(folder / f"pack-{version}-py3-none-any.whl", "w") as archive:
        for member in members:
            archive.writestr(member, f"{Path(member).name} of {version}")


def test_files_are_sorted(tmp_path: Path) -> None:
    for name in ("log_2.txt", "log_10.txt", "other.txt"):
        (tmp_path / name).touch()
    files = published_files(tmp_path, "log*.txt", "Get it.")
    assert [path.name for path in files] == ["log_10.txt", "log_2.txt"]


def test_missing_folder_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(AdiError, match=r"absent: no such folder\. Get it\."):
        published_files(tmp_path / "absent", "*.txt", "Get it.")
    with pytest.raises(AdiError, match=r"absent: no such folder\. Get it\."):
        _contents(tmp_path / "absent")


def test_missing_file_says_which_is_expected(tmp_path: Path) -> None:
    with pytest.raises(AdiError, match=r"no file matches 'log\*\.txt'\. Get it\."):
        published_files(tmp_path, "log*.txt", "Get it.")
    with pytest.raises(AdiError, match=r"holds neither 'pack-\*\.whl' nor 'a\.txt'\. Get it\."):
        _contents(tmp_path)


@pytest.mark.parametrize("inner", [".", "pack/data"])
def test_loose_files_are_read_in_place(tmp_path: Path, inner: str) -> None:
    (tmp_path / inner).mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        (tmp_path / inner / name).write_text(f"loose {name}")
    assert _contents(tmp_path) == {"a.txt": "loose a.txt", "b.txt": "loose b.txt"}


def test_wheel_is_unpacked_elsewhere_and_removed(tmp_path: Path) -> None:
    _wheel(tmp_path, members=["pack/data/a.txt", "pack/data/b.txt", "pack/code.py"])
    before = sorted(tmp_path.rglob("*"))
    with published_in_wheel(tmp_path, wheel="pack-*.whl", inner="pack/data", names=NAMES, remedy="") as files:
        paths = list(files.values())
        assert [path.read_text() for path in paths] == ["a.txt of 1", "b.txt of 1"]
        assert not list(paths[0].parents[1].glob("code.py"))
    assert sorted(tmp_path.rglob("*")) == before
    assert not any(path.exists() for path in paths)


def test_file_missing_in_the_wheel_is_named(tmp_path: Path) -> None:
    _wheel(tmp_path, members=["pack/data/a.txt"])
    with pytest.raises(AdiError, match=r"pack-1-py3-none-any\.whl: has no file 'b\.txt'\. Get it\."):
        _contents(tmp_path)


def test_file_missing_beside_others_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.txt").touch()
    with pytest.raises(AdiError, match=rf"{tmp_path}: has no file 'b\.txt'\. Get it\."):
        _contents(tmp_path)


def test_broken_wheel_is_named(tmp_path: Path) -> None:
    (tmp_path / "pack-1-py3-none-any.whl").write_text("half a download")
    with pytest.raises(AdiError, match=r"pack-1-py3-none-any\.whl: is not a wheel that can be unpacked"):
        _contents(tmp_path)
