"""The plan of a large training: bytes and unit costs; and the worker that measures steps in several processes."""

import pytest

from benchmarks.training.plan import Machines, UnitCosts, fitted, row_bytes, step_bytes
from benchmarks.training.scale import run_worker


def test_bytes_of_a_row_are_weights_average_and_state():
    assert row_bytes(64) == 2 * 256 + 4 + 8


def test_a_lone_process_sends_nothing_and_more_send_more():
    sizes = {"looked_up": 1000.0, "candidates": 500.0, "dense": 100, "width": 8}
    assert step_bytes(1, **sizes) == 0
    rows, vectors, gradients = 1000 * (2 * 8 + 3 * 4 * 8), 2 * 500 * 4 * 8, 2 * 4 * 100
    assert step_bytes(2, **sizes) == (rows + vectors + gradients) / 2
    assert step_bytes(8, **sizes) == pytest.approx(step_bytes(2, **sizes) * (7 / 8) / (1 / 2))


def test_unit_costs_are_found_again():
    true = UnitCosts(fixed=20.0, linear=0.05, square=3e-6, calls=4.0, rate=500_000.0)
    sent = {size: 900.0 * size for size in (1024, 2048, 4096)}
    one = {size: true.step_ms(size, 1, 0.0) for size in sent}
    two = {size: true.step_ms(size, 2, sent[size]) for size in sent}
    losses = {size: 0.01 * size + true.square * size**2 for size in sent}
    found = fitted(one, losses, two, sent)
    assert found.step_ms(40_960, 2, 900.0 * 40_960) == pytest.approx(true.step_ms(40_960, 2, 900.0 * 40_960), rel=1e-3)
    assert found.calls == pytest.approx(4.0, rel=1e-2)


def test_machines_suffice_for_processes_and_for_memory():
    machines = Machines(cores=4, memory=10.0, network=8.0)
    assert [machines.number(processes, 1.0) for processes in (1, 4, 5)] == [1, 1, 2]
    assert machines.number(1, 21.5) == 4  # 7 GB each
    assert machines.exchange_ms(1e6, 4, 1) == 0
    assert machines.exchange_ms(1e6, 8, 2) == pytest.approx(4.0)  # 4 MB by 1 GB a second


@pytest.mark.slow
def test_a_step_of_two_processes_is_measured():
    found = run_worker(2, 1, rows=2000, samples=64, model="adi-se", sharding="table_wise", steps=1)
    assert found["step"] > 0
    assert found.keys() >= {"lookups", "candidates", "gradients", "updates"}
    assert found["candidates_of_batch"] <= 64
