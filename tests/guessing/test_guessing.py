"""The guessed schema: valid for every table it is guessed from, with what was seen beside each guess."""

import datetime as dt
import json
import random
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from adi.errors import AdiError, ArgumentError
from adi.guessing import profiles
from adi.guessing.draft import guess_schema, identifier, positive_expression, scalar
from adi.guessing.profiles import Column
from adi.schema import Schema, load_schema

USERS, ITEMS = 40, 25


def write(path: Path, **columns: list) -> Path:
    """A table in the format of the path's suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table(columns)
    if path.suffix == ".parquet":
        pq.write_table(table, path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row, default=str) + "\n" for row in table.to_pylist()), encoding="utf-8")
    else:
        with duckdb.connect() as connection:
            connection.from_arrow(table).write_csv(str(path))
    return path


def clicks(rows: int = 600, **more: list) -> dict[str, list]:
    """A log with 61 % search, 30 % feed, 9 % cart; ids are text with leading zeros."""
    draw = random.Random(7)
    return {
        "user_id": [f"{draw.randrange(USERS):03}" for _ in range(rows)],
        "item_id": [f"{draw.randrange(ITEMS):03}" for _ in range(rows)],
        "domain": (["search"] * 61 + ["feed"] * 30 + ["cart"] * 9) * (rows // 100),
        "ts": [f"2024-01-{1 + row % 9:02} 10:00:00" for row in range(rows)],
        **more,
    }


def ids(number: int) -> list[str]:
    return [f"{index:03}" for index in range(number)]


def guess(tmp_path: Path, *tables: Path, **named: str) -> tuple[str, Schema]:
    """The text guessed, and the schema that is loaded from it."""
    text = guess_schema(list(tables), tmp_path, **named).text
    (tmp_path / "schema.yaml").write_text(text, encoding="utf-8")
    return text, load_schema(tmp_path / "schema.yaml")


def line_of(text: str, part: str) -> str:
    (line,) = [line.strip() for line in text.splitlines() if part in line]
    return line


class TestLog:
    @pytest.mark.parametrize("suffix", ["parquet", "csv", "jsonl"])
    def test_every_line_of_a_small_log(self, tmp_path, suffix):
        text, schema = guess(tmp_path, write(tmp_path / f"data/log.{suffix}", **clicks()))
        assert schema.interactions.path == f"data/log.{suffix}", "relative to the folder of the schema"
        log = schema.interactions
        assert (log.user, log.item, log.time, log.positive) == ("user_id", "item_id", "ts", None)
        assert schema.domains.column == "domain"
        assert schema.domains.values == ("search", "feed", "cart")
        assert [(f.name, f.kind) for f in schema.features.user] == [
            ("history", "behaviours"),
            ("history_here", "behaviours"),
        ]
        assert [(f.name, f.kind) for f in schema.features.item] == [("item_id", "id")]
        assert schema.features.context == ()
        assert line_of(text, "column: domain") == "column: domain  # 3 values: search 61 %, feed 30 %, cart 9 %"
        assert line_of(text, "path: data/log") == f"path: data/log.{suffix}  # 600 rows"
        assert "user: user_id  # 40 values: " in text

    @pytest.mark.parametrize(
        ("user", "item", "time", "domain"),
        [
            ("userId", "itemId", "timestamp", "marketplace"),
            ("user", "item", "time", "Market Place"),
            ("CUSTOMER_ID", "SKU", "EventTime", "COUNTRY_CODE"),
            ("household_key", "PRODUCT_ID", "day", "channel"),
            ("visitorid", "click_article_id", "created_at", "click_referrer_type"),
            ("uid", "adId", "when", "siteName"),
            ("Reader", "movies", "date", "scene"),
        ],
    )
    def test_names_of_the_trade(self, tmp_path, user, item, time, domain):
        columns = clicks()
        renamed = {"noise": [0.5, 1.5] * 300}
        renamed |= {user: columns["user_id"], item: columns["item_id"], time: columns["ts"], domain: columns["domain"]}
        _, schema = guess(tmp_path, write(tmp_path / "log.parquet", **renamed))
        roles = (schema.interactions.user, schema.interactions.item, schema.interactions.time, schema.domains.column)
        assert roles == (user, item, time, domain)

    def test_a_time_by_type_is_found_without_a_name_and_text_must_read_as_one(self, tmp_path):
        columns = clicks(date=["soon"] * 600)
        columns["moment"] = pa.array([1_700_000_000 + row for row in range(600)]).cast(pa.timestamp("s"))
        del columns["ts"]
        _, schema = guess(tmp_path, write(tmp_path / "log.parquet", **columns))
        assert schema.interactions.time == "moment"

    def test_a_time_of_day_does_not_replace_the_date(self, tmp_path):
        columns = clicks(time=[f"{row % 24:02}:30:00" for row in range(600)])
        columns["date"] = [moment[:10] for moment in columns.pop("ts")]
        text, schema = guess(tmp_path, write(tmp_path / "log.csv", **columns))
        assert schema.interactions.time == "date"
        assert "# time: TIME: not a type that a feature can have" in text

    @pytest.mark.parametrize(
        ("value", "shown"),
        [("TIME '10:00'", "TIME"), ("'10:00:00+02'::TIMETZ", "TIME WITH TIME ZONE"), ("INTERVAL 3 HOURS", "INTERVAL")],
    )
    def test_a_time_of_day_and_a_duration_are_no_time(self, tmp_path, value, shown):
        log = pa.table(clicks()).drop_columns("ts")  # noqa: F841 - DuckDB reads it by its name
        with duckdb.connect() as connection:
            connection.sql(f"SELECT *, {value} AS time FROM log").write_parquet(str(tmp_path / "log.parquet"))
        text, schema = guess(tmp_path, tmp_path / "log.parquet")
        assert schema.interactions.time is None
        assert f"# time: {shown}: not a type that a feature can have" in text

    def test_a_time_of_day_that_is_named_is_refused(self, tmp_path):
        hours = [dt.time(row % 24) for row in range(600)]
        log = write(tmp_path / "log.parquet", **{**clicks(), "hour": hours})
        with pytest.raises(ArgumentError, match="column 'hour': TIME is no moment") as raised:
            guess(tmp_path, log, time="hour")
        assert raised.value.parameter == "time"

    def test_rows_without_a_domain_are_told(self, tmp_path):
        columns = clicks()
        columns["domain"] = [None if row % 3 == 0 else name for row, name in enumerate(columns["domain"])]
        (note,) = guess_schema([write(tmp_path / "log.parquet", **columns)], tmp_path).notes
        assert note.endswith("log.parquet, column 'domain': 33 % of the rows have no value, and are set aside.")
        columns["domain"] = [name or "feed" for name in columns["domain"]]
        columns["user_id"][:6] = [None] * 6  # 1 %
        assert guess_schema([write(tmp_path / "log.parquet", **columns)], tmp_path).notes == []

    def test_no_time(self, tmp_path):
        columns = clicks()
        del columns["ts"]
        text, schema = guess(tmp_path, write(tmp_path / "log.parquet", **columns))
        assert schema.interactions.time is None
        assert "# time: no column looks like one" in text

    def test_the_log_has_user_and_item_and_most_rows(self, tmp_path):
        few = {name: values[:100] for name, values in clicks().items()}
        users = write(tmp_path / "users.parquet", user_id=ids(2000), age=[index % 70 for index in range(2000)])
        text, schema = guess(
            tmp_path, write(tmp_path / "test.csv", **few), users, write(tmp_path / "l.csv", **clicks())
        )
        assert schema.interactions.path == "l.csv"
        assert set(schema.tables) == {"users"}
        assert "# test.csv, 100 rows: not used. user_id and domain 0" in text
        assert "rows. If it is a part of the log" in text
        assert "split: {kind: files, test: test.csv}" in text

    def test_a_column_of_one_value_is_no_user(self, tmp_path):
        columns = clicks()
        columns["customer_id"] = columns.pop("user_id")
        columns["user_id"] = [0] * 600
        _, schema = guess(tmp_path, write(tmp_path / "log.parquet", **columns))
        assert schema.interactions.user == "customer_id"

    def test_a_column_of_one_value_may_be_the_user_where_there_is_one_row(self, tmp_path):
        columns = {name: values[:1] for name, values in clicks().items()}
        with pytest.raises(ArgumentError, match=r"column 'domain': one value") as error:
            guess(tmp_path, write(tmp_path / "log.parquet", **columns), domain="domain")
        assert error.value.parameter == "domain"

    def test_named_columns_win(self, tmp_path):
        columns = clicks(host=["a", "b"] * 300, session_id=clicks()["user_id"])
        named = {"user": "session_id", "domain": "host", "item": "user_id", "time": "item_id"}
        _, schema = guess(tmp_path, write(tmp_path / "log.parquet", **columns), **named)
        log = schema.interactions
        assert (log.user, log.item, log.time, schema.domains.column) == ("session_id", "user_id", "item_id", "host")

    def test_folder_and_glob(self, tmp_path):
        for domain, half in (("search", slice(None, 300)), ("007", slice(300, None))):
            columns = {name: values[half] for name, values in clicks().items() if name != "domain"}
            write(tmp_path / f"log/domain={domain}/part.csv", **columns)
        for path in ("log", "log/*/part.csv"):
            _, schema = guess(tmp_path, tmp_path / path)
            assert schema.interactions.path == path
            assert set(schema.domains.values) == {"search", "007"}, "the folders' values, as text"

    def test_domain_values_are_the_text_of_the_file(self, tmp_path):
        """'True' would read as a boolean and come back as 'true', '010' as 10: prepare reads neither so."""
        (tmp_path / "log.csv").write_text("user,item,app\n" + "1,1,True\n2,2,010\n3,2,1.50\n" * 50)
        _, schema = guess(tmp_path, tmp_path / "log.csv")
        assert set(schema.domains.values) == {"True", "010", "1.50"}

    def test_a_rare_domain_outside_the_sample_is_still_declared(self, tmp_path, monkeypatch):
        monkeypatch.setattr(profiles, "SAMPLE_ROWS", 150)
        columns = clicks(1000)
        columns["domain"][-1] = "outlet"
        text, schema = guess(tmp_path, write(tmp_path / "log.parquet", **columns))
        assert schema.domains.values == ("search", "feed", "cart", "outlet")
        assert "outlet <1 %" in line_of(text, "column: domain")
        assert "# 1,000 rows, " in text
        assert " of them looked at" in text
        assert text == guess_schema([tmp_path / "log.parquet"], tmp_path).text, "the sample is the same every time"


class TestDomain:
    @pytest.mark.parametrize(
        "values",
        [
            ["one"] * 600,
            [str(row % 51) for row in range(600)],
            ["one"] * 598 + ["two"] * 2,
            ["one", "two"] * 200 + [str(row % 40) for row in range(200)],
        ],
        ids=["one value", "51 values", "a second too rare", "a third of the rows in rare ones"],
    )
    def test_a_name_is_not_enough(self, tmp_path, values, monkeypatch):
        monkeypatch.setattr("adi.guessing.roles.FAIR_SHARE", 0.02)
        columns = clicks(market=values, device=["phone", "tv", "web"] * 200)
        del columns["domain"]
        with pytest.raises(AdiError) as caught:
            guess(tmp_path, write(tmp_path / "log.csv", **columns))
        message = str(caught.value)
        assert "log.csv: no column looks like the domain (names such as domain, scenario," in message
        assert "two or more domains" in message
        assert "Name the column; by their values these could be it: device (3 values)." in message
        assert "Columns: user_id, item_id, ts, market, device." in message

    def test_the_next_column_is_taken_where_the_first_has_one_value(self, tmp_path):
        columns = clicks(country=["de", "fr"] * 300, app=["a", "b", "c"] * 200)
        columns["domain"] = ["shop"] * 600
        text, schema = guess(tmp_path, write(tmp_path / "log.csv", **columns))
        assert schema.domains.column == "app"
        assert "# could be the domain too: country (2 values)" in text

    def test_a_named_column_with_one_value(self, tmp_path):
        table = write(tmp_path / "log.csv", **clicks(site=["main"] * 600))
        with pytest.raises(AdiError, match=r"log\.csv, column 'site': one value \('main'\)\. .* two or more domains"):
            guess(tmp_path, table, domain="site")

    def test_a_named_column_with_many_values_lists_none(self, tmp_path):
        text, schema = guess(
            tmp_path, write(tmp_path / "log.csv", **clicks(shop=[str(row % 60) for row in range(600)])), domain="shop"
        )
        assert schema.domains.values is None
        assert line_of(text, "column: shop") == "column: shop  # more than 50 values"


class TestNotFound:
    def test_user(self, tmp_path):
        table = write(tmp_path / "log.csv", who=ids(9), item_id=ids(9))
        fault = r"^user: no column looks like the user .*\(names such as user, customer.*log\.csv: who, item_id\."
        with pytest.raises(AdiError, match=fault):
            guess(tmp_path, table)

    def test_item_in_no_table(self, tmp_path):
        log = write(tmp_path / "log.csv", user_id=ids(9), thing=ids(9))
        users = write(tmp_path / "users.csv", user_id=ids(9), age=list(range(9)))
        fault = r"^item: no column looks like the item .*log\.csv: user_id, thing\. .*users\.csv: user_id, age\."
        with pytest.raises(AdiError, match=fault):
            guess(tmp_path, log, users)

    def test_no_table_with_both(self, tmp_path):
        users = write(tmp_path / "users.csv", user_id=ids(9), age=list(range(9)))
        items = write(tmp_path / "items.csv", item_id=ids(9), price=list(range(9)))
        with pytest.raises(AdiError, match=r"no table has both a user and an item column"):
            guess(tmp_path, users, items)

    def test_named_column_that_does_not_exist(self, tmp_path):
        with pytest.raises(AdiError, match=r"^user: no table has a column 'userid'\. Did you mean 'user_id'\?"):
            guess(tmp_path, write(tmp_path / "log.csv", **clicks()), user="userid")

    def test_named_columns_in_different_tables(self, tmp_path):
        users = write(tmp_path / "users.csv", user_id=ids(9), age=list(range(9)))
        with pytest.raises(AdiError, match="no table has all of the columns age, domain"):
            guess(tmp_path, write(tmp_path / "log.csv", **clicks()), users, user="age", domain="domain")

    def test_one_column_named_twice(self, tmp_path):
        with pytest.raises(AdiError, match="one column has two roles: user 'user_id', item 'user_id'"):
            guess(tmp_path, write(tmp_path / "log.csv", **clicks()), user="user_id", item="user_id")

    def test_no_rows(self, tmp_path):
        (tmp_path / "log.csv").write_text("user_id,item_id,domain\n")
        with pytest.raises(AdiError, match=r"log\.csv: the table has no rows to guess from"):
            guess(tmp_path, tmp_path / "log.csv")

    def test_no_file_and_no_table(self, tmp_path):
        with pytest.raises(AdiError, match=r"click\.csv': no file matches"):
            guess(tmp_path, tmp_path / "click.csv")
        with pytest.raises(AdiError, match=r"^tables: none; give the log"):
            guess(tmp_path)


class TestPositive:
    @pytest.mark.parametrize(
        ("name", "values", "positive", "comment"),
        [
            ("click", [0, 1, 0], "click = 1", None),
            ("isClicked", [0, 1, 0], '"isClicked" = 1', None),
            ("label", [True, False, False], "label", None),
            ("rating", [1, 3, 5], None, "# positive: rating >= 4  # 3 values: "),
            ("stars", [0.5, 4.0, 10.0], None, "# positive: stars >= 8  # "),
            (
                "event_type",
                ["view", "view", "buy"],
                None,
                "# positive: event_type = 'buy'  # 2 values: view 67 %, buy 33 %",
            ),
            ("click", [0, 1, 2], None, None),
            ("click_os", [0, 1, 0], None, None),
            ("rating", [1.0, 500.0, 2.0], None, None),
        ],
    )
    def test_expression(self, tmp_path, name, values, positive, comment):
        text, schema = guess(tmp_path, write(tmp_path / "log.parquet", **clicks(**{name: values * 200})))
        assert schema.interactions.positive == positive
        assert (comment or "") in text
        assert comment is not None or "# positive" not in text

    @pytest.mark.parametrize(("name", "kind"), [("rating", pa.float64()), ("score", pa.int32())])
    def test_a_column_of_nulls_alone_suggests_none(self, tmp_path, name, kind):
        text, _ = guess(tmp_path, write(tmp_path / "log.parquet", **clicks(**{name: pa.nulls(600, kind)})))
        assert f"# {name}: every value is missing" in text
        assert "positive" not in text

    def test_only_the_first_of_two_is_active(self, tmp_path):
        columns = clicks(clicked=[0, 1, 1] * 200, purchased=[False, False, True] * 200)
        text, schema = guess(tmp_path, write(tmp_path / "log.parquet", **columns))
        assert schema.interactions.positive == "clicked = 1"
        assert "# positive: purchased  # 2 values: false 67 %, true 33 %" in text

    def test_names_and_values_are_quoted(self):
        column = Column("user's event", "VARCHAR", 3, 3, 2, {"view": 2, "it's": 1}, "", "")
        assert positive_expression(column) == ("\"user's event\" = 'it''s'", False)


class TestTables:
    def test_keys_and_sides(self, tmp_path):
        domains = ["search", "feed"]
        log = write(tmp_path / "log.csv", **clicks())
        users = write(tmp_path / "u.csv", user_id=ids(USERS), age=[20 + n for n in range(USERS)])
        items = write(
            tmp_path / "item-table.csv", id=["x"] * 22, item_id=[*ids(20), None, None], color=["red", "blue"] * 11
        )
        both = write(
            tmp_path / "by_domain.csv",
            item_id=[item for item in ids(ITEMS) for _ in domains],
            domain=domains * ITEMS,
            bid=[0.5 + n for n in range(2 * ITEMS)],
        )
        repeated = write(tmp_path / "repeated.csv", item_id=["001", "001", "002"], size=[1, 2, 3])
        foreign = write(tmp_path / "foreign.csv", user_id=["a", "b"], size=[1, 2])
        text, schema = guess(tmp_path, items, users, log, both, repeated, foreign)
        assert {name: (table.path, table.key) for name, table in schema.tables.items()} == {
            "item_table": ("item-table.csv", ("item_id",)),
            "u": ("u.csv", ("user_id",)),
            "by_domain": ("by_domain.csv", ("item_id", "domain")),
        }
        assert [(f.name, f.kind, f.table) for f in schema.features.user[2:]] == [("age", "numeric", "u")]
        assert [(f.name, f.kind, f.table) for f in schema.features.item[1:]] == [
            ("color", "categorical", "item_table"),
            ("bid", "numeric", "by_domain"),
        ]
        assert "22 rows; it has 80 % of the log's items" in line_of(text, "item_table: ")
        for name, reason in (
            ("repeated.csv, 3 rows", "item_id 001 comes in 2 rows."),
            ("foreign.csv, 2 rows", "None of its user_id (such as a) is a user_id of the log (such as 000)."),
        ):
            assert f"# {name}: not used. {reason} A feature table has one row for each user_id or item_id of" in text
        assert "# corpus: {path: by_domain.csv, item: item_id, domain: domain}" in text

    def test_ids_that_pandas_has_made_fractions(self, tmp_path):
        columns = clicks()
        columns["user_id"] = [int(user) for user in columns["user_id"]]
        log = write(tmp_path / "log.parquet", **columns)
        users = write(tmp_path / "users.csv", user_id=[1.0, 2.0, None], age=[20, 30, 40])
        draft = guess_schema([log, users], tmp_path)
        (note,) = draft.notes
        assert note.startswith(f"{users} is not used. None of its user_id (such as 1.0) is a user_id of the log")
        assert "7.0 is not 7" in note

    def test_a_table_without_a_header(self, tmp_path):
        (tmp_path / "log.csv").write_text("1,2,search,2024-01-01\n2,3,feed,2024-01-02\n")
        with pytest.raises(AdiError, match=r"log\.csv: has no header: '1' is a value and no name\. Write the names"):
            guess_schema([tmp_path / "log.csv"], tmp_path)

    def test_dates_of_another_form_are_told_by_their_values(self, tmp_path):
        columns = clicks(datum=[f"{1 + row % 9}.1.2024 10:00" for row in range(600)])
        del columns["ts"]
        (note,) = guess_schema([write(tmp_path / "log.parquet", **columns)], tmp_path).notes
        assert "column 'datum': '1.1.2024 10:00' is not read as a time. Write times as 2024-01-31" in note

    def test_times_and_numbers_in_another_form_are_told(self, tmp_path):
        columns = clicks(price=[f"{1 + row % 9}.000,{row % 10}0" for row in range(600)])
        columns["ts"] = [f"{1 + row % 9}.1.2024 10:00" for row in range(600)]
        draft = guess_schema([write(tmp_path / "log.parquet", **columns)], tmp_path)
        time, price = draft.notes
        assert "column 'ts': '1.1.2024 10:00' is not read as a time. Write times as 2024-01-31" in time
        assert "column 'price': '1.000,00' has a decimal comma and is read as text." in price

    def test_a_key_of_another_name(self, tmp_path):
        columns = clicks()
        columns["click_article_id"] = columns.pop("item_id")
        articles = write(tmp_path / "articles.csv", article_id=ids(ITEMS), words=[n * 10.5 for n in range(ITEMS)])
        _, schema = guess(tmp_path, write(tmp_path / "log.csv", **columns), articles)
        assert schema.tables["articles"].key == ("article_id",)

    def test_names_are_unique_over_features_and_tables(self, tmp_path):
        columns = {"Domain": ["a", "b"] * 20, "history": [1.5] * 19 + [2.5] * 21, "size": [1, 2] * 20}
        one = write(tmp_path / "a" / "table.csv", user_id=ids(USERS), **columns)
        two = write(tmp_path / "b" / "Table.csv", item_id=ids(USERS), **columns)
        _, schema = guess(tmp_path, write(tmp_path / "log.csv", **clicks(SIZE=[1, 2, 3] * 200)), one, two)
        assert set(schema.tables) == {"table", "Table_2"}
        sides = (schema.features.user[2:], schema.features.item[1:], schema.features.context)
        assert [[(f.name, f.source_column) for f in side] for side in sides] == [
            [("table_Domain", "Domain"), ("table_history", "history"), ("size", "size")],
            [("Table_2_Domain", "Domain"), ("Table_2_history", "history"), ("Table_2_size", "size")],
            [("context_SIZE", "SIZE")],
        ]


class TestContext:
    def test_context_gives_neither_item_nor_outcome_away(self, tmp_path):
        columns = clicks(
            device=["tv", "web"] * 300, dwell_time=[row / 7 for row in range(600)], tags=[["a"], ["b"]] * 300
        )
        columns["category"] = [f"c{int(item) % 4}" for item in columns["item_id"]]
        text, schema = guess(tmp_path, write(tmp_path / "log.parquet", **columns))
        assert [(f.name, f.kind) for f in schema.features.context] == [("device", "categorical")]
        assert "each item has one value of it" in line_of(text, "name: category")
        assert "an outcome by its name" in line_of(text, "name: dwell_time")
        assert "# tags: lists of 2 values: a list, and context features are single values" in text

    def test_ten_items_are_needed_to_call_a_column_theirs(self, tmp_path):
        for number, doubted in ((9, False), (10, True)):
            columns = clicks(item_id=[f"{row % number}" for row in range(600)])
            columns["category"] = [f"c{int(item) % 4}" for item in columns["item_id"]]
            _, schema = guess(tmp_path, write(tmp_path / "log.parquet", **columns))
            assert (schema.features.context == ()) is doubted

    def test_context_without_a_line_in_use_is_a_comment(self, tmp_path):
        text, schema = guess(tmp_path, write(tmp_path / "log.parquet", **clicks(rating=[1, 2, 3] * 200)))
        assert schema.features.context == ()
        assert "  # context:" in text


class TestNames:
    ODD = (
        "yes",
        "no: #1",
        "événement, x",
        "名前",
        "2nd",
        "a\nb",
        "it's",
        '"q"',
        "{x}",
        "- y",
        "null",
        "a\u2028b",
        "tab\t",
    )

    @pytest.mark.parametrize("odd", ODD)
    def test_odd_names_everywhere(self, tmp_path, odd):
        """As a column in each role, as a value, and as a file: what is loaded is what was there."""
        columns = clicks()
        for name in ("user_id", "item_id", "domain", "ts"):
            columns[odd + name] = columns.pop(name)
        columns[f"{odd}domain"][:200] = [odd] * 200
        columns[f"{odd} context"] = [odd, "x"] * 300
        file = f"{odd.strip()} log.parquet".replace("\n", " ")
        log = write(tmp_path / file, **columns)
        users = write(tmp_path / f"u {file}", **{f"{odd}user_id": ids(USERS), odd: [odd, "x"] * (USERS // 2)})
        named = {role: f"{odd}{name}" for role, name in {"user": "user_id", "item": "item_id", "time": "ts"}.items()}
        text, schema = guess(tmp_path, log, users, domain=f"{odd}domain", **named)
        assert schema.interactions.path == file
        assert {role: getattr(schema.interactions, role) for role in named} == named
        assert schema.domains.column == f"{odd}domain"
        assert odd in schema.domains.values
        assert [f.source_column for f in schema.features.context] == [f"{odd} context"]
        assert schema.features.user[2].source_column == odd
        assert [table.key for table in schema.tables.values()] == [(f"{odd}user_id",)]
        assert len(text.splitlines()) == len(text.split("\n")) - 1, "no line is broken inside a comment"

    @pytest.mark.parametrize(
        "value", [*ODD, "", " x ", "1", "1e3", "2024-01-01", "~", "a, b", "!t", "&a", "x" * 10_000]
    )
    def test_scalar(self, value):
        text = scalar(value)
        assert "\n" not in text
        assert yaml.safe_load(f"{{key: {text}, other: [{text}, {text}]}}") == {"key": value, "other": [value, value]}
        assert yaml.safe_load(scalar([value, "b"])) == [value, "b"]

    @pytest.mark.parametrize(
        ("text", "name"),
        [("Größe (cm)", "Groe_cm"), ("名前", "column"), ("2nd", "column_2nd"), ("a-b.c", "a_b_c"), ("_x", "x")],
    )
    def test_identifier(self, text, name):
        assert identifier(text, "column") == name
