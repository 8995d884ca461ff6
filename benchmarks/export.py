"""Time and memory of `adi export` as items grow, on a simulated market whose every item is in every domain.

Each size works in a process of its own. Memory is counted in two ways: what is resident at the peak, pages of files
that the process has mapped included, and what of it is not of files: the system takes pages of files back where memory
is short, and that alone bounds how large an export may be on a machine.
"""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from adi.errors import AdiError
from adi.runs.info import weights_file
from benchmarks.anonymous import AnonymousPeak
from benchmarks.options import AsJson, Dim, Domains, whole_numbers
from benchmarks.process import Usage, Work, run_in_process
from benchmarks.report import Report, Row, announce, show
from benchmarks.serving.market import MarketSize, market_run

MIN_ITEMS = 1000
SIZES = "200000,1000000"


def export(
    items: Annotated[str, typer.Option(help=f"Items of each domain; several sizes as in {SIZES}.")] = SIZES,
    domains: Domains = 3,
    dim: Dim = 64,
    folder: Annotated[
        Path | None, typer.Option(help="Keeps the runs for the next call.", show_default="a temporary one")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Seconds and memory of an export as items grow, with indexes that are built, tuned and compared with the run.

    Example: [bold]python -m benchmarks export --items 20000,100000[/]
    """
    table: list[Row] = []
    with ExitStack() as stack:
        markets = folder or Path(stack.enter_context(TemporaryDirectory()))
        for count in whole_numbers("items", items, SIZES, MIN_ITEMS):
            size = MarketSize(items=count, domains=domains, dim=dim)
            run = _run_of(markets / f"market-{count}-{domains}-{dim}", size)
            announce(f"{count:,} items: exporting")
            table.append(_row(size, run))
    settings = {"items": items, "domains": domains, "dim": dim}
    show(Report("export", settings, table), as_json)


def _run_of(market: Path, size: MarketSize) -> Path:
    """The run of a market; made unless an earlier call has left it there."""
    if not (market / "run").exists():
        announce(f"{size.items:,} items: simulating")
        market_run(market, size)
    return market / "run"


def _row(size: MarketSize, run: Path) -> Row:
    with TemporaryDirectory(dir=run.parent) as folder:
        out, peak = Path(folder) / "bundle", Path(folder) / "peak"
        usage = run_in_process(Work(f"{__name__}:exported", {"run": str(run), "out": str(out), "peak": str(peak)}))
        return _measured(size, run, usage, int(peak.read_text(encoding="ascii")), out)


def _measured(size: MarketSize, run: Path, usage: Usage, anonymous: int, out: Path) -> Row:
    tables = weights_file(run, by_domain=False, epoch=0).stat().st_size
    index = sum(path.stat().st_size for path in (out / "indexes" / "0").iterdir())
    return {
        "items": size.items,
        "seconds": round(usage.seconds, 1),
        "tables_mb": round(tables / 1e6),
        "vectors_mb": round(4 * size.items * size.dim / 1e6),
        "index_mb": round(index / 1e6),
        "peak_mb": None if usage.peak is None else round(usage.peak / 1e6),
        "not_of_files_mb": round(anonymous / 1e6),
        "beyond_tables_mb": round((anonymous - tables) / 1e6),
    }


def exported(run: str, out: str, peak: str) -> Callable[[], object]:
    """The export of a run, which writes its peak of memory that is not of files, in bytes, to the file `peak`."""
    from adi.exporting.export import export as export_run

    def work() -> None:
        with AnonymousPeak() as memory:
            export_run(run, out, settings={"k": 100}, progress=False)
        if memory.peak is None:
            raise AdiError("this system does not tell the memory of a process that is not of files (/proc).")
        Path(peak).write_text(str(memory.peak), encoding="ascii")

    return work
