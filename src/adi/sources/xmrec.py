"""XMRec as published for the WSDM Cup 2022 on cross-market recommendation: the data of the ADI paper's Table 3."""

from pathlib import Path

from adi.data.folder import new_folder
from adi.engines.tables import require_columns
from adi.errors import AdiError
from adi.sources.conversion import (
    Connection,
    count,
    read_tsv,
    reading_text,
    working_database,
    write_counts,
    write_schema,
    write_table,
)
from adi.sources.published import published_files

NAME = "xmrec-wsdm22"
TRAIN, TEST, CANDIDATES = "train_5core.tsv", "valid_qrel.tsv", "valid_run.tsv"
REMEDY = (
    f"Expected is the cup's layout, a sub-folder for each domain with {TRAIN}, {TEST} and {CANDIDATES}; "
    "see docs/datasets.md."
)


def xmrec_wsdm22(source: Path, out: Path) -> None:
    """Convert the cup's folder, in which every sub-folder with a ``train_5core.tsv`` is a domain.

    Writes interactions, test and candidates (one row for each candidate of a user in a domain) as Parquet, and
    ``schema.yaml``. The data has no time. Of a user's repeated ratings of an item in a domain the highest is kept.
    Raises `AdiError` for a missing or unreadable file, and for an `out` that is not free.
    """
    folders = [file.parent for file in published_files(source, f"*/{TRAIN}", REMEDY)]
    for folder in folders:
        for name in (TEST, CANDIDATES):
            if not (folder / name).is_file():
                raise AdiError(f"{folder}: has no file '{name}'. {REMEDY}")
    with new_folder(out) as building, working_database() as connection:
        columns = "user_id VARCHAR, item_id VARCHAR, domain VARCHAR"
        connection.execute(f"CREATE TABLE log ({columns}, rating DOUBLE)")
        connection.execute(f"CREATE TABLE test ({columns}, rating DOUBLE)")
        connection.execute(f"CREATE TABLE candidates ({columns}, position BIGINT)")
        for folder in folders:
            _read_ratings(connection, "log", folder / TRAIN)
            _read_ratings(connection, "test", folder / TEST)
            _read_candidates(connection, folder / CANDIDATES)
        connection.execute(
            "CREATE TABLE interactions AS SELECT user_id, item_id, domain, max(rating) AS rating FROM log GROUP BY ALL"
        )
        order = "ORDER BY domain, user_id, item_id"
        write_table(connection, f"FROM interactions {order}", building / "interactions.parquet")
        write_table(connection, f"FROM test WHERE rating > 0 {order}", building / "test.parquet")
        write_table(
            connection,
            "SELECT user_id, domain, item_id FROM candidates ORDER BY domain, user_id, position",
            building / "candidates.parquet",
        )
        read = count(connection, "log")
        set_aside = {"repeated user, item and domain": read - count(connection, "interactions")}
        write_counts(building, NAME, read=read, set_aside=set_aside)
        write_schema(
            building,
            f"{NAME}: purchases in several markets, with the candidates of each test user",
            {
                "domains": {"column": "domain", "values": [folder.name for folder in folders]},
                "interactions": {"path": "interactions.parquet", "user": "user_id", "item": "item_id"},
                "features": {
                    "user": [{"name": "history", "kind": "behaviours", "length": 50}],
                    "item": [{"name": "item_id", "kind": "id"}],
                },
                "split": {"kind": "files", "test": "test.parquet", "candidates": "candidates.parquet"},
            },
        )


def _read_ratings(connection: Connection, table: str, file: Path) -> None:
    """Append a tab-separated file with the header userId, itemId, rating; the domain is its folder's name."""
    with reading_text(file):
        ratings = read_tsv(connection, file)
    require_columns(
        str(file), ratings.columns, dict.fromkeys(("userId", "itemId", "rating"), f"a column of {NAME} as published")
    )
    with reading_text(file):
        ratings.create_view("ratings", replace=True)
        connection.execute(
            f"INSERT INTO {table} SELECT userId, itemId, ?, CAST(rating AS DOUBLE) FROM ratings", [file.parent.name]
        )


def _read_candidates(connection: Connection, file: Path) -> None:
    """Append a file without a header: user, tab, the candidates between commas."""
    with reading_text(file):
        runs = read_tsv(connection, file, names=["user_id", "items"])
        runs.create_view("runs", replace=True)
        connection.execute(
            "INSERT INTO candidates "
            "SELECT user_id, unnest(string_split(items, ',')), ?, generate_subscripts(string_split(items, ','), 1) "
            "FROM runs",
            [file.parent.name],
        )
