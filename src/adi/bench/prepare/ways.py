"""Three ways from the tables of a log to rows by user and time, each as the work of a process of its own."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from adi.bench.prepare.log import LOG
from adi.errors import AdiError

ADI, PANDAS, DUCKDB = "adi prepare", "pandas in memory", "duckdb sort alone"
PLACES = {ADI: "in_adi", PANDAS: "in_pandas", DUCKDB: "in_duckdb"}
"""The function of this module that makes each way's work."""

Do = Callable[[], object]


def require_pandas() -> None:
    """Raise `AdiError` where pandas is not installed; `adi` itself does without it."""
    if find_spec("pandas") is None:
        raise AdiError(
            "pandas is not installed, and adi bench prepare measures adi beside it. "
            "Run 'pip install pandas', or leave the others out with --alone."
        )


def in_adi(tables: str, out: str, memory: str) -> Do:
    from adi.preparation.prepare import prepare

    return lambda: prepare(Path(tables), Path(out), memory=memory)


def in_pandas(tables: str, out: str, memory: str) -> Do:
    """Takes whatever memory it needs."""
    from adi.bench.prepare.in_pandas import prepare_in_pandas

    return lambda: prepare_in_pandas(Path(tables), Path(out))


def in_duckdb(tables: str, out: str, memory: str) -> Do:
    """The least that an engine has to do: read the log, sort it by user and time, write it as Parquet."""
    import duckdb

    source, target = Path(tables) / LOG, Path(out) / LOG

    def sort() -> None:
        target.parent.mkdir(parents=True)
        spill = str(target.parent / "spill")
        with duckdb.connect(config={"memory_limit": memory, "temp_directory": spill}) as connection:
            ordered = 'SELECT * FROM read_parquet($source) ORDER BY "user", ts'
            connection.execute(f"COPY ({ordered}) TO '{target}' (FORMAT parquet)", {"source": str(source)})

    return sort
