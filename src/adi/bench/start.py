"""`adi bench start`: how long a new process takes to be of use, beside Python's own start."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from adi.bench.report import Report, Value
from adi.bench.timing import Times, in_turns
from adi.errors import AdiError

PYTHON, HELP = "python -c pass", "adi --help"
MAIN = ("-m", "adi.cli.main")
WORDS: dict[str, tuple[str, ...]] = {
    PYTHON: ("-c", "pass"),
    "import adi": ("-c", "import adi"),
    HELP: (*MAIN, "--help"),
    "adi serve --help": (*MAIN, "serve", "--help"),
}
OPEN = "import pathlib, sys, adi; adi.Retriever(pathlib.Path(sys.argv[1]))"

Tell = Callable[[str], None]


def bench_start(bundle: Path | None = None, *, rounds: int = 10, tell: Tell = lambda text: None) -> Report:
    """Measure it, from the start of each process to its end; with `bundle` also that of one that opens it.

    Raises `AdiError` where there is no such folder, and where a process fails, in a first round that is not counted.
    """
    if bundle is not None and not bundle.is_dir():
        raise AdiError(f"{bundle}: no such folder. 'adi export RUN --out {bundle}' writes a bundle.")
    words = dict(WORDS)
    if bundle is not None:
        words["open a bundle"] = ("-c", OPEN, str(bundle))
    tell("starting processes")
    works = {name: _start(name, own) for name, own in words.items()}
    in_turns(works, rounds=1, calls=1)  # reads the files from disk, and compiles what is not
    times = in_turns(works, rounds=rounds, calls=1)
    beside = times[HELP].percentile_ms(50) - times[PYTHON].percentile_ms(50)
    settings = {"bundle": None if bundle is None else str(bundle), "rounds": rounds}
    found = {"help_beside_python_s": round(beside / 1e3, 3)}
    return Report("start", settings, [_row(name, own) for name, own in times.items()], found)


def _start(name: str, words: Sequence[str]) -> Callable[[int], object]:
    def start(call: int) -> None:
        done = subprocess.run([sys.executable, *words], capture_output=True, text=True)
        if done.returncode:
            said = done.stderr.strip().splitlines() or ["nothing was said"]
            raise AdiError(f"the process '{name}' ended with {done.returncode}: {said[-1]}")

    return start


def _row(name: str, times: Times) -> dict[str, Value]:
    least, most = times.spread_ms(50)
    return {
        "process": name,
        "seconds": round(times.percentile_ms(50) / 1e3, 3),
        "least": round(least / 1e3, 3),
        "most": round(most / 1e3, 3),
    }
