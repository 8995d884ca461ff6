"""Feature tables that cannot be used: each is refused with its file, column, row and value, most before any is read."""

import pyarrow as pa
import pytest

from adi.errors import AdiError

USERS = [
    {"user": "ann", "age": "old", "langs": "a|b", "tags": ["a"]},
    {"user": "bo", "age": None, "langs": None, "tags": []},
]


def refused(workspace, message):
    """Prepare, which must fail with the message before a row is read, and leave nothing."""
    stages = []
    with pytest.raises(AdiError, match=message):
        workspace.prepare(progress=lambda *stage: stages.append(stage))
    assert stages == []
    assert workspace.left_behind() == []


@pytest.fixture
def users(workspace):
    workspace.table("users", USERS, "user")
    return workspace


class TestRefusedBeforeReading:
    def test_a_missing_file(self, users):
        users.add("user", name="age", kind="categorical", table="users")
        (users.folder / "users.parquet").unlink()
        refused(users, rf"'users\.parquet': no file matches, looked for in {users.folder}")

    def test_a_missing_column(self, users):
        users.add("user", name="aeg", kind="categorical", table="users")
        refused(users, r"users\.parquet: no column 'aeg' \(feature 'aeg'\)\. Did you mean 'age'\? Columns: user, age")

    def test_a_missing_key(self, users):
        users.add("user", name="age", kind="categorical", table="users")
        users.schema["tables"]["users"]["key"] = ["user", "domain"]
        refused(users, r"users\.parquet: no column 'domain' \(tables\.users\.key\)")

    @pytest.mark.parametrize(
        ("feature", "message"),
        [
            (
                {"column": "age", "kind": "numeric"},
                r"'age': VARCHAR, and feature 'f' is numeric\. Use kind: categorical",
            ),
            ({"column": "tags", "kind": "numeric"}, r"'tags': VARCHAR\[\], and feature 'f' is numeric"),
            ({"column": "tags", "kind": "categorical"}, r"'tags': VARCHAR\[\], and feature 'f' is one value\..*multi"),
            (
                {"column": "langs", "kind": "multi"},
                r"'langs': VARCHAR is no list, and feature 'f' is multi\. Give its sep",
            ),
            (
                {"column": "tags", "kind": "multi", "separator": ","},
                r"'tags': VARCHAR\[\] is a list already.*Remove the sep",
            ),
        ],
    )
    def test_a_column_of_the_wrong_type(self, users, feature, message):
        users.add("user", name="f", table="users", **feature)
        refused(users, rf"users\.parquet, column {message}")

    def test_a_list_of_numbers_is_no_number(self, workspace):
        workspace.table("items", [{"item": "x", "price": [1.5]}], "item")
        workspace.add("item", name="price", kind="numeric", table="items")
        refused(workspace, r"items\.parquet, column 'price': DOUBLE\[\], and feature 'price' is numeric")

    def test_a_key_that_is_a_list(self, workspace):
        workspace.table("items", [{"item": ["x"], "price": 1.5}], "item")
        workspace.add("item", name="price", kind="numeric", table="items")
        refused(workspace, r"items\.parquet, column 'item': VARCHAR\[\], and tables\.items\.key is one value")

    def test_a_list_for_each_domain(self, users):
        users.table("levels", [{"user": "ann", "domain": "a", "tags": ["x"]}], ["user", "domain"])
        users.add("user", name="levels", kind="multi", table="levels", column="tags")
        refused(
            users, r"levels\.parquet, column 'tags': feature 'levels' is a list for each domain, which is not supported"
        )

    def test_a_table_for_both_sides(self, users):
        users.add("user", name="age", kind="categorical", table="users")
        users.add("item", name="langs", kind="categorical", table="users")
        refused(users, r"tables\.users: .*'age' of users, 'langs' of items\)\. Give each side its table")

    def test_a_column_that_one_of_the_files_lacks(self, users):
        users.write("parts/1.parquet", USERS)
        users.write("parts/2.parquet", [{"user": "cy"}])
        users.schema["tables"]["users"]["path"] = "parts"
        users.add("user", name="age", kind="categorical", table="users")
        refused(users, r"parts/2\.parquet: no column 'age' \(feature 'age'\)")

    def test_a_file_cut_in_the_middle(self, users):
        path = users.folder / "users.parquet"
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        users.add("user", name="age", kind="categorical", table="users")
        refused(users, r"users\.parquet: cannot be read as Parquet")


