"""`adi bench loader`: training rows in a second, beside a DataLoader that gathers the same batches row by row."""

from collections import deque
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from adi.bench.loader.row_wise import row_wise_batches
from adi.bench.report import Report, Value
from adi.bench.threads import torch_threads
from adi.bench.timing import Times, in_turns
from adi.data.dataset import Dataset
from adi.errors import AdiError
from adi.marketplace.settings import Marketplace
from adi.marketplace.simulation import simulate
from adi.preparation.prepare import prepare
from adi.training.loader import Loader, negative_sampler

Tell = Callable[[str], None]


def bench_loader(
    *,
    rows: int = 300_000,
    batch_size: int = 4096,
    uniform: int = 1000,
    batches: int = 8,
    threads: int = 1,
    rounds: int = 3,
    tell: Tell = lambda text: None,
) -> Report:
    """Measure it on a simulated marketplace of so many rows, by the first `batches` batches of an epoch each time.

    Histories, features, negatives (in-batch, and `uniform` of each domain's corpus) and masks are those of a training.
    Both ways work in this process alone. Raises `AdiError` for more batches than an epoch has.
    """
    _check(batches, batch_size, rows)  # before the work; which of them are an epoch's is known after it
    with TemporaryDirectory() as folder:
        loader = _loader(Path(folder), rows, batch_size, uniform, tell)
        _check(batches, batch_size, loader.num_samples)
        loaded = min(batches * batch_size, loader.num_samples)
        works: dict[str, Callable[[int], object]] = {
            "adi, whole batches": lambda call: deque(islice(loader.epoch(call), batches), maxlen=0),
            "torch DataLoader, row by row": lambda call: deque(row_wise_batches(loader, call, batches), maxlen=0),
        }
        tell("loading")
        with torch_threads(threads):
            in_turns(works, rounds=1, calls=1)  # the first call reads the arrays from disk
            times = in_turns(works, rounds=rounds, calls=1)
    ours, row_wise = times.values()
    settings = {"rows": rows, "batch_size": batch_size, "uniform": uniform, "batches": batches}
    settings |= {"threads": threads, "rounds": rounds}
    found = {"rate_by_row_wise": round(ours.per_second() / row_wise.per_second(), 1)}
    return Report("loader", settings, [_row(way, own, loaded) for way, own in times.items()], found)


def _check(batches: int, batch_size: int, rows: int) -> None:
    if (batches - 1) * batch_size >= rows:
        raise AdiError(
            f"--batches: {batches} of {batch_size} rows, and an epoch has {rows} rows. Ask for fewer, or raise --rows."
        )


def _loader(folder: Path, rows: int, batch_size: int, uniform: int, tell: Tell) -> Loader:
    tell(f"simulating {rows:,} rows")
    market = Marketplace(users=max(2, rows // 15), items=max(200, rows // 60), interactions=rows)
    simulate(folder / "tables", market)
    tell("preparing them")
    prepare(folder / "tables", folder / "prepared")
    dataset = Dataset(folder / "prepared")
    return Loader(dataset, batch_size=batch_size, sampler=negative_sampler(dataset, in_batch=True, uniform=uniform))


def _row(way: str, times: Times, rows: int) -> dict[str, Value]:
    least, most = times.spread_per_second(rows)
    return {"way": way, "rows_per_second": round(times.per_second(rows)), "least": round(least), "most": round(most)}
