"""The result of a benchmark: a table, the ratios it comes to, and the machine and versions it was measured on."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from adi.cli.screen import ERR
from adi.cli.show import plain_table, say, say_json
from adi.machine import available_cores

Value = str | int | float | None
Row = dict[str, Value]
"""A row of a table, from column to value; all rows of a report have the same columns in the same order."""

PACKAGES = ("adi-retrieval", "torch", "numpy", "pandas", "pyarrow", "faiss-cpu", "onnxruntime", "duckdb")


@dataclass(frozen=True)
class Report:
    """A benchmark's table, and in `summary` the figures that concern all of its rows."""

    name: str
    settings: Mapping[str, Any]
    rows: Sequence[Row]
    summary: Row = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {
            "benchmark": self.name,
            "settings": dict(self.settings),
            "seed": 0,  # of all random draws
            "machine": machine_facts(),
            "versions": {package: _version(package) for package in PACKAGES},
            "found": self.summary,
            "rows": list(self.rows),
        }


def show(report: Report, as_json: bool) -> None:
    """Print a report on standard output, as a table or as one line of JSON."""
    if as_json:
        say_json(report.as_json())
        return
    first, *others = report.rows[0]
    table = plain_table(None, first.replace("_", " "))
    for column in others:
        table.add_column(column.replace("_", " "), justify="right")
    for row in report.rows:
        table.add_row(*(_text(value) for value in row.values()))
    say(table)
    for name, value in report.summary.items():
        say(f"{name.replace('_', ' ')}: {_text(value)}")


def announce(text: str) -> None:
    """Print on standard error what a benchmark does next."""
    ERR.print(f"{text} ...")


def machine_facts() -> Row:
    """The processor, its cores, memory and system; None for what the system does not tell."""
    kilobytes = _first_value(Path("/proc/meminfo"), "MemTotal")
    return {
        "processor": _first_value(Path("/proc/cpuinfo"), "model name") or platform.processor() or None,
        "cores": available_cores(),
        "memory_gb": None if kilobytes is None else round(int(kilobytes.split()[0]) / 1e6, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def _text(value: Value) -> str:
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int | float) else value


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _first_value(path: Path, name: str) -> str | None:
    """The text after the first line's ``name:`` in a file of the system; None where there is none."""
    if not path.exists():
        return None
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith(name):
            return line.partition(":")[2].strip()
    return None
