"""What a benchmark found: rows of a table, and the facts without which its numbers mean nothing."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from adi.machine import available_cores

Value = str | int | float | None


@dataclass(frozen=True)
class Report:
    """`rows` have the same keys, in the order of the columns; `found` is what is of the benchmark as a whole.

    `seed` is that of all that it draws.
    """

    name: str
    settings: Mapping[str, Any]
    rows: Sequence[Mapping[str, Value]]
    found: Mapping[str, Value] = field(default_factory=dict)
    seed: int = 0

    def as_json(self) -> dict[str, Any]:
        return {
            "benchmark": self.name,
            "settings": dict(self.settings),
            "seed": self.seed,
            "machine": machine_facts(),
            "versions": versions(),
            "found": dict(self.found),
            "rows": [dict(row) for row in self.rows],
        }


def machine_facts() -> dict[str, Value]:
    """The processor, its cores, memory and system; None for what the system does not say."""
    return {
        "processor": _first_after(Path("/proc/cpuinfo"), "model name") or platform.processor() or None,
        "cores": available_cores(),
        "memory_gb": _memory_gb(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def versions() -> dict[str, Value]:
    """Of adi and the packages whose speed is its own; None for one that is not installed."""
    names = ("adi-retrieval", "torch", "numpy", "pandas", "pyarrow", "faiss-cpu", "onnxruntime", "duckdb")
    return {name: _version(name) for name in names}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _memory_gb() -> float | None:
    kilobytes = _first_after(Path("/proc/meminfo"), "MemTotal")
    return None if kilobytes is None else round(int(kilobytes.split()[0]) / 1e6, 1)


def _first_after(path: Path, name: str) -> str | None:
    """What a file of the system says after a name and a colon, the first time."""
    if not path.exists():
        return None
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith(name):
            return line.partition(":")[2].strip()
    return None
