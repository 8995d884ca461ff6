"""The commands of `adi bench` about training: its speed, its steps, its loss."""

from pathlib import Path
from typing import Annotated

import typer

from adi.cli.bench_show import AsJson, Rounds, Threads, pairs, show, tell, whole_numbers
from adi.cli.show import ERR

SIZES = "512x1536,2048x3072,4096x16384"
DOMAINS = "1,3,10,30,100,300"
TABLES = "200000,2000000,20000000"

Samples = Annotated[int, typer.Option("--batch-size", min=16, help="Samples of a batch.")]
Calls = Annotated[int, typer.Option(min=1, help="Steps of each round.")]
Device = Annotated[
    str, typer.Option(help="Where steps are done: cpu, cuda, or cuda:N. Without such a GPU it is skipped.")
]


def train(
    prepared: Annotated[
        Path | None, typer.Option(help="A prepared dataset.", show_default="a simulated log of the sizes below")
    ] = None,
    users: Annotated[int, typer.Option(min=1000, help="Users of the simulated log.")] = 2_000_000,
    items: Annotated[int, typer.Option(min=1000, help="Its items.")] = 500_000,
    rows: Annotated[int, typer.Option(min=1000, help="Its rows.")] = 4_000_000,
    rechub: Annotated[
        Path | None, typer.Option(help="A Python that has torch-rechub.", show_default="without it")
    ] = None,
    libreco: Annotated[
        Path | None, typer.Option(help="A Python that has LibRecommender.", show_default="without it")
    ] = None,
    batch_size: Samples = 4096,
    uniform: Annotated[int, typer.Option(min=0, help="Negatives from each domain's corpus, beside the batch's.")] = 0,
    threads: Threads = 1,
    rounds: Rounds = 3,
    steps: Calls = 20,
    device: Device = "cpu",
    as_json: AsJson = False,
) -> None:
    """Samples a second in training, beside the bare products and lookups of a step, and beside other libraries.

    Example: [bold]adi bench train --prepared prepared[/]
    """
    from adi.bench.train.market import LogSize
    from adi.bench.train.measure import Peers, bench_train

    if _skipped(device):
        return
    report = bench_train(
        prepared,
        size=LogSize(users=users, items=items, rows=rows),
        peers=Peers(rechub=rechub, libreco=libreco),
        batch_size=batch_size,
        uniform=uniform,
        threads=threads,
        rounds=rounds,
        steps=steps,
        device=device,
        tell=tell,
    )
    show(report, as_json)


def domains(
    numbers: Annotated[str, typer.Option(help="How many domains; several with commas.")] = DOMAINS,
    masked_up_to: Annotated[int, typer.Option(min=0, help="The most domains with every network on all samples.")] = 30,
    batch_size: Samples = 4096,
    threads: Threads = 1,
    rounds: Rounds = 5,
    calls: Calls = 5,
    device: Device = "cpu",
    as_json: AsJson = False,
) -> None:
    """A step of training by the number of domains, beside one network for all, and every network on all samples.

    Example: [bold]adi bench domains --numbers 3,30[/]
    """
    from adi.bench.train.steps import bench_domains

    chosen = whole_numbers("--numbers", numbers, DOMAINS, 1)
    if _skipped(device):
        return
    report = bench_domains(
        chosen,
        masked_up_to=masked_up_to,
        samples=batch_size,
        threads=threads,
        rounds=rounds,
        calls=calls,
        device=device,
        tell=tell,
    )
    show(report, as_json)


def tables(
    rows: Annotated[str, typer.Option(help="Rows of all tables together; several sizes with commas.")] = TABLES,
    batch_size: Samples = 4096,
    threads: Threads = 1,
    rounds: Rounds = 5,
    calls: Calls = 5,
    device: Device = "cpu",
    as_json: AsJson = False,
) -> None:
    """A step of training by the rows of the embedding tables.

    Example: [bold]adi bench tables --rows 200000,2000000[/]
    """
    from adi.bench.train.steps import bench_tables

    chosen = whole_numbers("--rows", rows, TABLES, 1000)
    if _skipped(device):
        return
    report = bench_tables(
        chosen, samples=batch_size, threads=threads, rounds=rounds, calls=calls, device=device, tell=tell
    )
    show(report, as_json)


def loss(
    sizes: Annotated[str, typer.Option(help="Samples x candidates of a domain, several with commas.")] = SIZES,
    dim: Annotated[int, typer.Option(min=1, help="Size of the vectors.")] = 64,
    threads: Threads = 1,
    rounds: Rounds = 5,
    calls: Annotated[int, typer.Option(min=1, help="Calls of each round.")] = 3,
    as_json: AsJson = False,
) -> None:
    """Value and gradients of the sampled softmax: time and memory, beside the plain one with all logits at once.

    Example: [bold]adi bench loss --sizes 512x1536,4096x16384[/]
    """
    from adi.bench.loss import Sizes, bench_loss

    given = [Sizes(n, m, dim) for n, m in pairs("--sizes", sizes, SIZES)]
    show(bench_loss(given, threads=threads, rounds=rounds, calls=calls, tell=tell), as_json)


def _skipped(device: str) -> bool:
    """Whether it is a GPU and there is none, which is told."""
    from adi.training.device import missing_gpu

    missing = missing_gpu(device)
    if missing is not None:
        ERR.print(f"skipped: {missing}.")
    return missing is not None
