"""Memory, network, machines and time that a training of a given size needs, from unit costs measured here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks.options import AsJson, whole_numbers
from benchmarks.report import Report, Row, announce, show
from benchmarks.training.scale import run_worker

FITTED, TIMES_LARGER = (1024, 2048, 4096), 10
"""Batch sizes whose steps are measured, and how much larger the batch and the tables of the check are."""

FITTED_ROWS = 2_000_000
BATCHES = tuple(1 << power for power in range(12, 18))
"""Batch sizes among which a plan chooses: the products of samples and candidates grow with the square."""

MOST_PROCESSES = 4096
ID, NUMBER = 8, 4
"""Bytes of a row number and of a weight."""


def row_bytes(width: int) -> int:
    """Bytes of a row of a table: weights, the optimizer's accumulator, the average of the weights and its time."""
    return NUMBER * width + NUMBER + NUMBER * width + ID


def step_bytes(processes: int, looked_up: float, candidates: float, dense: int, width: int) -> float:
    """Bytes that a process sends in a step, and as many that it receives.

    It looks up `looked_up` rows, of which others have all but one in `processes`: row numbers there, weights back; and
    in the update row numbers and weights once more, and gradients there. It gets the vectors of the other processes'
    candidates and sends back their gradients, and adds up the gradients of the `dense` weights with the others.
    """
    elsewhere = (processes - 1) / processes
    rows = looked_up * (2 * ID + 3 * NUMBER * width)
    vectors = 2 * candidates * NUMBER * width
    return elsewhere * (rows + vectors + 2 * NUMBER * dense)


@dataclass(frozen=True)
class UnitCosts:
    """The time of a step on n samples in W processes: ``fixed + (linear n + square n^2) / W`` milliseconds of work,
    and for W > 1 ``calls + bytes / rate`` for the exchange; n^2 is of the products of samples and candidates."""

    fixed: float
    linear: float
    square: float
    calls: float
    rate: float
    """Bytes a millisecond."""

    def work_ms(self, samples: float, processes: int) -> float:
        """Milliseconds of a step without the exchange."""
        return self.fixed + (self.linear * samples + self.square * samples**2) / processes

    def step_ms(self, samples: float, processes: int, sent: float) -> float:
        """Milliseconds of a step."""
        return self.work_ms(samples, processes) + (self.calls + sent / self.rate if processes > 1 else 0.0)


def fitted(
    alone_ms: Mapping[int, float], loss_ms: Mapping[int, float], pair_ms: Mapping[int, float], sent: Mapping[int, float]
) -> UnitCosts:
    """The unit costs by least squares, none below 0.

    Args:
        alone_ms: the milliseconds of a step in one process, by batch size.
        loss_ms: those of its loss, whose products of samples and candidates grow with the square.
        pair_ms: the milliseconds of a step in two processes.
        sent: the bytes that one of two processes sends.
    """
    sizes = np.array(list(alone_ms), dtype=float)
    of_loss, square = _least_squares([sizes, sizes**2], list(loss_ms.values()))
    fixed, linear = _least_squares([np.ones(len(sizes)), sizes], [alone_ms[size] - loss_ms[size] for size in alone_ms])
    linear += of_loss
    alone = UnitCosts(fixed, linear, square, 0.0, 1.0)
    exchange = [max(pair_ms[size] - alone.work_ms(size, 2), 0.0) for size in pair_ms]
    calls, per_byte = _least_squares([np.ones(len(pair_ms)), np.array([sent[size] for size in pair_ms])], exchange)
    return UnitCosts(fixed, linear, square, calls, 1 / max(per_byte, 1e-12))


def _least_squares(columns: Sequence[Any], values: Sequence[float]) -> list[float]:
    from scipy.optimize import nnls

    scale = [float(np.max(column)) for column in columns]
    solution, _ = nnls(
        np.stack([column / by for column, by in zip(columns, scale, strict=True)], axis=1), np.array(values)
    )
    return [float(value) / by for value, by in zip(solution, scale, strict=True)]


