"""Reading raw tables: values as they are written, and messages that name what cannot be read."""

import gzip
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adi.engines.tables import FILE, ROW, TableFiles, describe, require_columns
from adi.errors import AdiError


@pytest.fixture
def connection():
    with duckdb.connect() as connection:
        yield connection


def write(path: Path, content: str, *, encoding: str = "utf-8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "wb") as file:
        file.write(content.encode(encoding))
    return path


def write_parquet(path: Path, **columns: list) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)
    return path


def rows_of(connection: duckdb.DuckDBPyConnection, files: list[Path], columns: str, text=frozenset()) -> list[tuple]:
    return connection.execute(f"SELECT {columns} FROM {TableFiles(files).sql(text)}").fetchall()


def types_of(connection: duckdb.DuckDBPyConnection, files: list[Path], text=frozenset()) -> dict[str, str]:
    columns = describe(connection, TableFiles(files).sql(text))
    return {name: column_type for name, column_type in columns.items() if name not in (FILE, ROW)}


def files_of(path: str, folder: Path) -> list[Path]:
    return TableFiles.at(path, folder).files


def names_of(files: list[Path]) -> list[str]:
    return [file.name for file in files]


class TestFilesOf:
    def test_one_file(self, tmp_path):
        file = write(tmp_path / "clicks.csv", "a\n1\n")
        assert files_of("clicks.csv", tmp_path) == [file]
        assert files_of(str(file), tmp_path / "elsewhere") == [file], "an absolute path does not depend on the folder"

    def test_glob_is_sorted_and_narrow(self, tmp_path):
        for name in ("b-2.csv", "b-10.csv", "b-1.csv", "c.csv"):
            write(tmp_path / "clicks" / name, "a\n1\n")
        assert names_of(files_of("clicks/b-*.csv", tmp_path)) == ["b-1.csv", "b-10.csv", "b-2.csv"]

    @pytest.mark.parametrize("path", ["log", "log/", "l*"])
    def test_folder_of_parts_without_the_marks_of_its_writer(self, tmp_path, path):
        for name in ("day=1/part-0.csv", "day=2/part-0.csv", "_SUCCESS", ".part-0.csv.crc", "_temporary/0/part-1.csv"):
            write(tmp_path / "log" / name, "a\n1\n")
        assert files_of(path, tmp_path) == [tmp_path / "log/day=1/part-0.csv", tmp_path / "log/day=2/part-0.csv"]

    def test_a_name_with_the_characters_of_a_glob_is_that_file(self, tmp_path):
        file = write(tmp_path / "log [1]*.csv", "a\n1\n")
        write(tmp_path / "log [1]2.csv", "a\n2\n")
        assert files_of("log [1]*.csv", tmp_path) == [file]

    def test_a_path_that_goes_up_is_named_without_dots(self, tmp_path, monkeypatch):
        log = write(tmp_path / "shop" / "log.csv", "a\n1\n")
        (tmp_path / "shop" / "out").mkdir()
        monkeypatch.chdir(tmp_path)
        assert TableFiles.at("../log.csv", tmp_path / "shop" / "out").files == [log]
        assert TableFiles.at("../*.csv", Path("shop", "out")).files == [Path("shop", "log.csv")]

    def test_behind_a_link_up_is_where_the_link_leads(self, tmp_path):
        write(tmp_path / "shop" / "log.csv", "a\n1\n")
        (tmp_path / "shop" / "out").mkdir()
        (tmp_path / "link").symlink_to(tmp_path / "shop" / "out")
        (file,) = TableFiles.at("../log.csv", tmp_path / "link").files
        assert file.read_text() == "a\n1\n"

    @pytest.mark.parametrize("path", ["click.csv", "click*.csv", "clicks/*.parquet"])
    def test_nothing_matches(self, tmp_path, path):
        (tmp_path / "empty").mkdir()
        with pytest.raises(AdiError) as caught:
            files_of(path, tmp_path)
        assert f"'{path}': no file matches, looked for in {tmp_path}" in str(caught.value)

    def test_empty_folder(self, tmp_path):
        write(tmp_path / "log" / "_SUCCESS", "")
        with pytest.raises(AdiError, match="'log': the folder has no files"):
            files_of("log", tmp_path)


