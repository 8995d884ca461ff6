"""`adi bench domains` and `adi bench tables`: what a step of training takes, as domains or rows of tables grow."""

from collections.abc import Callable, Iterable, Sequence

from adi.batch import Batch
from adi.bench.report import Report, Value
from adi.bench.threads import torch_threads
from adi.bench.timing import Times, in_turns
from adi.bench.train.masked import masked
from adi.bench.train.synthetic import NETWORKS, Synthetic
from adi.machine import tune_allocator
from adi.models.catalog import TrainedModel, model_named
from adi.training.step import Step

MODEL, SHARED = "adi-se", "dnn"
BATCHES = 4
"""Different batches, made before and taken in turn: making them is not what is measured."""
WARM = 2

Tell = Callable[[str], None]


def bench_domains(
    domains: Sequence[int] = (1, 3, 10, 30, 100, 300),
    *,
    masked_up_to: int = 30,
    samples: int = 4096,
    threads: int = 1,
    rounds: int = 5,
    calls: int = 5,
    device: str = "cpu",
    tell: Tell = lambda text: None,
) -> Report:
    """A step of ADI-SE for each number of domains, on as many samples of as many distinct ids.

    Beside it the step of one network for all domains, and, up to `masked_up_to` domains, that of the same ADI-SE with
    every domain's networks on every sample, of which the others are thrown away.
    """
    tune_allocator()
    kind = _trained(MODEL)
    works: dict[str, Callable[[int], object]] = {}
    with torch_threads(threads):
        for number in domains:
            tell(f"building {number} domains")
            data = Synthetic(domains=number, users=500_000, items=500_000, samples=samples)
            batches = [data.batch(own) for own in range(BATCHES)]
            works[f"{MODEL} {number}"] = _work(data.step(kind, device), batches)
            works[f"{SHARED} {number}"] = _work(data.step(_trained(SHARED), device), batches)
            if number <= masked_up_to:
                works[f"masked {number}"] = _work(data.step(masked(kind), device), batches)
        tell("measuring")
        times = in_turns(works, rounds=rounds, calls=calls)
    rows: list[dict[str, Value]] = []
    for number in domains:
        own = times[f"{MODEL} {number}"]
        rows.append({
            "domains": number,
            **_step(own),
            "one_network_ms": _ms(times[f"{SHARED} {number}"]),
            "masked_ms": _ms(times.get(f"masked {number}")),
        })  # fmt: skip
    return Report("domains", _settings(samples, threads, rounds, calls, device), rows, _growth(rows, "domains", 3))


def bench_tables(
    rows: Sequence[int] = (200_000, 2_000_000, 20_000_000),
    *,
    samples: int = 4096,
    threads: int = 1,
    rounds: int = 5,
    calls: int = 5,
    device: str = "cpu",
    tell: Tell = lambda text: None,
) -> Report:
    """A step of ADI-SE in three domains for each number of rows of its tables, four fifths of users, a fifth of items.

    Ids are drawn from all of them, so that more rows are also fewer repetitions in a batch and fewer that a cache has.
    """
    tune_allocator()
    works: dict[str, Callable[[int], object]] = {}
    with torch_threads(threads):
        for number in rows:
            tell(f"building tables of {number:,} rows")
            data = Synthetic(users=number * 4 // 5, items=number // 5, samples=samples)
            works[str(number)] = _work(data.step(_trained(MODEL), device), [data.batch(own) for own in range(BATCHES)])
        tell("measuring")
        times = in_turns(works, rounds=rounds, calls=calls)
    found: list[dict[str, Value]] = [{"rows": number, **_step(times[str(number)])} for number in rows]
    return Report("tables", _settings(samples, threads, rounds, calls, device), found, _growth(found, "rows", rows[0]))


def _trained(name: str) -> TrainedModel:
    kind = model_named(name)
    assert isinstance(kind, TrainedModel)
    return kind


def _work(step: Step, batches: Sequence[Batch]) -> Callable[[int], object]:
    def work(call: int) -> object:
        return float(step(batches[call % len(batches)]))

    for call in range(WARM):
        work(call)
    return work


def _step(times: Times) -> dict[str, Value]:
    least, most = times.spread_ms(50)
    return {"step_ms": _ms(times), "step_least": round(least, 1), "step_most": round(most, 1)}


def _ms(times: Times | None) -> float | None:
    return None if times is None else round(times.percentile_ms(50), 1)


def _growth(rows: Iterable[dict[str, Value]], by: str, first: int) -> dict[str, Value]:
    """How many times as long each step takes as that of the first size named; nothing where that was not measured."""
    steps = {row[by]: row["step_ms"] for row in rows}
    base = steps.get(first)
    if not isinstance(base, float):
        return {}
    return {
        f"step_at_{size}_by_{first}": round(own / base, 2)
        for size, own in steps.items()
        if isinstance(own, float) and size != first
    }


def _settings(samples: int, threads: int, rounds: int, calls: int, device: str) -> dict[str, Value]:
    networks = "-".join(str(size) for size in NETWORKS)
    return {
        "samples": samples, "networks": networks, "threads": threads, "rounds": rounds, "calls": calls,
        "device": device,
    }  # fmt: skip
