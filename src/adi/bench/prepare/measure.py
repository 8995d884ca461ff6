"""`adi bench prepare`: rows in a second and memory of `adi prepare`, beside pandas and a bare sort."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from adi.bench.prepare.log import LogSize, simulated_log
from adi.bench.prepare.ways import ADI, DUCKDB, PANDAS, PLACES, require_pandas
from adi.bench.process import Spent, Work, check_cores, spend
from adi.bench.report import Report, Value

Tell = Callable[[str], None]


def bench_prepare(
    sizes: Sequence[LogSize],
    folder: Path | None = None,
    *,
    alone: bool = False,
    memory: str = "2GB",
    threads: int | None = None,
    rounds: int = 3,
    tell: Tell = lambda text: None,
) -> Report:
    """Measure it on logs of one or several sizes; `folder` keeps them for the next call.

    Each way works in a process of its own, on `threads` cores or all, and its time is that of the work, without the
    start of the process and its imports. `memory` bounds the engine of `adi prepare` and of the bare sort. Raises
    `AdiError` where pandas is not installed, unless `adi prepare` is measured `alone`.
    """
    check_cores(threads)
    if not alone:
        require_pandas()
    ways = [ADI] if alone else list(PLACES)
    with ExitStack() as kept:
        place = folder or Path(kept.enter_context(TemporaryDirectory()))
        rows, medians = [], {}
        for size in sizes:
            tell(f"simulating {size.rows:,} rows")
            tables = simulated_log(place, size)
            found: dict[str, list[Spent]] = {way: [] for way in ways}
            for turn in range(rounds):
                for way in ways:
                    tell(f"{size.rows:,} rows, round {turn + 1} of {rounds}: {way}")
                    found[way].append(_once(way, tables, memory, threads))
            rows += [_row(size, way, spent) for way, spent in found.items()]
            medians = {way: median(own.seconds for own in spent) for way, spent in found.items()}
    settings = {"rows": [size.rows for size in sizes], "memory": memory, "threads": threads, "rounds": rounds}
    return Report("prepare", settings, rows, {} if alone else _ratios(medians))


def _once(way: str, tables: Path, memory: str, threads: int | None) -> Spent:
    """One way's work in a new process; what it writes, beside the tables, is removed."""
    with TemporaryDirectory(dir=tables.parent) as folder:
        arguments = {"tables": str(tables), "out": str(Path(folder) / "written"), "memory": memory}
        return spend(Work(f"adi.bench.prepare.ways:{PLACES[way]}", arguments), cores=threads)


def _row(size: LogSize, way: str, spent: Sequence[Spent]) -> dict[str, Value]:
    rates = [size.rows / own.seconds for own in spent]
    peaks = [own.peak for own in spent if own.peak is not None]
    return {
        "way": way,
        "rows": size.rows,
        "seconds": round(median(own.seconds for own in spent), 2),
        "rows_per_second": round(median(rates)),
        "least": round(min(rates)),
        "most": round(max(rates)),
        "peak_mb": round(max(peaks) / 1e6) if peaks else None,
    }


def _ratios(seconds: dict[str, float]) -> dict[str, Value]:
    """How the rates compare at the last size."""
    return {
        "rate_by_pandas": round(seconds[PANDAS] / seconds[ADI], 3),
        "rate_by_duckdb": round(seconds[DUCKDB] / seconds[ADI], 3),
    }