class TestKinds:
    @pytest.mark.parametrize("name", ["log.txt", "log", "log.parquet.gz", "log.gz", "log.csv.zip"])
    def test_unknown_suffix(self, tmp_path, name):
        with pytest.raises(AdiError, match=rf"{name}: not a kind of file that can be read: \.parquet, \.csv"):
            TableFiles([tmp_path / name]).sql()

    def test_mixed_kinds_name_one_file_of_each(self):
        with pytest.raises(AdiError, match=r"files of several kinds: a\.csv, b\.parquet\. Narrow the path"):
            TableFiles([Path("a.csv"), Path("b.parquet"), Path("c.csv")]).sql()

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("log.csv", "user,item\n007,a;b\n8,c\n"),
            ("log.CSV", "user,item\r\n007,a;b\r\n8,c\r\n"),
            ("log.csv", '\ufeffuser,item\n007,"a;b"\n8,c\n'),
            ("log.csv", "user;item\n007;'a;b'\n8;c\n".replace("'", '"')),
            ("log.csv.gz", "user|item\n007|a;b\n8|c\n"),
            ("log.tsv", "user\titem\n007\ta;b\n8\tc\n"),
            ("log.tsv.gz", "user\titem\n007\ta;b\n8\tc\n"),
            ("log.jsonl", '{"user": "007", "item": "a;b"}\n{"user": 8, "item": "c"}\n'),
            ("log.ndjson", '{"item": "a;b", "user": "007"}\n{"user": 8, "item": "c"}\n'),
            ("log.json.gz", '{"user": "007", "item": "a;b"}\n\n{"user": 8, "item": "c"}\n'),
        ],
    )
    def test_text_is_kept_as_written_in_every_text_format(self, connection, tmp_path, name, content):
        file = write(tmp_path / name, content)
        types = types_of(connection, [file], {"user", "item"})
        assert types == {"user": "VARCHAR", "item": "VARCHAR"}
        rows = rows_of(connection, [file], "user, item, filename, file_row_number", {"user", "item"})
        assert rows == [("007", "a;b", str(file), 0), ("8", "c", str(file), 1)]

    def test_parquet(self, connection, tmp_path):
        file = write_parquet(tmp_path / "log.parquet", user=[7, 8, None], tags=[["a"], [], None], price=[0.5, 1, 2])
        assert TableFiles([file]).columns(connection) == {"user": "BIGINT", "tags": "VARCHAR[]", "price": "DOUBLE"}
        assert types_of(connection, [file], {"user"})["user"] == "VARCHAR"
        rows = rows_of(connection, [file], "user, tags, filename, file_row_number", {"user"})
        assert rows == [("7", ["a"], str(file), 0), ("8", [], str(file), 1), (None, None, str(file), 2)]

    def test_only_the_named_columns_are_text(self, connection, tmp_path):
        file = write(tmp_path / "log.csv", "user,flag,price,when\n1e5,true,1.50,2024-01-02 03:04:05\n")
        assert types_of(connection, [file], {"user", "flag"}) == {
            "user": "VARCHAR",
            "flag": "VARCHAR",
            "price": "DOUBLE",
            "when": "TIMESTAMP WITH TIME ZONE",
        }
        assert rows_of(connection, [file], "user, flag, price", {"user", "flag"}) == [("1e5", "true", 1.5)]

    @pytest.mark.parametrize(
        "day", ["01/05/2024", "05.01.2024", "05-01-2024", "05.01.2024 10:11:12", "1/5/24 10:11 PM"]
    )
    @pytest.mark.parametrize("suffix", ["csv", "jsonl"])
    def test_a_date_with_the_day_or_the_month_first_is_no_date(self, connection, tmp_path, suffix, day):
        lines = {"csv": f"item,when\n1,{day}\n", "jsonl": f'{{"item": 1, "when": "{day}"}}\n'}
        file = write(tmp_path / f"log.{suffix}", lines[suffix])
        assert TableFiles([file]).columns(connection)["when"] == "VARCHAR"

    def test_nothing_in_a_csv_is_a_comment(self, connection, tmp_path):
        file = write(tmp_path / "log.csv", 'item,n\n#1,2\n"two\nlines",3\n5" disk,4\n')
        assert rows_of(connection, [file], "item, n") == [("#1", 2), ("two\nlines", 3), ('5" disk', 4)]


