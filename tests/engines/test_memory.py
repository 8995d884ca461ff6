"""Tables in memory give the same arrays as files, and messages name what cannot be read."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

import adi
from adi.errors import AdiError, ArgumentError
from adi.schema import Schema

USERS = pa.table({"user": ["ann", "bo", "cy"], "age": pa.array(["old", None, "young"]).dictionary_encode()})
ITEMS = pa.table({"item": ["x", "y", "z"], "price": [1.5, None, 0.25], "tags": [["a", "b"], [], None]})
FEATURES = {
    "user": [
        {"name": "history", "kind": "behaviours"},
        {"name": "age", "kind": "categorical", "table": "users"},
    ],
    "item": [
        {"name": "item_id", "kind": "id"},
        {"name": "price", "kind": "numeric", "buckets": 2, "table": "items"},
        {"name": "tags", "kind": "multi", "table": "items"},
    ],
    "context": [{"name": "hour", "kind": "numeric", "buckets": 2}],
}


class Stream:
    """A DataFrame of some library: all that is known of it is that it exports Arrow."""

    def __init__(self, table):
        self.table = table

    def __arrow_c_stream__(self, requested_schema=None):
        return self.table.__arrow_c_stream__(requested_schema)


class Failing:
    """A DataFrame that cannot be exported."""

    columns = ("user", "age")

    def __init__(self, error):
        self.error = error

    def __arrow_c_stream__(self, requested_schema=None):
        raise self.error


@pytest.fixture
def schema():
    """A schema without a path."""
    return {
        "domains": {"column": "domain"},
        "interactions": {"user": "user", "item": "item", "time": "time"},
        "tables": {"users": {"key": "user"}, "items": {"key": "item"}},
        "features": FEATURES,
        "split": {"kind": "last", "validation": 0.0},
    }


@pytest.fixture
def tables(log):
    rows = [{**row, "hour": (place / 2, None)[place % 2]} for place, row in enumerate(log)]
    return {"interactions": pa.Table.from_pylist(rows), "users": USERS, "items": ITEMS}


def with_pandas(table, index_columns):
    """A table as pandas exports it, with these columns as its index."""
    return table.replace_schema_metadata({"pandas": json.dumps({"index_columns": index_columns})})


def refused(schema, tables, out, message, error=AdiError):
    with pytest.raises(error, match=message):
        adi.prepare(schema, out, tables=tables)
    assert list(out.parent.iterdir()) == []


class TestTheSameAsFiles:
    @pytest.fixture
    def from_files(self, schema, tables, tmp_path):
        folder = tmp_path / "files"
        folder.mkdir()
        for name, table in tables.items():
            pq.write_table(table, folder / f"{name}.parquet")
            (schema["interactions"] if name == "interactions" else schema["tables"][name])["path"] = f"{name}.parquet"
        (folder / "schema.yaml").write_text(yaml.safe_dump(schema))
        return adi.prepare(str(folder), str(tmp_path / "from_files"))

    def test_the_same_arrays(self, from_files, schema, tables, tmp_path):
        streams = {name: Stream(table) for name, table in tables.items()}
        for number, (form, given) in enumerate(
            [(schema, tables), (schema, streams), (Schema.model_validate(schema), tables), (tmp_path / "files", tables)]
        ):
            manifest = adi.prepare(form, tmp_path / f"out_{number}", tables=given)
            exclude = {"created", "fingerprint", "schema_sha256", "files"}  # of which the arrays are compared below
            assert manifest.model_dump(exclude=exclude) == from_files.model_dump(exclude=exclude)
            compared = 0
            for path in (tmp_path / "from_files").rglob("*"):
                other = tmp_path / f"out_{number}" / path.relative_to(tmp_path / "from_files")
                if path.suffix in (".npy", ".arrow") or path.parent.name in ("vocabulary", "attributes"):
                    assert path.read_bytes() == other.read_bytes(), path
                    compared += 1
            assert compared > 25

    def test_a_file_beside_a_table_in_memory(self, from_files, schema, tables, tmp_path):
        del schema["interactions"]["path"]
        (tmp_path / "files" / "schema.yaml").write_text(yaml.safe_dump(schema))
        (tmp_path / "files" / "interactions.parquet").unlink()
        given = {"interactions": tables["interactions"]}
        manifest = adi.prepare(tmp_path / "files" / "schema.yaml", tmp_path / "out", tables=given)
        assert manifest.by_domain == from_files.by_domain
        assert manifest.tables == from_files.tables


def test_the_schema_is_kept(schema, tables, tmp_path):
    adi.prepare(schema, tmp_path / "out", tables=tables)
    kept = yaml.safe_load((tmp_path / "out" / "schema.yaml").read_text())
    assert Schema.model_validate(kept) == Schema.model_validate(schema)
    assert kept["interactions"] == schema["interactions"]  # nothing that was not said


def test_rows_set_aside_are_named(schema, tables, tmp_path):
    rows = tables["interactions"].to_pylist()
    rows[3]["user"] = None
    tables["interactions"] = pa.Table.from_pylist(rows)
    adi.prepare(schema, tmp_path / "out", tables=tables)
    (row,) = pq.read_table(tmp_path / "out" / "set_aside.parquet").to_pylist()
    assert (row["file"], row["file_row"], row["reason"]) == ('tables["interactions"]', 4, "no user")


class TestPandas:
    """As much of pandas as its export to Arrow shows."""

    def test_positions_are_no_index(self, schema, tables, tmp_path):
        positions = {"kind": "range", "name": None, "start": 0, "stop": 3, "step": 1}
        tables["users"] = Stream(with_pandas(USERS, [positions]))
        adi.prepare(schema, tmp_path / "out", tables=tables)

    @pytest.mark.parametrize(
        ("index", "label"),
        [
            ("user", "'user'"),
            ("__index_level_0__", "without a name"),
            ({"kind": "range", "name": "user", "start": 1, "stop": 4, "step": 1}, "'user'"),
        ],
    )
    def test_an_index_that_carries_data(self, schema, tables, tmp_path, index, label):
        tables["users"] = Stream(with_pandas(USERS, [index]))
        message = rf'^tables\["users"\]: the index {label} carries data.* Call reset_index\(\)'
        refused(schema, tables, tmp_path / "out", message, ArgumentError)

    def test_mixed_types(self, schema, tables, tmp_path):
        where = "Conversion failed for column age with type object"
        tables["users"] = Failing(pa.ArrowTypeError("Expected bytes, got a 'int' object", where))
        message = r"""column 'age': its values are of several types \(Expected bytes, got a 'int' object\)\. Convert"""
        refused(schema, tables, tmp_path / "out", rf'^tables\["users"\], {message}')

    def test_whatever_else_cannot_be_converted(self, schema, tables, tmp_path):
        tables["users"] = Failing(ValueError("no such type"))
        message = r'^tables\["users"\]: cannot be converted to Arrow: no such type'
        refused(schema, tables, tmp_path / "out", message, ArgumentError)


class TestRefused:
    @pytest.mark.parametrize("wrap", [lambda table: table, Stream])
    def test_duplicate_columns(self, schema, tables, tmp_path, wrap):
        tables["users"] = wrap(pa.table([["ann"], ["old"], ["young"]], names=["user", "age", "age"]))
        message = r"^tables\[\"users\"\]: 2 columns have the name 'age'\. Rename them, or drop all but one"
        refused(schema, tables, tmp_path / "out", message, ArgumentError)

    def test_a_name_that_the_schema_lacks(self, schema, tables, tmp_path):
        tables["user"] = tables.pop("users")
        message = (
            r"^tables: 'user' is not a table of the schema \(interactions, users, items\)\. Did you mean 'users'\?"
        )
        refused(schema, tables, tmp_path / "out", message, ArgumentError)

    @pytest.mark.parametrize(("name", "where"), [("interactions", "interactions"), ("items", "tables.items")])
    def test_a_table_that_is_nowhere(self, schema, tables, tmp_path, name, where):
        del tables[name]
        message = rf"^schema: {where}\.path: is missing\. Name the table's files .* itself: tables\[\"{name}\"\]"
        refused(schema, tables, tmp_path / "out", message)

    @pytest.mark.parametrize("name", ["interactions", "Interactions"])
    def test_a_table_of_the_log_s_name(self, schema, tables, tmp_path, name):
        schema["tables"][name] = {"key": "user"}
        message = f"^tables: 'interactions' is the log, and the schema has a table '{name}'. Rename the table"
        refused(schema, {name: USERS, **tables}, tmp_path / "out", message, ArgumentError)

    def test_no_table(self, schema, tables, tmp_path):
        tables["users"] = [{"user": "ann", "age": "old"}]
        message = r"^tables\[\"users\"\]: list is no table\. Give a pyarrow\.Table, or a DataFrame"
        refused(schema, tables, tmp_path / "out", message, ArgumentError)

    def test_a_schema_that_is_not_valid(self, schema, tables, tmp_path):
        schema["interactions"]["usr"] = "user"
        message = r"^schema: interactions\.usr: is not a known key\. Did you mean 'user'\?"
        refused(schema, tables, tmp_path / "out", message, ArgumentError)

    def test_a_missing_column(self, schema, tables, tmp_path):
        tables["items"] = ITEMS.drop_columns("price")
        refused(schema, tables, tmp_path / "out", r"^tables\[\"items\"\]: no column 'price' \(feature 'price'\)")

    def test_a_reserved_column(self, schema, tables, tmp_path):
        tables["items"] = ITEMS.append_column("filename", pa.array(["a", "b", "c"]))
        refused(schema, tables, tmp_path / "out", r"^tables\[\"items\"\]: the column name 'filename' is reserved")

    def test_a_type_that_the_engine_lacks(self, schema, tables, tmp_path):
        tables["items"] = ITEMS.append_column("half", pa.array([1, 2, 3], pa.float16()))
        message = r"^tables\[\"items\"\], column 'half': halffloat cannot be read\. Convert it"
        refused(schema, tables, tmp_path / "out", message)

    def test_a_row_at_fault(self, schema, tables, tmp_path):
        schema["domains"]["values"] = ["a"]
        message = r"^tables\[\"interactions\"\], column 'domain', row 4: 'b' is not a declared domain \(a\)"
        refused(schema, tables, tmp_path / "out", message)

    def test_a_column_of_the_wrong_type(self, schema, tables, tmp_path):
        tables["items"] = ITEMS.set_column(1, "price", pa.array(["cheap", "dear", None]))
        refused(
            schema, tables, tmp_path / "out", r"^tables\[\"items\"\], column 'price': VARCHAR, and feature 'price' is"
        )
