"""`adi bench loss`: time and memory of the training loss, in chunks and with all logits at once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from adi.bench.process import Spent, Work, spend
from adi.bench.report import Report, Value
from adi.bench.threads import torch_threads
from adi.bench.timing import Times, in_turns
from adi.losses import sampled_softmax, sampled_softmax_plain
from adi.machine import tune_allocator

LOSSES: Mapping[str, Callable[..., Tensor]] = {
    "in chunks": sampled_softmax,
    "plain": sampled_softmax_plain,
}
TEMPERATURE = 0.1
SMALL = 8

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Sizes:
    """`n` samples and `m` candidates of one domain, of which each sample's user is known to like one more."""

    n: int
    m: int
    dim: int = 64


def bench_loss(
    sizes: Sequence[Sizes], *, threads: int = 1, rounds: int = 5, calls: int = 3, tell: Tell = lambda text: None
) -> Report:
    """Measure value and gradients of both, at several sizes.

    Times are taken in this process, in turns. Memory is what a call adds to the resident memory of a process of its
    own at most, over what is there with the inputs made; torch's own count would miss what its kernels take.
    """
    rows = []
    for size in sizes:
        tell(f"{size.n:,} samples, {size.m:,} candidates")
        with torch_threads(threads):
            tune_allocator()  # as a training does
            works = {name: _call_of(name, size) for name in LOSSES}
            in_turns(works, rounds=1, calls=1)
            times = in_turns(works, rounds=rounds, calls=calls)
        for name, own in times.items():
            arguments = {"name": name, "n": size.n, "m": size.m, "dim": size.dim, "threads": threads}
            rows.append(_row(name, size, own, spend(Work("adi.bench.loss:alone", arguments))))
    chunked, plain = rows[-2:]
    settings = {"sizes": [[own.n, own.m, own.dim] for own in sizes], "threads": threads}
    settings |= {"rounds": rounds, "calls": calls}
    return Report("loss", settings, rows, _ratios(chunked, plain))


def alone(name: str, n: int, m: int, dim: int, threads: int) -> Callable[[], object]:
    """The work of a process: a call at this size, in a process that has called the loss at a small one."""
    torch.set_num_threads(threads)
    tune_allocator()
    _call_of(name, Sizes(SMALL, SMALL, SMALL))(0)
    call = _call_of(name, Sizes(n, m, dim))
    return lambda: call(0)


def _call_of(name: str, size: Sizes) -> Callable[[int], object]:
    rng = torch.Generator().manual_seed(0)
    query = torch.randn(size.n, size.dim, generator=rng).requires_grad_()
    candidates = torch.randn(size.m, size.dim, generator=rng).requires_grad_()
    positive = torch.randint(size.m, (size.n,), generator=rng)
    log_q, positive_log_q = -torch.rand(size.m, generator=rng), -torch.rand(size.n, generator=rng)
    known = torch.arange(size.n + 1), torch.randint(size.m, (size.n,), generator=rng)

    def call(number: int) -> None:
        loss = LOSSES[name](
            query,
            candidates,
            positive,
            log_q=log_q,
            positive_log_q=positive_log_q,
            known=known,
            temperature=TEMPERATURE,
        )
        torch.autograd.grad(loss, (query, candidates))

    return call


def _row(name: str, size: Sizes, times: Times, spent: Spent) -> dict[str, Value]:
    least, most = times.spread_ms(50)
    return {
        "loss": name,
        "samples": size.n,
        "candidates": size.m,
        "ms": round(times.percentile_ms(50), 2),
        "least": round(least, 2),
        "most": round(most, 2),
        "added_mb": None if spent.added is None else round(spent.added / 1e6, 1),
        "logits_mb": round(size.n * size.m * 4 / 1e6, 1),
    }


def _ratios(chunked: Mapping[str, Value], plain: Mapping[str, Value]) -> dict[str, Value]:
    """The plain loss's time and memory by the other's, at the last size; None for a memory that is not known."""

    def ratio(column: str) -> float | None:
        own, other = chunked[column], plain[column]
        return round(other / own, 2) if isinstance(own, float) and isinstance(other, float) and own > 0 else None

    return {"plain_time_by_chunked": ratio("ms"), "plain_memory_by_chunked": ratio("added_mb")}
