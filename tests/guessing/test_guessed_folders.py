"""Folders for each domain, which become the column of the domain."""

from pathlib import Path

import pytest

from adi.errors import ArgumentError
from adi.guessing.draft import guess_schema
from adi.preparation.prepare import prepare
from adi.schema import Schema, load_schema

DOMAINS = ("de", "fr", "us")


def clicks(folder: Path, *, column: str = "", value: str = "") -> None:
    """A log of 40 rows: 8 users, 10 items."""
    rows = [f"{n % 8},{n * 7 % 10},2024-01-01 10:00:{n:02}{value}" for n in range(40)]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "clicks.csv").write_text("\n".join([f"user_id,item_id,ts{column}", *rows]) + "\n")


def guessed(folder: Path, *tables: str) -> Schema:
    (folder / "schema.yaml").write_text(guess_schema([folder / table for table in tables], folder).text)
    return load_schema(folder)


def test_a_folder_of_each_market_is_a_domain(tmp_path: Path) -> None:
    for name in DOMAINS:
        clicks(tmp_path / "log" / name)
    schema = guessed(tmp_path, "log")
    assert schema.interactions.path == "log/{domain}/clicks.csv"
    assert (schema.domains.column, schema.domains.values) == ("domain", DOMAINS)
    counts = prepare(tmp_path, tmp_path / "prepared").by_domain
    assert {name: row.train + row.validation + row.test for name, row in counts.items()} == dict.fromkeys(DOMAINS, 40)


def test_each_market_may_have_several_tables(tmp_path: Path) -> None:
    for name in DOMAINS:
        clicks(tmp_path / "log" / name)
        prices = [f"{item},{item + len(name)}.5" for item in range(10)]
        (tmp_path / "log" / name / "items.csv").write_text("\n".join(["item_id,price", *prices]))
    schema = guessed(tmp_path, "log")
    assert schema.interactions.path == "log/{domain}/clicks.csv"
    assert schema.tables["items"].path == "log/{domain}/items.csv"
    assert schema.tables["items"].key == ("item_id", "domain")


def test_parts_of_a_log_may_have_any_name(tmp_path: Path) -> None:
    for name in DOMAINS:
        clicks(tmp_path / "log" / name)
        (tmp_path / "log" / name / "clicks.csv").rename(tmp_path / "log" / name / f"{name}-1.csv")
    assert guessed(tmp_path, "log").interactions.path == "log/{domain}/*.csv"


def test_a_name_in_braces_may_be_any_part_of_the_path(tmp_path: Path) -> None:
    for name in DOMAINS:
        clicks(tmp_path / "log")
        (tmp_path / "log" / "clicks.csv").rename(tmp_path / "log" / f"clicks_{name}.csv")
    schema = guessed(tmp_path, "log/clicks_{shop}.csv")
    assert (schema.domains.column, schema.domains.values) == ("shop", DOMAINS)


def test_a_column_of_the_domain_comes_first(tmp_path: Path) -> None:
    for name in ("spring", "summer"):
        clicks(tmp_path / "log" / name, column=",market", value=f",{name[2]}")
    schema = guessed(tmp_path, "log")
    assert (schema.interactions.path, schema.domains.column) == ("log", "market")


@pytest.mark.parametrize("names", [("2024-01-01", "2024-01-02"), ("1", "2"), ("day=a", "day=b"), ("us", "")])
def test_folders_of_another_meaning_are_no_domains(tmp_path: Path, names: tuple[str, str]) -> None:
    for name in names:
        clicks(tmp_path / "log" / name)
    with pytest.raises(ArgumentError, match=r"write \{domain\} for its name in their path") as raised:
        guessed(tmp_path, "log")
    assert raised.value.parameter == "domain"


def test_folders_of_other_tables_are_no_domains(tmp_path: Path) -> None:
    clicks(tmp_path / "log" / "clicks")
    (tmp_path / "log" / "users").mkdir()
    (tmp_path / "log" / "users" / "users.csv").write_text("user_id,age\n1,30\n")
    with pytest.raises(ArgumentError, match="no column looks like the domain"):
        guessed(tmp_path, "log")
