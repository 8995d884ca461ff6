"""The clicks of a log by time, as the arrays from which `adi.data.clicks` reads counts and co-clicks at any moment."""

from collections.abc import Callable, Iterator
from pathlib import Path

import ibis
import numpy as np

from adi.data.arrays import ROWS_PER_BATCH, Array, ArrayWriter, mapped_array, read_array
from adi.data.co_clicks import FOLLOWING, NEVER
from adi.data.decayed_sums import RANK_BITS, RunningSums, write_decayed_sums
from adi.data.manifest import CoClickInfo, TrendInfo
from adi.durations import in_log_time
from adi.engines.engine import Engine
from adi.engines.tables import Connection
from adi.errors import AdiError
from adi.preparation.cleaning import TimeKind
from adi.schema import HalfLives, Trend


def trend_info(trend: Trend, time: TimeKind) -> TrendInfo:
    """The schema's counters in the unit of the log's time. Raises `AdiError` for a duration that does not fit it."""

    def lives(counts: HalfLives, name: str) -> tuple[float, ...]:
        return tuple(sorted(in_log_time(life, time, name=f"{name}.half_lives") for life in counts.half_lives))

    counted = None
    if trend.co_clicks is not None:
        options = trend.co_clicks.model_dump(exclude={"half_lives"})
        counted = CoClickInfo(half_lives=lives(trend.co_clicks, "trend.co_clicks"), **options)
    audience = () if trend.audience is None else lives(trend.audience, "trend.audience")
    if audience and audience[-1] > max(lives(trend, "trend")):
        raise AdiError(
            "schema: trend.audience.half_lives: longer than the longest of trend.half_lives. Items that nobody has "
            "clicked for long have no trends, and no audience. Give a shorter one, or count clicks for longer."
        )
    delay = in_log_time(trend.delay, time, name="trend.delay")
    return TrendInfo(half_lives=lives(trend, "trend"), delay=delay, co_clicks=counted, audience=audience)


def write_trends(
    engine: Engine, rows: ibis.Table, info: TrendInfo, num_items: int, num_domains: int, out: Path
) -> None:
    """Write the arrays of the clicks `rows` (user, item, domain, time, row) into the folder `out`.

    time.npy                the times of the clicks, ascending; a click's position is its rank
    click_{item,domain}.npy their items and domains
    item_{key,sum}.npy      decayed sums (`adi.data.decayed_sums`) of items, for each domain and then for all together
    domain_{key,sum}.npy    decayed sums of domains, and then of all together
    source_{key,sum}.npy    each click again for every one of its user's last clicks: decayed sums of their items
    follower_{item,sum,next}.npy
                            the click's item, and its decayed sum and next rank after the same source
                            (`adi.data.co_clicks`)

    All sorting is the engine's, within its memory; the rest passes block by block.
    """
    out.mkdir(parents=True)
    database = engine.reader
    selected = engine.to_reader("rows_of_trends", rows.select("user", "item", "domain", "time", "row"))
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
        _write_followers(database, out, column, times, info.co_clicks)
    database.execute("DROP TABLE clicks")


def _write_followers(
    database: Connection, out: Path, column: Callable[[str], Iterator[Array]], times: Array, info: CoClickInfo
) -> None:
    """Write each click of the table `clicks` as follower of its user's last clicks."""
    pairs = " UNION ALL ".join(
        f"SELECT lag(item, {back}) OVER (PARTITION BY user ORDER BY rank) AS source, rank, item, {back} AS back "
        "FROM clicks"
        for back in range(1, FOLLOWING + 1)
    )
    database.execute(
        "CREATE TABLE followers AS SELECT source, rank, item, row_number() OVER (ORDER BY source, rank, back) - 1 AS "
        f"position FROM ({pairs}) WHERE source IS NOT NULL"
    )
    length = int(database.sql("SELECT count(*) FROM followers").fetchall()[0][0])
    half_lives = np.asarray(info.half_lives, dtype=np.float64)
    keys = column(f"SELECT source::BIGINT * {1 << RANK_BITS} + rank FROM followers ORDER BY position")
    write_decayed_sums(out, "source", keys, length, times, half_lives)
    _write(out / "follower_item.npy", column("SELECT item FROM followers ORDER BY position"), length, np.int32)
    next_rank = f"coalesce(lead(rank) OVER (PARTITION BY source, item ORDER BY position), {NEVER})"
    ranks = column(f"SELECT ({next_rank})::UINTEGER FROM followers ORDER BY position")
    _write(out / "follower_next.npy", ranks, length, np.uint32)
    _write_follower_sums(database, out / "follower_sum.npy", length, times, half_lives, info.window)
    database.execute("DROP TABLE followers")


def _write_follower_sums(
    database: Connection, path: Path, length: int, times: Array, half_lives: Array, window: int
) -> None:
    """Write the decayed sums of the table `followers` by source and item; one that has left the window begins anew."""
    pair = "OVER (PARTITION BY source, item ORDER BY position)"
    ordered = database.execute(
        f"SELECT position, rank, coalesce(position - lag(position) {pair} > {window}, true) AS begins FROM followers "
        "ORDER BY source, item, position"
    )
    sums = mapped_array(path, np.float32, (length * len(half_lives),))
    by_position, running, number = sums.reshape(length, len(half_lives)), RunningSums(half_lives), 0
    for batch in ordered.fetch_record_batch(ROWS_PER_BATCH):
        if batch.num_rows:
            position, rank, begins = (column.to_numpy(zero_copy_only=False) for column in batch.columns)
            segments = number + np.cumsum(begins)
            by_position[position] = running.add(segments, times[rank])
            number = int(segments[-1])
    sums.flush()


def _write(path: Path, blocks: Iterator[Array], length: int, dtype: type) -> None:
    with ArrayWriter(path, length, dtype) as writer:
        for block in blocks:
            writer.append(block)