class TestSeveralFiles:
    @pytest.mark.parametrize("suffix", ["csv", "tsv.gz", "parquet", "jsonl"])
    def test_rows_are_numbered_within_their_file(self, connection, tmp_path, suffix):
        parts = {"a": [11, 12, 13], "b": [14], "c": [15, 16]}
        for name, values in parts.items():
            file = tmp_path / f"{name}.{suffix}"
            if suffix == "parquet":
                write_parquet(file, x=values)
            elif suffix == "jsonl":
                write(file, "".join(f'{{"x": {value}}}\n' for value in values))
            else:
                write(file, "x\n" + "".join(f"{value}\n" for value in values))
        files = files_of(f"*.{suffix}", tmp_path)
        rows = connection.execute(f"SELECT filename, file_row_number, x FROM {TableFiles(files).sql()}").fetchall()
        expected = {(str(tmp_path / f"{n}.{suffix}"), i, x) for n, xs in parts.items() for i, x in enumerate(xs)}
        assert len(rows) == 6
        assert set(rows) == expected

    def test_rows_are_numbered_right_when_read_in_parallel(self, connection, tmp_path):
        """Files larger than a scan's unit of work, with the order of rows given up."""
        connection.execute("SET threads = 4; SET preserve_insertion_order = false")
        for part in range(2):
            connection.execute(f"COPY (SELECT range AS x FROM range(400000)) TO '{tmp_path}/{part}.csv'")
        relation = TableFiles.at("*.csv", tmp_path).sql()
        query = f"SELECT count(*), count(DISTINCT filename), max(abs(x - file_row_number)) FROM {relation}"
        assert connection.execute(query).fetchone() == (800000, 2, 0)

    def test_columns_are_matched_by_name(self, connection, tmp_path):
        write(tmp_path / "1.csv", "user,item\n01,a\n")
        write(tmp_path / "2.csv", "item,extra,user\nb,2.5,x\n")
        files = files_of("*.csv", tmp_path)
        assert types_of(connection, files, {"user"}) == {
            "user": "VARCHAR",
            "item": "VARCHAR",
            "extra": "DOUBLE",
        }
        assert rows_of(connection, files, "user, item, extra", {"user"}) == [("01", "a", None), ("x", "b", 2.5)]

    def test_values_of_the_folders_are_columns_and_text(self, connection, tmp_path):
        write_parquet(tmp_path / "log/domain=1/p.parquet", user=[1])
        write_parquet(tmp_path / "log/domain=2/p.parquet", user=[2])
        files = files_of("log", tmp_path)
        assert TableFiles(files).columns(connection)["domain"] == "VARCHAR"
        assert rows_of(connection, files, "user, domain") == [(1, "1"), (2, "2")]

    def test_a_wanted_column_must_be_in_every_file(self, connection, tmp_path):
        write(tmp_path / "1.csv", "user,item\n1,a\n")
        guilty = write(tmp_path / "2.csv", "users,item\n1,a\n")
        with pytest.raises(AdiError) as caught:
            TableFiles.at("*.csv", tmp_path).columns(connection, {"user": "interactions.user"})
        assert f"{guilty}: no column 'user' (interactions.user). Did you mean 'users'?" in str(caught.value)


