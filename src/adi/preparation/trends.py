"""The clicks of a log by time, as the arrays from which `adi.data.clicks` reads counts and co-clicks at any moment."""

from collections.abc import Callable, Iterator
from pathlib import Path

import ibis
import numpy as np
from ibis.backends.duckdb import Backend

from adi.data.arrays import ROWS_PER_BATCH, Array, ArrayWriter, read_array
from adi.data.co_clicks import FOLLOWING
from adi.data.decayed_sums import RANK_BITS, write_decayed_sums
from adi.data.manifest import CoClickInfo, TrendInfo
from adi.durations import in_log_time
from adi.preparation.cleaning import TimeKind
from adi.preparation.tables import Connection
from adi.schema import HalfLives, Trend


def trend_info(trend: Trend, time: TimeKind) -> TrendInfo:
    """The schema's counters in the unit of the log's time. Raises `AdiError` for a duration that does not fit it."""

    def lives(counts: HalfLives, name: str) -> tuple[float, ...]:
        return tuple(sorted(in_log_time(life, time, name=f"{name}.half_lives") for life in counts.half_lives))

    counted = None
    if trend.co_clicks is not None:
        options = trend.co_clicks.model_dump(exclude={"half_lives"})
        counted = CoClickInfo(half_lives=lives(trend.co_clicks, "trend.co_clicks"), **options)
    delay = in_log_time(trend.delay, time, name="trend.delay")
    return TrendInfo(half_lives=lives(trend, "trend"), delay=delay, co_clicks=counted)


def write_trends(
    connection: Backend, rows: ibis.Table, info: TrendInfo, num_items: int, num_domains: int, out: Path
) -> None:
    """Write the arrays of the clicks `rows` (user, item, domain, time, row) into the folder `out`.

    time.npy                the times of the clicks, ascending; a click's position is its rank
    click_{item,domain}.npy their items and domains
    item_{key,sum}.npy      decayed sums (`adi.data.decayed_sums`) of items, for each domain and then for all together
    domain_{key,sum}.npy    decayed sums of domains, and then of all together
    pair_{key,item}.npy     each click again for every one of its user's last clicks: that one's item and the click's
                            rank as key, and the click's item

    All sorting is the engine's, within its memory; the rest passes block by block.
    """
    out.mkdir(parents=True)
    database = connection.con
    selected = ibis.to_sql(rows.select("user", "item", "domain", "time", "row"), dialect="duckdb")
    database.execute(
        "CREATE TABLE clicks AS SELECT user, item, domain, time, row_number() OVER (ORDER BY time, row) - 1 AS rank "
        f"FROM ({selected})"
    )
    length = int(database.sql("SELECT count(*) FROM clicks").fetchall()[0][0])
    half_lives = np.asarray(info.half_lives, dtype=np.float64)

    def column(query: str) -> Iterator[Array]:
        for batch in database.execute(query).fetch_record_batch(ROWS_PER_BATCH):
            yield batch.column(0).to_numpy(zero_copy_only=False)

    dtype = np.int64 if rows.schema()["time"].is_integer() else np.float64
    _write(out / "time.npy", column("SELECT time FROM clicks ORDER BY rank"), length, dtype)
    _write(out / "click_item.npy", column("SELECT item FROM clicks ORDER BY rank"), length, np.int32)
    _write(out / "click_domain.npy", column("SELECT domain FROM clicks ORDER BY rank"), length, np.int16)
    times = read_array(out / "time.npy")
    segments = {"item": (f"domain::BIGINT * {num_items} + item", f"{num_domains * num_items} + item")}
    segments["domain"] = ("domain::BIGINT", f"{num_domains}::BIGINT")
    for name, (of_domain, overall) in segments.items():
        keys = " UNION ALL ".join(
            f"SELECT ({segment})::BIGINT * {1 << RANK_BITS} + rank AS key FROM clicks"
            for segment in (of_domain, overall)
        )
        write_decayed_sums(out, name, column(f"{keys} ORDER BY key"), 2 * length, times, half_lives)
    if info.co_clicks is not None:
        _write_pairs(database, out, column)
    database.execute("DROP TABLE clicks")


def _write_pairs(database: Connection, out: Path, column: Callable[[str], Iterator[Array]]) -> None:
    """Write each click of the table `clicks` as follower of its user's last clicks."""
    pairs = " UNION ALL ".join(
        f"SELECT lag(item, {back}) OVER (PARTITION BY user ORDER BY rank) AS source, rank, item, {back} AS back "
        "FROM clicks"
        for back in range(1, FOLLOWING + 1)
    )
    database.execute(f"CREATE TABLE pairs AS SELECT * FROM ({pairs}) WHERE source IS NOT NULL")
    num_pairs = int(database.sql("SELECT count(*) FROM pairs").fetchall()[0][0])
    key, order = f"source::BIGINT * {1 << RANK_BITS} + rank", "ORDER BY source, rank, back"
    _write(out / "pair_key.npy", column(f"SELECT {key} FROM pairs {order}"), num_pairs, np.int64)
    _write(out / "pair_item.npy", column(f"SELECT item FROM pairs {order}"), num_pairs, np.int32)
    database.execute("DROP TABLE pairs")


def _write(path: Path, blocks: Iterator[Array], length: int, dtype: type) -> None:
    with ArrayWriter(path, length, dtype) as writer:
        for block in blocks:
            writer.append(block)
