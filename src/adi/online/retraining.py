"""Retraining: the tables of a marketplace with the clicks of a simulation, and what makes a new bundle of them.

Each arm learns from its own users' clicks, on what it chose to show: a loop that no test on a log has.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

Retrain = Callable[[Path, Path], None]
"""Trains a model on a folder of tables, and writes its bundle into a new folder."""

NOT_TABLES = ("truth", "interactions")


def tables_with_clicks(market: Path, clicks: Sequence[Path], out: Path) -> None:
    """Write a folder of a marketplace's tables, whose log goes on with files of clicks (`adi.online.logs.CLICKS`).

    Tables that stay the same are links.
    """
    (out / "interactions").mkdir(parents=True)
    for path in market.iterdir():
        if path.name not in NOT_TABLES:
            (out / path.name).symlink_to(path.resolve())
    for path in (market / "interactions").iterdir():
        (out / "interactions" / path.name).symlink_to(path.resolve())
    pq.write_table(as_log(pq.read_table(list(clicks))), out / "interactions" / "since.parquet")


def as_log(clicks: pa.Table) -> pa.Table:
    """Clicks in the columns of the marketplace's log."""
    time = clicks["time"].cast(pa.timestamp("us"))
    return pa.table(
        {
            "user_id": clicks["user"].cast(pa.int64()),
            "item_id": clicks["item"].cast(pa.int64()),
            "domain": clicks["domain"],
            "ts": time,
            "hour": pc.hour(time).cast(pa.int8()),
        }
    )