class TestNames:
    NAMES = ("it's [1] *, ?.csv", 'dé "ja" vu.csv', "日本 語.csv", "a;b--.csv")

    @pytest.mark.parametrize("name", NAMES)
    def test_file_names(self, connection, tmp_path, name):
        file = write(tmp_path / "l'été" / name, "x\n1\n")
        for decoy in ("it's 1 zz, q.csv", "it's [1] zz, q.csv"):
            write(tmp_path / "l'été" / decoy, "x\n2\n")
        assert rows_of(connection, files_of(name, file.parent), "x, filename") == [(1, str(file))]

    @pytest.mark.parametrize("column", ["it's", 'a "b"', "ville de naissance", "都市", "select", "x;y"])
    @pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl"])
    def test_column_names(self, connection, tmp_path, column, suffix):
        file = tmp_path / f"log.{suffix}"
        escaped = column.replace('"', '""') if suffix == "csv" else column.replace('"', '\\"')
        if suffix == "csv":
            write(file, f'"{escaped}",n,m\n007,1,2\n')
        elif suffix == "jsonl":
            write(file, f'{{"{escaped}": "007", "n": 1}}\n')
        else:
            write_parquet(file, **{column: ["007"], "n": [1]})
        assert types_of(connection, [file], {column})[column] == "VARCHAR"
        assert rows_of(connection, [file], "*", {column})[0][:2] == ("007", 1)

    @pytest.mark.parametrize("reserved", ["filename", "file_row_number"])
    def test_reserved_column_names(self, connection, tmp_path, reserved):
        file = write(tmp_path / "log.csv", f"user,{reserved}\n1,2\n")
        with pytest.raises(AdiError, match=rf"log\.csv: the column name '{reserved}' is reserved"):
            TableFiles([file]).columns(connection)


