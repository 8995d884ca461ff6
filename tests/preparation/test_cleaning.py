"""The raw log: every kind of time, the rows set aside and why, and faults named before any row is read."""

import datetime as dt
import re

import pyarrow as pa
import pytest

from adi.engines import expression
from adi.errors import AdiError

DAY = dt.datetime(2020, 1, 1)


def microseconds(moment):
    return (moment - dt.datetime(1970, 1, 1)) // dt.timedelta(microseconds=1)


def at(rows, convert):
    return [{**row, "time": convert(row["time"])} for row in rows]


class TestTime:
    ORDER = (10, 15, 20, 10, 20, 5, 7, 7)
    """Of the rows kept for training; see `test_prepare`."""

    @pytest.mark.parametrize("suffix", ["parquet", "csv"])
    @pytest.mark.parametrize(
        ("convert", "expected"),
        [
            (lambda time: time, lambda time: time),
            (lambda time: time / 4, lambda time: time / 4),
            (lambda time: (DAY + dt.timedelta(time)).date(), lambda time: microseconds(DAY + dt.timedelta(time))),
            (lambda time: DAY + dt.timedelta(0, time, 7), lambda time: microseconds(DAY + dt.timedelta(0, time, 7))),
            (lambda time: f"2020-01-01 00:00:{time}.5", lambda time: microseconds(DAY) + time * 1_000_000 + 500_000),
        ],
        ids=["whole", "fraction", "date", "timestamp", "text"],
    )
    def test_kinds(self, workspace, log, suffix, convert, expected):
        workspace.write(f"log.{suffix}", at(log, convert))
        workspace.interactions(path=f"log.{suffix}")
        workspace.prepare()
        assert workspace["interactions/time"] == [expected(time) for time in self.ORDER]
        assert workspace["test/item"] == [1, 1, 3, 3]
        assert workspace["test/before"] == [3, 2, 3, 1]

    def test_a_moment_with_a_zone_is_in_utc(self, workspace, log):
        zone = dt.timezone(dt.timedelta(hours=9))
        moments = [(DAY + dt.timedelta(0, row["time"])).replace(tzinfo=dt.UTC).astimezone(zone) for row in log]
        table = pa.Table.from_pylist(log)
        times = pa.array(moments, pa.timestamp("us", tz="Asia/Tokyo"))
        workspace.write("log.parquet", table.set_column(table.schema.get_field_index("time"), "time", times))
        workspace.interactions(path="log.parquet")
        workspace.prepare()
        assert workspace["interactions/time"] == [microseconds(DAY) + time * 1_000_000 for time in self.ORDER]

    @pytest.mark.parametrize("suffix", ["parquet", "csv", "jsonl"])
    def test_texts_may_have_a_zone_each(self, workspace, log, suffix):
        """Countries log in zones of their own; a time without one is in UTC."""
        forms = ("2020-01-01 00:00:{:02}", "2020-01-01T09:00:{:02}+09:00", "2019-12-31 19:00:{:02}-05:00")
        workspace.write(
            f"log.{suffix}", [{**row, "time": forms[n % 3].format(row["time"])} for n, row in enumerate(log)]
        )
        workspace.interactions(path=f"log.{suffix}")
        workspace.prepare()
        assert workspace["interactions/time"] == [microseconds(DAY) + time * 1_000_000 for time in self.ORDER]

    def test_a_zone_after_many_times_without_one(self, workspace, log):
        """The first rows, by which a reader of CSV chooses types, do not change those behind."""
        early = [{**log[0], "time": "2019-01-01 00:00:00"} for _ in range(30_000)]
        rows = at(log, lambda time: f"2020-01-01 09:00:{time:02}+09:00")
        workspace.write("log.csv", early + rows)
        workspace.interactions(path="log.csv")
        workspace.prepare()
        assert max(workspace["interactions/time"]) == microseconds(DAY) + 20 * 1_000_000

    def test_nan_and_infinities_are_set_aside(self, workspace, log):
        rows = at(log, float)
        for row, broken in ((1, float("nan")), (4, float("inf")), (9, float("-inf"))):
            rows[row]["time"] = broken
        workspace.write("log.parquet", rows)
        workspace.interactions(path="log.parquet")
        manifest = workspace.prepare()
        assert manifest.rows.model_dump() == {"read": 12, "kept": 9, "set_aside": {"no readable time": 3}}
        assert [row["file_row"] for row in workspace.rows("set_aside")] == [2, 5, 10]

    def test_texts_that_are_no_time_are_set_aside(self, workspace, log):
        rows = at(log, lambda time: f"2020-01-01 00:00:{time}")
        for row, broken in ((0, "soon"), (4, "infinity"), (9, "2020-02-30")):
            rows[row]["time"] = broken
        workspace.write("log.parquet", rows)
        workspace.interactions(path="log.parquet")
        assert workspace.prepare().rows.set_aside == {"no readable time": 3}

    def test_whole_numbers_out_of_range_are_set_aside(self, workspace, log):
        rows = pa.Table.from_pylist(log)
        times = pa.array([row["time"] for row in log[:-1]] + [2**63], pa.uint64())
        workspace.write("log.parquet", rows.set_column(rows.schema.get_field_index("time"), "time", times))
        workspace.interactions(path="log.parquet")
        assert workspace.prepare().rows.set_aside == {"no readable time": 1}

    def test_no_time(self, workspace):
        workspace.interactions(time=None)
        manifest = workspace.prepare()
        assert manifest.time is None
        assert not (workspace.out / "interactions" / "time.npy").exists()
        # each user's rows stay in the order of the file, of which the last of each domain are the test
        assert workspace["interactions/item"] == [1, 2, 3, 1, 2, 1, 0, 0]
        assert workspace["test/item"] == [1, 1, 2, 3]
        assert workspace["test/before"] == [3, 2, 3, 2]


