"""The names that ``adi dataset`` knows, and the choices that a data set refuses."""

import subprocess
import sys
from pathlib import Path

import pytest

from adi.errors import AdiError
from adi.sources.catalog import SOURCES, Source, convert

REPOSITORY = Path(__file__).resolve().parents[2]


def test_unknown_name_lists_and_suggests(tmp_path: Path) -> None:
    with pytest.raises(
        AdiError, match=r"^name: 'globo' is not a data set \(xmrec-wsdm22, .*Did you mean 'globo-news'\?"
    ):
        convert("globo", tmp_path, tmp_path / "tables")


@pytest.mark.parametrize("name", [name for name in SOURCES if name != "globo-news"])
def test_fixed_domains_refuse_a_choice(tmp_path: Path, name: str) -> None:
    with pytest.raises(AdiError, match=rf"^domain: the domains of '{name}' are fixed; only globo-news offers"):
        convert(name, tmp_path, tmp_path / "tables", domain="click_os", values=["1"])
    with pytest.raises(AdiError, match=rf"^values: the domains of '{name}' are fixed"):
        convert(name, tmp_path, tmp_path / "tables", values=["1"])


def test_domain_without_values_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AdiError, match=r"^domain: click_os, without the values to keep\. Give values"):
        convert("globo-news", tmp_path, tmp_path / "tables", domain="click_os")


def test_choice_is_passed_on_and_only_if_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[object, ...]] = []
    record = Source(lambda *paths, **choice: calls.append((*paths, choice)), "a record", domain_choice=True)
    monkeypatch.setitem(SOURCES, "record", record)
    convert("record", tmp_path, tmp_path / "a")
    convert("record", tmp_path, tmp_path / "b", values=["1"])
    convert("record", tmp_path, tmp_path / "c", domain="click_os", values=["1", "3"])
    assert calls == [
        (tmp_path, tmp_path / "a", {}),
        (tmp_path, tmp_path / "b", {"values": ["1"]}),
        (tmp_path, tmp_path / "c", {"domain_column": "click_os", "values": ["1", "3"]}),
    ]


@pytest.mark.parametrize("name", SOURCES)
def test_missing_folder_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(AdiError, match=rf"{tmp_path}/absent: no such folder\. Expected .*docs/datasets\.md"):
        convert(name, tmp_path / "absent", tmp_path / "tables")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", SOURCES)
def test_every_data_set_is_documented(name: str) -> None:
    documented = (REPOSITORY / "docs" / "datasets.md").read_text(encoding="utf-8")
    assert f"## {name}\n" in documented
    assert f"adi dataset {name} --source" in documented


def test_import_stays_cheap() -> None:
    heavy = "import sys, adi.sources.catalog; print({'torch', 'ibis', 'pyarrow'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
