"""Lists with trends beside lists by taste alone from the same index, as the number of active items grows."""

from typing import Annotated

import numpy as np
import typer

from adi.bundle.engine import BundleEngine
from adi.bundle.trends import Trending
from adi.errors import ArgumentError
from adi.index.active_items import ActiveItems
from adi.index.build import IndexSettings
from adi.retrieval.retriever import Retriever
from benchmarks.options import AsJson, Calls, Dim, Domains, Items, K, MarketFolder, Rounds
from benchmarks.report import Report, Row, show
from benchmarks.serving.market import MarketSize, market_bundle
from benchmarks.timing import Task, in_turns


def trends(
    folder: MarketFolder,
    items: Items = 2_240_000,
    domains: Domains = 3,
    dim: Dim = 64,
    active: Annotated[int, typer.Option(min=1, help="Items that are clicked now, the most of them.")] = 100_000,
    k: K = 500,
    rounds: Rounds = 5,
    calls: Calls = 256,
    as_json: AsJson = False,
) -> None:
    """Time of a request in Python with trends and without, one after the other on all cores.

    Example: [bold]python -m benchmarks trends --folder trends --items 200000[/]
    """
    size = MarketSize(items=items, domains=domains, dim=dim, active=active)
    retriever = Retriever(market_bundle(folder, size, IndexSettings(k=k, exact_below=min(100_000, items))))
    engine = retriever.engine
    assert isinstance(engine, BundleEngine)
    assert engine.trends is not None
    every_item, counters = engine.trends.trending, engine.trends
    rng, names = np.random.default_rng(0), retriever.dataset.domains
    users = retriever.dataset.users.keys_of(rng.choice(len(retriever.dataset.users), max(256, calls)))

    def task(*, available: bool) -> Task:
        def retrieve(call: int) -> None:
            counters.available = available
            retriever.retrieve(names[call % len(names)], user=users[call % len(users)], k=k)

        return retrieve

    rows: list[Row] = []
    for share in (1.0, 0.5, 0.2, 0.05):
        number = round(share * active)
        if not number:
            raise ArgumentError("active", f"{active}; give 20 or more.")
        counters.trending = {domain: first(trending, engine, domain, number) for domain, trending in every_item.items()}
        tasks = {"trends": task(available=True), "taste alone": task(available=False)}
        in_turns(tasks, rounds=1, calls=calls)  # not counted
        times = in_turns(tasks, rounds=rounds, calls=calls)
        p50, alone = (times[way].percentile_ms(50) for way in tasks)
        rows.append({
            "active": len(counters.trending[0].active.positions),
            "p50_ms": round(p50, 3),
            "p99_ms": round(times["trends"].percentile_ms(99), 3),
            "alone_p50_ms": round(alone, 3),
            "alone_p99_ms": round(times["taste alone"].percentile_ms(99), 3),
            "p50_by_alone": round(p50 / alone, 3),
        })  # fmt: skip
    settings = {**size.model_dump(), "k": k, "rounds": rounds, "calls": calls}
    show(Report("trends", settings, rows, {}), as_json)


def first(trending: Trending, engine: BundleEngine, domain: int, number: int) -> Trending:
    """The items of a domain at one moment, if only the first `number` of the active ones were clicked."""
    active = trending.active
    shifts = None if active.shifts is None else active.shifts[:number]
    fewer = ActiveItems(
        engine.indexes[domain], active.positions[:number], active.coordinates[:number], active.quiet, shifts
    )
    return trending._replace(active=fewer, features=trending.features[:number])