AWKWARD = ["with space", " ", "été", "本 🎈", 'O\'Neil "x"', "a,b\tc", "007", "7", "NULL", "nan", "x" * 10_000]


@pytest.mark.parametrize("suffix", ["parquet", "csv", "tsv.gz", "jsonl"])
def test_awkward_ids_come_through(workspace, suffix):
    rows = [
        {"user": user, "item": f"{user}!", "domain": domain, "time": time}
        for time, user in enumerate(AWKWARD)
        for domain in ("été 1", "b'")
        for _ in range(2)
    ]
    workspace.write(f"log.{suffix}", rows)
    workspace.interactions(path=f"log.{suffix}")
    workspace.schema["domains"]["values"] = ["été 1", "b'"]
    manifest = workspace.prepare()
    assert manifest.rows.kept == len(rows)
    assert manifest.domains == ("été 1", "b'")
    in_order = sorted(AWKWARD, key=str.encode)
    assert [row["key"] for row in workspace.rows("entities/user")] == in_order
    assert [row["key"] for row in workspace.rows("entities/item")] == sorted((f"{k}!" for k in AWKWARD), key=str.encode)
    assert [row["index"] for row in workspace.rows("entities/user")] == list(range(len(AWKWARD)))


class TestPositive:
    def test_only_what_fulfils_it_is_kept(self, workspace, log):
        ratings = [5, None, 4, 5, 3, 5, 5, 5, 5, 5, 5, 5]
        workspace.write("log.jsonl", [{**row, "rating": rating} for row, rating in zip(log, ratings, strict=True)])
        workspace.interactions(positive="rating >= 4")
        manifest = workspace.prepare()
        assert manifest.rows.model_dump() == {"read": 12, "kept": 10, "set_aside": {"not positive": 2}}
        assert [row["file_row"] for row in workspace.rows("set_aside")] == [2, 5]  # NULL is not positive

    @pytest.mark.parametrize("positive", ["ratign >= 4", "rating >=", "nosuch(rating)"])
    def test_an_expression_that_cannot_be_is_refused_before_the_log_is_read(self, workspace, positive):
        workspace.interactions(positive=positive)
        stages = []
        fault = r"(is refused: it ends|cannot be evaluated on .*log\.jsonl)"
        message = rf"interactions\.positive: '{re.escape(positive)}' {fault}"
        with pytest.raises(AdiError, match=message):
            workspace.prepare(progress=lambda *stage: stages.append(stage))
        assert stages == []
        assert workspace.left_behind() == []

    def test_sql_that_reaches_beyond_a_row_is_refused_before_anything_is_executed(self, workspace, tmp_path):
        workspace.interactions(
            positive=f"true) FROM range(1); COPY (SELECT 1) TO '{tmp_path / 'stolen'}'; SELECT (true"
        )
        with pytest.raises(AdiError, match=r"interactions\.positive: .* is refused: it has a statement of its own"):
            workspace.prepare()
        assert not (tmp_path / "stolen").exists()
        assert workspace.left_behind() == []

    @pytest.mark.parametrize(
        "positive",
        [
            "(SELECT count(*) FROM read_text('{folder}/secret')) > 0",
            "(SELECT count(*) FROM glob('{folder}/*')) > 0",
            "true) FROM range(1); COPY (SELECT 1) TO '{folder}/stolen'; SELECT (true",
            "true) FROM range(1); SET enable_external_access = true; SELECT (true",
        ],
    )
    def test_sql_that_is_not_refused_cannot_open_other_files(self, workspace, tmp_path, monkeypatch, positive):
        monkeypatch.setattr(expression, "fault_of_expression", lambda connection, text: None)
        (tmp_path / "secret").write_text("secret")
        workspace.interactions(positive=positive.format(folder=tmp_path))
        with pytest.raises(AdiError, match=r"disabled by configuration|has been locked"):
            workspace.prepare()
        assert not (tmp_path / "stolen").exists()

    @pytest.mark.parametrize("positive", ["item::INTEGER > 0", "ln(time - 10) > 0"])
    def test_an_expression_that_fails_on_a_row(self, workspace, positive):
        workspace.interactions(positive=positive)
        with pytest.raises(AdiError, match=rf"positive: '{re.escape(positive)}' cannot be .*log\.jsonl: .*Mend"):
            workspace.prepare()
        assert workspace.left_behind() == []


