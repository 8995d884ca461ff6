"""Errors of tasks, raised here as they were raised there."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
from pyspark.errors import PythonException

from adi.errors import AdiError

OURS = re.compile(r"^adi\.errors\.\w+: (.*?)(?=^\S*Error|\Z)", re.MULTILINE | re.DOTALL)
DUCKDBS = re.compile(r"^_?duckdb\.(\w+): (.*?)(?=^\S*Error|\Z)", re.MULTILINE | re.DOTALL)

MISSING = re.compile(r"^ModuleNotFoundError: No module named '([\w.]+)'", re.MULTILINE)


@contextmanager
def faults() -> Iterator[None]:
    """Raise an `AdiError` or an error of DuckDB that a task has raised."""
    try:
        yield
    except PythonException as error:
        text = str(error)
        if missing := MISSING.search(text):
            raise AdiError(
                f"Spark's Python has no package '{missing[1]}'. Install adi-retrieval on its machines, or set "
                "PYSPARK_PYTHON to a Python there that has it."
            ) from error
        if ours := OURS.search(text):
            raise AdiError(" ".join(ours[1].split())) from error
        if duckdbs := DUCKDBS.search(text):
            raise getattr(duckdb, duckdbs[1], duckdb.Error)(duckdbs[2].strip()) from error
        raise
