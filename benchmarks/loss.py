"""Time and memory of the training loss, computed in chunks and with all logits at once.

Times are taken in this process, in turns. Memory is what one call adds to the resident memory of a process of its own,
at its peak, once the inputs are there: torch's own count would miss the memory that its kernels take.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, NamedTuple

import torch
import typer
from torch import Tensor

from adi.losses import sampled_softmax, sampled_softmax_plain
from adi.machine import tune_allocator
from benchmarks.options import AsJson, Rounds, Threads, pairs
from benchmarks.process import Usage, Work, run_in_process
from benchmarks.report import Report, Row, announce, show
from benchmarks.timing import Task, Times, in_turns, torch_threads

LOSSES: Mapping[str, Callable[..., Tensor]] = {"in chunks": sampled_softmax, "plain": sampled_softmax_plain}
SIZES = "512x1536,2048x3072,4096x16384"
TEMPERATURE = 0.1
WARM_UP_SIZE = 8


class Size(NamedTuple):
    """The samples and candidates of one domain, and the dimension of their vectors."""

    samples: int
    candidates: int
    dim: int


def loss(
    sizes: Annotated[str, typer.Option(help="Samples x candidates of a domain, several with commas.")] = SIZES,
    dim: Annotated[int, typer.Option(min=1, help="Dimension of the vectors.")] = 64,
    threads: Threads = 1,
    rounds: Rounds = 5,
    calls: Annotated[int, typer.Option(min=1, help="Calls in each round.")] = 3,
    as_json: AsJson = False,
) -> None:
    """Time and memory of the sampled softmax with its gradients, beside the plain one with all logits at once.

    Example: [bold]python -m benchmarks loss --sizes 512x1536,4096x16384[/]
    """
    all_sizes = [Size(*pair, dim) for pair in pairs("sizes", sizes, SIZES)]
    rows: list[Row] = []
    for size in all_sizes:
        announce(f"{size.samples:,} samples, {size.candidates:,} candidates")
        with torch_threads(threads):
            tune_allocator()  # as a training does
            tasks = {name: _loss_and_gradients(name, size) for name in LOSSES}
            in_turns(tasks, rounds=1, calls=1)
            times = in_turns(tasks, rounds=rounds, calls=calls)
        for name in LOSSES:
            work = Work("benchmarks.loss:one_call", {"name": name, "size": size, "threads": threads})
            rows.append(_row(name, size, times[name], run_in_process(work)))
    settings = {"sizes": all_sizes, "threads": threads, "rounds": rounds, "calls": calls}
    show(Report("loss", settings, rows, _ratios(*rows[-2:])), as_json)


def one_call(name: str, size: tuple[int, int, int], threads: int) -> Callable[[], object]:
    """One call of a loss, for a process of its own that has called it at a small size before."""
    torch.set_num_threads(threads)
    tune_allocator()
    _loss_and_gradients(name, Size(WARM_UP_SIZE, WARM_UP_SIZE, WARM_UP_SIZE))(0)
    call = _loss_and_gradients(name, Size(*size))
    return lambda: call(0)


def _loss_and_gradients(name: str, size: Size) -> Task:
    """The loss of random vectors and its gradients; each sample has one candidate more that is known to be liked."""
    samples, candidates, dim = size
    rng = torch.Generator().manual_seed(0)
    query_vectors = torch.randn(samples, dim, generator=rng).requires_grad_()
    candidate_vectors = torch.randn(candidates, dim, generator=rng).requires_grad_()
    positive = torch.randint(candidates, (samples,), generator=rng)
    log_q, positive_log_q = -torch.rand(candidates, generator=rng), -torch.rand(samples, generator=rng)
    known = torch.arange(samples + 1), torch.randint(candidates, (samples,), generator=rng)

    def call(number: int) -> None:
        value = LOSSES[name](
            query_vectors,
            candidate_vectors,
            positive,
            log_q=log_q,
            positive_log_q=positive_log_q,
            known=known,
            temperature=TEMPERATURE,
        )
        torch.autograd.grad(value, (query_vectors, candidate_vectors))

    return call


def _row(name: str, size: Size, times: Times, usage: Usage) -> Row:
    least, most = times.spread_ms(50)
    return {
        "loss": name,
        "samples": size.samples,
        "candidates": size.candidates,
        "ms": round(times.percentile_ms(50), 2),
        "least": round(least, 2),
        "most": round(most, 2),
        "added_mb": None if usage.added is None else round(usage.added / 1e6, 1),
        "logits_mb": round(size.samples * size.candidates * 4 / 1e6, 1),
    }


def _ratios(chunked: Row, plain: Row) -> Row:
    """Time and memory of the plain loss divided by those of the other; None where the memory is not known."""

    def ratio(column: str) -> float | None:
        numerator, denominator = plain[column], chunked[column]
        if not isinstance(numerator, float) or not isinstance(denominator, float) or denominator <= 0:
            return None
        return round(numerator / denominator, 2)

    return {"plain_time_by_chunked": ratio("ms"), "plain_memory_by_chunked": ratio("added_mb")}