class TestRepeatedKeys:
    def test_in_one_file(self, users):
        users.table("users", [*USERS, {"user": "cy"}, USERS[0], USERS[1], USERS[1]], "user")
        users.add("user", name="age", kind="categorical", table="users")
        stages = []
        message = (
            r"users\.parquet, row 4: the key user = 'ann' is on 2 rows, first on row 1\. "
            r"tables\.users needs one row for each key; drop the others"
        )
        with pytest.raises(AdiError, match=message):
            users.prepare(progress=lambda *stage: stages.append(stage))
        assert {stage for stage, _, _ in stages} == {"reading the tables"}  # before the log, which is the longest
        assert users.left_behind() == []

    def test_by_domain_and_in_two_files(self, workspace):
        rows = [{"item": "x", "domain": "a", "bid": 1.0}, {"item": "x", "domain": "b", "bid": 2.0}]
        workspace.write("bids/1.csv", rows)
        workspace.write("bids/2.csv", [{"item": "y", "domain": "b", "bid": 3.0}, rows[1]])
        workspace.schema["tables"] = {"bids": {"path": "bids", "key": ["item", "domain"]}}
        workspace.add("item", name="bid", kind="numeric", table="bids")
        message = r"bids/2\.csv, row 2: the key item = 'x', domain = 'b' is on 2 rows, first on .*bids/1\.csv, row 2\."
        with pytest.raises(AdiError, match=message):
            workspace.prepare()

    def test_rows_without_a_key_repeat_nothing(self, workspace):
        workspace.table(
            "users", [{"user": None, "age": "x"}, {"user": None, "age": "y"}, {"user": "bo", "age": "z"}], "user"
        )
        workspace.add("user", name="age", kind="categorical", table="users")
        assert workspace.prepare().tables["users"].set_aside == {"no key": 2}
        assert workspace["features/user/age"] == [0, 2, 0, 0]


def test_a_table_that_no_feature_names_is_not_read(users):
    (users.folder / "users.parquet").write_bytes(b"no Parquet at all")
    manifest = users.prepare()
    assert (manifest.users, manifest.items, manifest.tables) == (4, 4, {})


def test_keys_are_texts_as_written(workspace, log):
    workspace.write("log.csv", [{**row, "user": {"ann": "007", "bo": "7"}.get(row["user"], "8")} for row in log])
    workspace.interactions(path="log.csv")
    workspace.write("users.csv", [{"user": "7", "age": "old"}, {"user": "007", "age": "young"}])
    workspace.schema["tables"] = {"users": {"path": "users.csv", "key": "user"}}
    workspace.add("user", name="age", kind="categorical", table="users")
    workspace.prepare()
    assert [row["key"] for row in workspace.rows("entities/user")] == ["007", "7", "8"]
    assert workspace["features/user/age"] == [3, 2, 0]


def test_whole_numbers_as_keys(workspace, log):
    ids = {"ann": 7, "bo": 10, "cy": 2, "dee": 2**40}
    users = pa.array([ids[row["user"]] for row in log], pa.int64())
    workspace.write("log.parquet", pa.Table.from_pylist(log).drop_columns("user").append_column("user", users))
    workspace.interactions(path="log.parquet")
    workspace.table("users", pa.table({"user": pa.array([10, 2], pa.int32()), "age": [0.5, 1.5]}), "user")
    workspace.add("user", name="age", kind="numeric", buckets=2, table="users")
    workspace.prepare()
    assert [row["key"] for row in workspace.rows("entities/user")] == ["10", str(2**40), "2", "7"]
    assert workspace["features/user/age"] == [2, 0, 3, 0]