class TestDomains:
    def test_one_that_is_not_declared(self, workspace):
        workspace.schema["domains"]["values"] = ["a", "bb"]
        message = (
            r"log\.jsonl, column 'domain', row 4: 'b' is not a declared domain \(a, bb\).*Add it to domains\.values"
        )
        with pytest.raises(AdiError, match=message):
            workspace.prepare()

    def test_of_one_that_is_long_the_beginning_is_shown(self, workspace, log):
        workspace.write("log.jsonl", [*log, {**log[0], "domain": "x" * 10_000}])
        workspace.schema["domains"]["values"] = ["a", "b"]
        with pytest.raises(AdiError, match=r"column 'domain', row 13: 'x{100}\.\.\.' is not a declared domain"):
            workspace.prepare()

    def test_one_that_is_declared_and_has_no_row(self, workspace):
        workspace.schema["domains"]["values"] = ["a", "b", "c"]
        message = r"log\.jsonl, column 'domain': no usable row of domain 'c'\. Remove it from domains\.values"
        with pytest.raises(AdiError, match=message):
            workspace.prepare()
        assert workspace.left_behind() == []

    def test_one_whose_rows_are_all_set_aside(self, workspace):
        workspace.interactions(positive="domain = 'a'")
        workspace.schema["domains"]["values"] = ["a", "b"]
        with pytest.raises(AdiError, match=r"no usable row of domain 'b'"):
            workspace.prepare()

    def test_declared_ones_keep_their_order(self, workspace):
        workspace.schema["domains"]["values"] = ["b", "a"]
        assert workspace.prepare().domains == ("b", "a")
        assert workspace["test/item"] == [3, 3, 1, 1]

    @pytest.mark.parametrize("values", [None, ["a"]])
    @pytest.mark.parametrize("strict", [False, True])
    def test_one_that_is_left_out(self, workspace, log, values, strict):
        workspace.schema["domains"] |= {"leave_out": ["b"]} | ({} if values is None else {"values": values})
        manifest = workspace.prepare(strict=strict)
        of_b = sum(row["domain"] == "b" for row in log)
        assert manifest.domains == ("a",)
        assert manifest.rows.set_aside == {"domain left out": of_b}
        assert manifest.rows.kept == len(log) - of_b

    def test_one_to_leave_out_that_is_not_there(self, workspace):
        workspace.schema["domains"]["leave_out"] = ["bb"]
        with pytest.raises(AdiError, match=r"domains\.leave_out: 'bb' is no domain of .*log\.jsonl.*\. Did"):
            workspace.prepare()

    def test_one_that_is_both_wanted_and_left_out(self, workspace):
        workspace.schema["domains"] |= {"values": ["a", "b"], "leave_out": ["b"]}
        with pytest.raises(AdiError, match=r"'b' is in values and in leave_out"):
            workspace.prepare()

    def test_a_column_of_too_many_values_is_no_domain(self, workspace, monkeypatch):
        monkeypatch.setattr("adi.preparation.cleaning.MAX_DOMAINS", 3)
        workspace.schema["domains"]["column"] = "item"
        with pytest.raises(AdiError, match=r"log\.jsonl, column 'item': over 3 values\. Name another column"):
            workspace.prepare()


def refused(workspace, message):
    """Prepare, which must fail with the message before a row is read, and leave nothing."""
    stages = []
    with pytest.raises(AdiError, match=message):
        workspace.prepare(progress=lambda *stage: stages.append(stage))
    assert stages == []
    assert workspace.left_behind() == []


