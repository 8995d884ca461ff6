"""Rows per second and memory of `adi prepare`, beside pandas and DuckDB's sort alone.

Each of them runs in a process of its own, whose start and imports are not measured.
"""

import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from importlib.util import find_spec
from os import environ
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from adi.errors import AdiError
from benchmarks.options import AsJson, Rounds, whole_numbers
from benchmarks.preparation.log import LOG, LogSize, simulated_log
from benchmarks.process import Usage, Work, check_cores, run_in_process
from benchmarks.report import Report, Row, announce, show

ADI, PANDAS, DUCKDB = "adi prepare", "pandas in memory", "duckdb sort alone"
WORK = {ADI: "adi_prepare", PANDAS: "pandas_in_memory", DUCKDB: "duckdb_sort"}
"""The function of this module that makes the work of each."""

SPARK = "adi prepare --engine {}"

MIN_ROWS = 1000


def prepare(
    rows: Annotated[str, typer.Option(help="Rows of the log; several sizes as in 1000000,10000000.")] = "1000000",
    folder: Annotated[
        Path | None, typer.Option(help="Keeps the logs for the next call.", show_default="a temporary one")
    ] = None,
    alone: Annotated[
        bool, typer.Option("--alone", help="Measure adi prepare alone, without pandas and DuckDB.")
    ] = False,
    spark: Annotated[
        str | None,
        typer.Option(help="Cores of a local Spark to measure, too; several as in 1,2.", show_default="no Spark"),
    ] = None,
    memory: Annotated[str, typer.Option(help="Memory of the engine, in adi prepare and in DuckDB alone.")] = "2GB",
    threads: Annotated[
        int | None, typer.Option(min=1, help="Cores that each process may use.", show_default="all")
    ] = None,
    rounds: Rounds = 3,
    as_json: AsJson = False,
) -> None:
    """Rows per second and memory to prepare a simulated log with ten features, beside pandas and DuckDB's sort alone.

    Example: [bold]python -m benchmarks prepare --rows 1000000,10000000 --folder logs[/]
    """
    sizes = whole_numbers("rows", rows, "1000000,10000000", MIN_ROWS)
    check_cores(threads)
    if not alone and find_spec("pandas") is None:
        raise AdiError(
            "pandas is not installed, and adi prepare is measured beside it. "
            "Run 'pip install pandas', or leave the others out with --alone."
        )
    names = [ADI] if alone else [ADI, PANDAS, DUCKDB]
    names += [SPARK.format(f"local[{cores}]") for cores in (whole_numbers("spark", spark, "1,2", 1) if spark else ())]
    table: list[Row] = []
    medians: dict[str, float] = {}
    with ExitStack() as stack:
        logs = folder or Path(stack.enter_context(TemporaryDirectory()))
        for size in sizes:
            announce(f"simulating {size:,} rows")
            tables = simulated_log(logs, LogSize(rows=size))
            usages: dict[str, list[Usage]] = {name: [] for name in names}
            for number in range(rounds):
                for name in names:
                    announce(f"{size:,} rows, round {number + 1} of {rounds}: {name}")
                    usages[name].append(_run(name, tables, memory, threads))
            table += [_row(size, name, usages[name]) for name in names]
            medians = {name: median(usage.seconds for usage in usages[name]) for name in names}
    summary: Row = {}
    if not alone:  # at the last size
        summary = {
            "rate_by_pandas": round(medians[PANDAS] / medians[ADI], 3),
            "rate_by_duckdb": round(medians[DUCKDB] / medians[ADI], 3),
        }
    settings = {"rows": sizes, "spark": spark, "memory": memory, "threads": threads, "rounds": rounds}
    show(Report("prepare", settings, table, summary), as_json)


def _run(name: str, tables: Path, memory: str, threads: int | None) -> Usage:
    """Does the work of a name in a new process; what it writes, beside the tables, is removed."""
    with TemporaryDirectory(dir=tables.parent) as folder:
        arguments = {"tables": str(tables), "out": str(Path(folder) / "prepared"), "memory": memory}
        if name not in WORK:
            arguments["engine"] = name.removeprefix(SPARK.format(""))
        return run_in_process(Work(f"{__name__}:{WORK.get(name, 'adi_on_spark')}", arguments), cores=threads)


def _row(size: int, name: str, usages: Sequence[Usage]) -> Row:
    rates = [size / usage.seconds for usage in usages]
    peaks = [usage.peak for usage in usages if usage.peak is not None]
    return {
        "way": name,
        "rows": size,
        "seconds": round(median(usage.seconds for usage in usages), 2),
        "rows_per_second": round(median(rates)),
        "least": round(min(rates)),
        "most": round(max(rates)),
        "peak_mb": round(max(peaks) / 1e6) if peaks else None,
    }


def adi_prepare(tables: str, out: str, memory: str) -> Callable[[], object]:
    """`adi prepare` of the tables, with so much memory for its engine."""
    from adi.preparation.prepare import prepare

    return lambda: prepare(Path(tables), Path(out), memory=memory, progress=False)


def adi_on_spark(tables: str, out: str, memory: str, engine: str) -> Callable[[], object]:
    """`adi prepare` of the tables on a local Spark, which runs before; its memory is not counted."""
    from pyspark.sql import SparkSession

    from adi.preparation.prepare import prepare

    environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.master(engine).config("spark.sql.shuffle.partitions", "8")
    builder.config("spark.ui.enabled", "false").config("spark.driver.memory", memory.replace("GB", "g")).getOrCreate()
    return lambda: prepare(Path(tables), Path(out), engine="spark", memory=memory, progress=False)


def pandas_in_memory(tables: str, out: str, memory: str) -> Callable[[], object]:
    """The same arrays by pandas, which takes the memory that it needs, whatever `memory` is."""
    from benchmarks.preparation.in_pandas import prepare_in_pandas

    return lambda: prepare_in_pandas(Path(tables), Path(out))


def duckdb_sort(tables: str, out: str, memory: str) -> Callable[[], object]:
    """The least that an engine has to do: read the log, sort it by user and time, and write it as Parquet."""
    import duckdb

    source, target = Path(tables) / LOG, Path(out) / LOG

    def sort() -> None:
        target.parent.mkdir(parents=True)
        spill = str(target.parent / "spill")
        with duckdb.connect(config={"memory_limit": memory, "temp_directory": spill}) as connection:
            ordered = 'SELECT * FROM read_parquet($source) ORDER BY "user", ts'
            connection.execute(f"COPY ({ordered}) TO '{target}' (FORMAT parquet)", {"source": str(source)})

    return sort