class TestFaults:
    def test_header_only_is_a_table_without_rows(self, connection, tmp_path):
        file = write(tmp_path / "log.csv", "user,item\n")
        assert list(TableFiles([file]).columns(connection)) == ["user", "item"]
        assert rows_of(connection, [file], "*") == []

    @pytest.mark.parametrize("name", ["log.csv", "log.tsv", "log.csv.gz", "log.jsonl"])
    @pytest.mark.parametrize("content", ["", "\n \n\n"])
    def test_empty(self, connection, tmp_path, name, content):
        good = write(tmp_path / f"a{name}", '{"a": 1}\n' if "json" in name else "a\n1\n")
        file = write(tmp_path / name, content)
        with pytest.raises(AdiError, match=rf"/{name}: the file is empty"):
            TableFiles([good, file]).columns(connection)

    @pytest.mark.parametrize("content", [b"", b"PAR1 and no more", b"x" * 5000])
    def test_corrupt_parquet_among_good_ones(self, connection, tmp_path, content):
        for name in ("a", "b", "d"):
            write_parquet(tmp_path / f"{name}.parquet", user=[1])
        (tmp_path / "c.parquet").write_bytes(content)
        with pytest.raises(AdiError, match=r"/c\.parquet: cannot be read as Parquet"):
            TableFiles(files_of("*.parquet", tmp_path)).columns(connection)

    def test_corrupt_pages_are_found_while_reading(self, connection, tmp_path):
        for name in ("a", "b"):
            file = write_parquet(tmp_path / f"{name}.parquet", user=[f"user {i * 7919}" for i in range(2000)])
        content = bytearray(file.read_bytes())
        content[200:2000] = bytes(1800)
        file.write_bytes(content)
        files = files_of("*.parquet", tmp_path)
        assert TableFiles(files).columns(connection) == {"user": "VARCHAR"}, "the footer is whole"
        with (
            pytest.raises(AdiError, match=r"/b\.parquet: cannot be read as Parquet"),
            TableFiles(files).reading(connection),
        ):
            rows_of(connection, files, "max(user)")

    def test_what_is_no_fault_of_a_file_stays_what_it_is(self, connection, tmp_path):
        file = write_parquet(tmp_path / "a.parquet", user=[1])
        with pytest.raises(duckdb.BinderException, match="nobody"), TableFiles([file]).reading(connection):
            rows_of(connection, [file], "nobody")

    @pytest.mark.parametrize(("row", "found"), [("3", 1), ("3,4,5", 3), ("# note", 1)])
    def test_ragged_row_is_named_by_its_line(self, connection, tmp_path, row, found):
        good = write(tmp_path / "a.csv", "user,item\n1,2\n")
        file = write(tmp_path / "b.csv", f"user,item\n1,2\n{row}\n4,5\n")
        with pytest.raises(AdiError, match=rf"/b\.csv: cannot be read as CSV: CSV Error on Line: 3 .* Found: {found}"):
            TableFiles([good, file]).columns(connection)

    def test_a_title_above_the_header(self, connection, tmp_path):
        file = write(tmp_path / "a.csv", "Our clicks\nuser,item\n1,2\n3,4\n")
        with pytest.raises(AdiError, match=r"CSV Error on Line: 2 Original Line: user,item .*: 1 Found: 2"):
            TableFiles([file]).columns(connection)

    @pytest.mark.parametrize(
        ("name", "lines", "fault"),
        [
            ("log.csv", ["price", *["1"] * 30_000, "cheap"], 'Line: 30002 .* Could not convert string "cheap"'),
            ("log.jsonl", [*['{"price": 1}'] * 30_000, '{"price": "cheap"}'], 'in line 30001: .*"cheap"'),
        ],
    )
    def test_late_misfit_is_named_by_its_line_unless_read_as_text(self, connection, tmp_path, name, lines, fault):
        file = write(tmp_path / name, "\n".join(lines) + "\n")
        assert TableFiles([file]).columns(connection) == {"price": "BIGINT"}
        with pytest.raises(AdiError, match=fault) as caught, TableFiles([file]).reading(connection):
            rows_of(connection, [file], "max(price)")
        assert "sample_size" not in str(caught.value)
        if name == "log.csv":
            assert rows_of(connection, [file], "max(price)", {"price"}) == [("cheap",)]

    @pytest.mark.parametrize(
        ("name", "content", "fault"),
        [
            ("log.jsonl", '{"a": 1}\n{bad\n', "cannot be read as JSON lines .*: Malformed JSON in file .* in line"),
            ("log.jsonl", "[1, 2]\n", "is one JSON array. Write one object on each line"),
            ("log.json", '[\n {"a": 1},\n {"a": 2}\n]\n', "is one JSON array. Write one object on each line"),
            ("log.csv", "a,b\nx,1\nété,2\n", "cannot be read as CSV: line 3: it is not UTF-8. Save the file as UTF-8"),
            ("log.csv", "PK\x03\x04", "is a workbook of Excel, or another ZIP archive. Save each sheet as CSV"),
            ("log.csv", "PAR1", "is Parquet. End its name with .parquet"),
            ("log.csv", "\x1f\x8b", "is compressed by gzip. End its name with .gz"),
            ("log.csv", "a,b\0\n", "has bytes that are no text. Write it again as UTF-8"),
        ],
    )
    def test_what_is_not_of_its_kind(self, connection, tmp_path, name, content, fault):
        file = write(tmp_path / name, content, encoding="latin-1")
        with pytest.raises(AdiError, match=rf"/{name}: {fault}"):
            TableFiles([file]).columns(connection)

    def test_not_gzip(self, connection, tmp_path):
        (tmp_path / "log.csv.gz").write_text("a,b\n1,2\n")
        with pytest.raises(AdiError, match=r"/log\.csv\.gz: cannot be read: Not a gzipped file"):
            TableFiles([tmp_path / "log.csv.gz"]).columns(connection)

    def test_cut_gzip(self, connection, tmp_path):
        file = write(tmp_path / "log.csv.gz", "a,b\n" + "".join(f"{i * 7919},x\n" for i in range(50_000)))
        file.write_bytes(file.read_bytes()[:-3000])
        assert TableFiles([file]).columns(connection) == {"a": "BIGINT", "b": "VARCHAR"}
        with (
            pytest.raises(AdiError, match=r"/log\.csv\.gz: cannot be read as CSV"),
            TableFiles([file]).reading(connection),
        ):
            rows_of(connection, [file], "max(a)")

    def test_text_that_another_file_would_change(self, connection, tmp_path):
        write_parquet(tmp_path / "1.parquet", id=[7, 2**53 + 1], n=[1, 2])
        write_parquet(tmp_path / "2.parquet", id=[7.5], n=[0.5])
        table = TableFiles.at("*.parquet", tmp_path)
        assert table.columns(connection, text=[]) == {"id": "DOUBLE", "n": "DOUBLE"}
        with pytest.raises(AdiError, match=r"1\.parquet, column 'id': BIGINT, which other files make DOUBLE.*one type"):
            table.columns(connection, text=["id"])

    @pytest.mark.parametrize("other", [["a"], [None], pa.array([7], pa.uint8()), pa.array([8], pa.int32())])
    def test_text_that_no_other_file_changes(self, connection, tmp_path, other):
        write_parquet(tmp_path / "1.parquet", id=[7, 2**53 + 1])
        write_parquet(tmp_path / "2.parquet", id=other)
        table = TableFiles.at("*.parquet", tmp_path)
        table.columns(connection, text=["id"])
        assert rows_of(connection, table.files, "id", ["id"])[:2] == [("7",), (str(2**53 + 1),)]

    @pytest.mark.parametrize("number", [1, 2])
    def test_a_byte_order_mark_is_refused_in_json_alone(self, connection, tmp_path, number):
        """DuckDB takes one where there are several files, and refuses it in a file alone."""
        for name in range(number):
            write(tmp_path / f"{name}.jsonl", '\ufeff{"a": 1}\n')
            write(tmp_path / f"{name}.csv", "\ufeffa\n1\n")
        with pytest.raises(AdiError, match=r"0\.jsonl: begins with a byte order mark"):
            TableFiles.at("*.jsonl", tmp_path).columns(connection)
        assert TableFiles.at("*.csv", tmp_path).columns(connection) == {"a": "BIGINT"}

    def test_utf_16_with_the_line_ends_of_windows(self, connection, tmp_path):
        file = write(tmp_path / "log.csv", "a,b\r\n1,2\r\n", encoding="utf-16")
        with pytest.raises(AdiError, match=r"log\.csv: is text in UTF-16. Save it as UTF-8"):
            TableFiles([file]).columns(connection)

    def test_a_long_value_does_not_hide_the_fault(self, connection, tmp_path):
        file = write(tmp_path / "log.csv", f"a,b\n1,2\n{'x' * 10_000}\n")
        with pytest.raises(AdiError, match=r"Line: 3 Original Line: x{80}\.\.\. Expected Number of Columns: 2"):
            TableFiles([file]).columns(connection)

    def test_types_that_do_not_fit_together(self, connection, tmp_path):
        write_parquet(tmp_path / "a.parquet", tags=[["x"]])
        write_parquet(tmp_path / "b.parquet", tags=[{"x": 1}])
        files = files_of("*.parquet", tmp_path)
        fault = r'/a\.parquet and 1 more: the files do not fit in one table: .*b\.parquet.* column "tags"'
        with pytest.raises(AdiError, match=fault), TableFiles(files).reading(connection):
            rows_of(connection, files, "tags")


class TestRequireColumns:
    def test_all_there(self):
        require_columns("a.csv", {"user": "BIGINT", "item": "BIGINT"}, {"item": "interactions.item"})

    def test_missing(self):
        columns = {"user_id": "BIGINT", "item": "BIGINT"}
        wanted = {"item": "interactions.item", "userid": "interactions.user", "zone": "domains.column"}
        with pytest.raises(AdiError) as caught:
            require_columns(str(TableFiles([Path("a.csv"), Path("b.csv"), Path("c.csv")])), columns, wanted)
        assert str(caught.value) == (
            "a.csv and 2 more: no column 'userid' (interactions.user). Did you mean 'user_id'? "
            "no column 'zone' (domains.column). Columns: user_id, item."
        )

    def test_a_wide_table_is_not_listed_whole(self):
        with pytest.raises(AdiError, match=r"c38, c39 and 960 more\.$"):
            require_columns("a.csv", [f"c{i}" for i in range(1000)], {"x": "interactions.user"})