class TestRefusedBeforeReading:
    def test_a_missing_file(self, empty):
        refused(empty, rf"'log\.jsonl': no file matches, looked for in {empty.folder}")

    @pytest.mark.parametrize(
        ("role", "column", "use"),
        [
            ("user", "usr", "interactions.user"),
            ("item", "itm", "interactions.item"),
            ("time", "tim", "interactions.time"),
        ],
    )
    def test_a_missing_column(self, workspace, role, column, use):
        workspace.interactions(**{role: column})
        refused(workspace, rf"log\.jsonl: no column '{column}' \({use}\)\. Did you mean '{role}'\? Columns: user, item")

    def test_a_missing_domain_column(self, workspace):
        workspace.schema["domains"]["column"] = "shop"
        refused(workspace, r"log\.jsonl: no column 'shop' \(domains\.column\)")

    def test_a_missing_context_column(self, workspace):
        workspace.add("context", name="device", kind="categorical")
        refused(workspace, r"log\.jsonl: no column 'device' \(features\.context 'device'\)")

    def test_a_column_that_one_of_the_files_lacks(self, workspace, log):
        workspace.write("parts/1.jsonl", log[:6])
        workspace.write("parts/2.jsonl", [{"user": "ann", "domain": "a", "time": 3}])
        workspace.interactions(path="parts/*.jsonl")
        refused(workspace, r"parts/2\.jsonl: no column 'item' \(interactions\.item\)")

    @pytest.mark.parametrize(("kind", "shown"), [(pa.bool_(), "BOOLEAN"), (pa.list_(pa.int64()), r"BIGINT\[\]")])
    def test_a_time_of_the_wrong_type(self, workspace, log, kind, shown):
        table = pa.Table.from_pylist(log).drop_columns("time")
        values = [[1]] * len(log) if pa.types.is_list(kind) else [True] * len(log)
        workspace.write("log.parquet", table.append_column("time", pa.array(values, kind)))
        workspace.interactions(path="log.parquet")
        refused(workspace, rf"log\.parquet, column 'time': {shown} is no time\. Give a number")

    def test_an_id_of_the_wrong_type(self, workspace, log):
        workspace.write("log.jsonl", [{**row, "item": [row["item"]]} for row in log])
        refused(workspace, r"log\.jsonl, column 'item': VARCHAR\[\], and interactions\.item is one value\. Write")

    def test_a_number_that_is_text(self, workspace, log):
        workspace.write("log.jsonl", [{**row, "hour": "noon"} for row in log])
        workspace.add("context", name="hour", kind="numeric")
        refused(workspace, r"log\.jsonl, column 'hour': VARCHAR, and feature 'hour' is numeric\. Use kind: categorical")

    def test_a_parquet_cut_in_the_middle(self, workspace, log):
        path = workspace.write("log.parquet", log)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        workspace.interactions(path="log.parquet")
        refused(workspace, r"log\.parquet: cannot be read as Parquet: ")

    def test_a_log_of_no_bytes(self, workspace):
        (workspace.folder / "log.jsonl").write_bytes(b"")
        refused(workspace, r"log\.jsonl: the file is empty\. Remove it, or write it")


class TestRefusedOnReading:
    def test_a_log_without_rows(self, workspace, log):
        workspace.write("log.parquet", pa.Table.from_pylist(log).slice(0, 0))
        workspace.interactions(path="log.parquet")
        with pytest.raises(AdiError, match=r"log\.parquet: the log has no rows\. Give it some"):
            workspace.prepare()
        assert workspace.left_behind() == []

    def test_all_rows_set_aside(self, workspace):
        workspace.interactions(positive="time > 99")
        with pytest.raises(
            AdiError, match=r"log\.jsonl: no row of 12 can be used; 12 have this fault: not positive\. Mend"
        ):
            workspace.prepare()
        assert workspace.left_behind() == []

    def test_numbers_that_one_text_makes_text(self, workspace, log):
        workspace.write(
            "log.csv", [{**row, "time": "soon" if row["user"] == "cy" else str(row["time"])} for row in log]
        )
        workspace.interactions(path="log.csv")
        message = r"log\.csv: no row of 12 .*no readable time \(first .*log\.csv, row 1, column 'time': '30'\)\. Mend"
        with pytest.raises(AdiError, match=message):
            workspace.prepare()

    def test_a_parquet_with_a_broken_page(self, workspace, log):
        rows = [{**row, "user": f"{row['user']} {copy}"} for copy in range(500) for row in log]
        path = workspace.write("log.parquet", rows)
        content = bytearray(path.read_bytes())
        content[400:1400] = bytes(byte ^ 0x5A for byte in content[400:1400])
        path.write_bytes(content)
        workspace.interactions(path="log.parquet")
        with pytest.raises(AdiError, match=r"log\.parquet: cannot be read as Parquet: "):
            workspace.prepare()
        assert workspace.left_behind() == []
