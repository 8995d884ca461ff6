"""Tables, schema and counts as every conversion writes them."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from adi.schema import load_schema
from adi.sources.conversion import count, read_tsv, working_database, write_counts, write_schema, write_table

SCHEMA = {
    "domains": {"column": "domain", "values": ["none", "25-34"]},
    "interactions": {"path": "log.parquet", "user": "u", "item": "i", "positive": "n > 0"},
    "features": {
        "user": [{"name": "history", "kind": "behaviours", "length": 7}],
        "item": [{"name": "item_id", "kind": "id"}],
    },
}


def test_schema_reads_back(tmp_path: Path) -> None:
    write_schema(tmp_path, "a title", SCHEMA)
    schema = load_schema(tmp_path)
    assert schema.domains.values == ("none", "25-34")
    assert schema.interactions.positive == "n > 0"
    assert schema.features.user[0].kind == "behaviours"
    assert (tmp_path / "schema.yaml").read_text().startswith("# a title.\n")


def test_wrong_schema_is_never_written(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="colour"):
        write_schema(tmp_path, "a title", {**SCHEMA, "colour": "red"})
    assert not (tmp_path / "schema.yaml").exists()


def test_counts_add_up(tmp_path: Path) -> None:
    write_counts(tmp_path, "clicks", read=10, set_aside={"too rare": 3, "repeated": 2})
    written = json.loads((tmp_path / "conversion.json").read_text())
    assert written == {
        "dataset": "clicks",
        "rows": {"read": 10, "kept": 5, "set_aside": {"too rare": 3, "repeated": 2}},
    }


def test_table_is_written_in_the_order_of_the_query(tmp_path: Path) -> None:
    with working_database() as connection:
        connection.execute("CREATE TABLE numbers AS SELECT unnest([2, 3, 1]) AS number")
        assert count(connection, "numbers") == 3
        write_table(connection, "FROM numbers ORDER BY number DESC", tmp_path / "numbers.parquet")
    assert pq.read_table(tmp_path / "numbers.parquet").to_pydict() == {"number": [3, 2, 1]}


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_tab_separated_text_is_taken_as_written(tmp_path: Path, newline: str) -> None:
    file = tmp_path / "odd [1]*.tsv"
    file.write_bytes(newline.join(["id\tname", '007\t"Her"', '1.0\tone "half', ""]).encode())
    (tmp_path / "odd 1x.tsv").write_text("id\tname\n9\tmeant by the glob, not by the name\n")
    with working_database() as connection:
        table = read_tsv(connection, file)
        assert table.columns == ["id", "name"]
        assert table.fetchall() == [("007", '"Her"'), ("1.0", 'one "half')]
        named = read_tsv(connection, file, names=["first", "second"])
        assert named.fetchall()[0] == ("id", "name")


def test_quotes_do_not_enclose(tmp_path: Path) -> None:
    (tmp_path / "quoted.tsv").write_text('id\tname\n1\t"Her"\n2\tplain\n')
    with working_database() as connection:
        assert read_tsv(connection, tmp_path / "quoted.tsv").fetchall() == [("1", '"Her"'), ("2", "plain")]


def test_database_spills_to_a_folder_that_goes_away() -> None:
    with working_database() as connection:
        (folder,) = connection.sql("SELECT current_setting('temp_directory')").fetchall()[0]
        assert Path(folder).is_dir()
        assert Path(folder) != Path.cwd() / ".tmp"
    assert not Path(folder).exists()
