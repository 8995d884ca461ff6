"""The guesses of `duplicates` and `repeats`, on logs whose repeats are counted."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from adi.errors import AdiError
from adi.guessing.draft import guess_schema
from adi.schema import Schema


def log_of(*, again: int = 0, elsewhere: int = 0, same: int = 0, rows: int = 100) -> list[dict[str, object]]:
    """Rows of so many users with an item of their own and, of the first users, more rows of their item: `again` in the
    same domain, `elsewhere` in another, and `same` that equal the first."""
    first = [
        {"user_id": f"u{number:03}", "item_id": f"i{number % 25:02}", "domain": "ab"[number % 2], "ts": 1000 + number}
        for number in range(rows - again - elsewhere - same)
    ]
    more = [row | {"ts": 5000} for row in first[:again]]
    more += [row | {"domain": "ba"[number % 2], "ts": 6000} for number, row in enumerate(first[:elsewhere])]
    return first + more + first[:same]


def guessed(folder: Path, rows: list[dict[str, object]], positive: str | None = None) -> tuple[Schema, list[str]]:
    """The schema, and the lines of it that are about duplicates and repeats."""
    pq.write_table(pa.Table.from_pylist(rows), folder / "log.parquet")
    text = guess_schema([folder / "log.parquet"], folder, positive=positive).text
    lines = [line for line in text.splitlines() if line.strip().startswith(("duplicates", "repeats"))]
    return Schema.model_validate(yaml.safe_load(text)), lines


def test_a_log_without_repeats_says_nothing_of_them(tmp_path: Path) -> None:
    schema, lines = guessed(tmp_path, log_of())
    assert lines == []
    assert (schema.interactions.duplicates, schema.repeats) == ("keep", False)


@pytest.mark.parametrize(
    ("more", "repeats", "line"),
    [
        ({"again": 30}, True, "of 30 % of the rows the user had the item before; lists may show it again"),
        (
            {"again": 3, "elsewhere": 2},
            True,
            "of 5 % of the rows the user had the item before; lists may show it again",
        ),
        ({"again": 4}, False, "of 4 % of the rows the user had the item before; lists leave it out"),
        ({"elsewhere": 1}, False, "of 1 % of the rows the user had the item before; lists leave it out"),
    ],
)
def test_repeats_are_allowed_where_they_are_not_exceptions(
    tmp_path: Path, more: dict[str, int], repeats: bool, line: str
) -> None:
    schema, lines = guessed(tmp_path, log_of(**more))
    assert lines == [f"repeats: {str(repeats).lower()}  # {line}"]
    assert (schema.interactions.duplicates, schema.repeats) == ("keep", repeats)


def test_duplicates_are_dropped_and_are_no_repeats(tmp_path: Path) -> None:
    schema, lines = guessed(tmp_path, log_of(same=20))
    assert lines == ["  duplicates: drop  # 20 rows (20 %) equal another; keep: they count"]
    assert (schema.interactions.duplicates, schema.repeats) == ("drop", False)


def test_both(tmp_path: Path) -> None:
    schema, lines = guessed(tmp_path, log_of(again=10, same=1))
    assert lines == [
        "  duplicates: drop  # 1 row (1 %) equal another; keep: they count",
        "repeats: true  # of 10 % of the rows the user had the item before; lists may show it again",  # 10 of 99
    ]
    assert (schema.interactions.duplicates, schema.repeats) == ("drop", True)


def test_without_time_no_row_is_taken_for_a_duplicate(tmp_path: Path) -> None:
    rows = [{name: value for name, value in row.items() if name != "ts"} for row in log_of(again=10, same=1)]
    schema, lines = guessed(tmp_path, rows)
    assert lines == ["repeats: true  # of 11 % of the rows the user had the item before; lists may show it again"]
    assert (schema.interactions.time, schema.interactions.duplicates, schema.repeats) == (None, "keep", True)


def test_rows_that_prepare_sets_aside_are_not_counted(tmp_path: Path) -> None:
    rows = log_of()
    faulty = [rows[0] | {"user_id": None}, rows[1] | {"item_id": ""}] * 10
    assert guessed(tmp_path, rows + faulty)[1] == []


def test_only_positive_rows_count(tmp_path: Path) -> None:
    rows = [row | {"click": 1} for row in log_of(again=4, same=2)]
    rows += [row | {"click": 0, "ts": row["ts"] if number % 2 else 7000} for number, row in enumerate(rows[:50])]
    schema, lines = guessed(tmp_path, rows)
    assert lines == [
        "  duplicates: drop  # 2 positive rows (2 %) equal another; keep: they count",
        "repeats: false  # of 4 % of the positive rows the user had the item before; lists leave it out",
    ]
    assert (schema.interactions.positive, schema.repeats) == ("click = 1", False)
    assert guessed(tmp_path, rows, positive="click = 1 AND ts < 5000 AND item_id < 'i1'")[1] == [
        "  duplicates: drop  # 2 positive rows (5 %) equal another; keep: they count"
    ]
    assert guessed(tmp_path, rows, positive="true")[0].repeats


def test_categories_are_text_in_the_expression(tmp_path: Path) -> None:
    rows = [row | {"zip_code": int(str(row["user_id"])[1:]) % 12} for row in log_of(again=20)]
    schema, lines = guessed(tmp_path, rows, positive="zip_code LIKE '1%'")
    assert [(feature.name, feature.kind) for feature in schema.features.context] == [("zip_code", "categorical")]
    assert lines == [
        "repeats: true  # of 17 % of the positive rows the user had the item before; lists may show it again"
    ]


@pytest.mark.parametrize(
    ("positive", "message"),
    [
        ("count(*) > 1", r"positive: 'count\(\*\) > 1' is refused: it has count_star\(\), whose value is not"),
        (
            "clik = 1",
            r"positive: 'clik = 1' cannot be evaluated on .*: there is no column 'clik'\. Did you mean 'click'",
        ),
        ("item_id::INT > 1", r"positive: 'item_id::INT > 1' cannot be evaluated on .*: Could not convert string 'i..'"),
    ],
)
def test_a_bad_expression_is_refused(tmp_path: Path, positive: str, message: str) -> None:
    with pytest.raises(AdiError, match=message):
        guessed(tmp_path, [row | {"click": 1} for row in log_of()], positive=positive)


def test_odd_names_of_columns(tmp_path: Path) -> None:
    names = {"user_id": 'the "user"', "item_id": "item's id", "domain": "select", "ts": "date of it"}
    rows = [{names[name]: value for name, value in row.items()} for row in log_of(again=10, same=1)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "log.parquet")
    named = dict(zip(("user", "item", "domain", "time"), names.values(), strict=True))
    text = guess_schema([tmp_path / "log.parquet"], tmp_path, **named).text
    assert "  duplicates: drop  # 1 row (1 %)" in text
    assert "\nrepeats: true  # of 10 %" in text


def test_of_a_long_log_the_rows_of_some_users_are_looked_at(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("adi.guessing.repeats.MOST_ROWS", 500)
    schema, lines = guessed(tmp_path, log_of(again=600, same=200, rows=2000))
    assert (schema.interactions.duplicates, schema.repeats) == ("drop", True)
    share, looked_at = lines[0].partition("% of ")[::2]
    assert share.startswith("  duplicates: drop  # ")
    rows = int(looked_at.partition(" looked at")[0].replace(",", ""))
    assert 300 < rows < 700