def plan(
    users: Annotated[int, typer.Option(min=1, help="Users, each with a row of a table.")] = 92_700_000,
    items: Annotated[int, typer.Option(min=1, help="Items, each with a row of a table.")] = 2_240_000,
    records: Annotated[int, typer.Option(min=1, help="Samples of a day.")] = 2_140_000_000,
    domains: Annotated[str, typer.Option(help="How many domains; several with commas.")] = "3,300",
    hours: Annotated[float, typer.Option(help="Hours that a day of samples may take.")] = 12.0,
    cores: Annotated[int, typer.Option(min=1, help="Cores of a machine, each with one process.")] = 32,
    memory: Annotated[float, typer.Option(help="GB of a machine.")] = 128.0,
    network: Annotated[float, typer.Option(help="Gbit/s between machines.")] = 25.0,
    price: Annotated[float, typer.Option(help="Price of a core for an hour.")] = 0.05,
    model: Annotated[str, typer.Option(help="A model of adi.")] = "adi-se",
    as_json: AsJson = False,
) -> None:
    """Machines, time and price of a day of samples, by unit costs that are measured first, and checked.

    The check predicts the step of a batch and of tables ten times as large as those measured.

    Example: [bold]python -m benchmarks plan --hours 6[/]
    """
    rows: list[Row] = []
    summary: Row = {}
    for number in whole_numbers("domains", domains, "3,300", 1):
        costs, sample = _unit_costs(number, model)
        size = TIMES_LARGER * FITTED[-1]
        larger = _measured(2, size, FITTED_ROWS * TIMES_LARGER, number, model, steps=3)
        predicted = costs.step_ms(size, 2, _sent(2, larger))
        summary |= {
            f"{number}_domains_predicted_ms_of_{size}": round(predicted),
            f"{number}_domains_measured_ms_of_{size}": round(larger["step"]),
        }
        machines = Machines(cores, memory, network)
        rows.append(_planned(number, costs, sample, users, items, records, hours, machines, price))
    settings = {
        "users": users, "items": items, "records": records, "hours": hours, "cores": cores, "memory": memory,
        "network": network, "price": price, "model": model,
    }  # fmt: skip
    show(Report("plan", settings, rows, summary), as_json)


def _measured(count: int, samples: int, rows: int, domains: int, model: str, *, steps: int = 8) -> dict[str, Any]:
    announce(f"{domains} domains, {count} processes: steps of {samples:,} samples, {rows:,} rows")
    work = {"rows": rows, "samples": samples, "model": model, "sharding": "row_wise", "steps": steps}
    return run_worker(count, 1, **work, domains=domains)


def _sent(processes: int, step: Mapping[str, Any]) -> float:
    return step_bytes(processes, step["looked_up"], step["candidates_of_batch"], step["dense"], step["width"])


def _unit_costs(domains: int, model: str) -> tuple[UnitCosts, dict[str, Any]]:
    """The unit costs of a model, and the measurements of the largest step in two processes."""
    alone = {size: _measured(1, size, FITTED_ROWS, domains, model) for size in FITTED}
    pair = {size: _measured(2, size, FITTED_ROWS, domains, model) for size in FITTED}
    costs = fitted(
        {size: step["step"] for size, step in alone.items()},
        {size: step["loss"] for size, step in alone.items()},
        {size: step["step"] for size, step in pair.items()},
        {size: _sent(2, step) for size, step in pair.items()},
    )
    return costs, pair[FITTED[-1]]


@dataclass(frozen=True)
class Machines:
    """Machines of which each has so many cores, for one process each, GB of memory and Gbit/s to the others."""

    cores: int
    memory: float
    network: float

    def number(self, processes: int, gigabytes: float) -> int:
        """The least number of machines for so many processes, and so many GB of tables in 70 % of their memory."""
        return max(ceil(processes / self.cores), ceil(gigabytes / (0.7 * self.memory)))

    def exchange_ms(self, sent: float, processes: int, machines: int) -> float:
        """Milliseconds that the network between machines takes for the bytes that each process sends."""
        on_each = ceil(processes / machines)
        return 0.0 if machines == 1 else sent * on_each / (self.network * 1e9 / 8 / 1000)


def _planned(
    domains: int,
    costs: UnitCosts,
    sample: Mapping[str, Any],
    users: int,
    items: int,
    records: int,
    hours: float,
    machines: Machines,
    price: float,
) -> Row:
    """The least number of processes, and the batch, with which a day of records takes no more than some hours."""
    width = int(sample["width"])
    tables_gb = (users + items) * row_bytes(width) / 1e9
    rows_per_sample = 2 * sample["looked_up"] / FITTED[-1]  # one of two processes looks up the rows of half a batch
    candidates_per_sample = sample["candidates_of_batch"] / FITTED[-1]
    wanted = records / (3600 * hours)
    for processes in range(1, MOST_PROCESSES + 1):
        number = machines.number(processes, tables_gb)
        ways = []
        for batch in BATCHES:
            looked_up, candidates = rows_per_sample * batch / processes, candidates_per_sample * batch
            sent = step_bytes(processes, looked_up, candidates, sample["dense"], width)
            network = machines.exchange_ms(sent, processes, number)
            step_ms = costs.step_ms(batch, processes, sent) + network
            ways.append((1000 * batch / step_ms, batch, step_ms, network, sent))
        speed, batch, step_ms, network, sent = max(ways)
        if speed >= wanted:
            break
    duration = records / speed / 3600
    return {
        "domains": domains,
        "tables_gb": round(tables_gb, 1),
        "processes": processes,
        "machines": number,
        "batch": batch,
        "step_ms": round(step_ms),
        "network_ms": round(network, 1),
        "sent_mb": round(sent / 1e6, 1),
        "samples_s": round(speed),
        "hours": round(duration, 1),
        "price": round(duration * processes * price, 2),
        "index_gb": round(domains * items * (2 * width + ID) / 1e9, 1),
    }
