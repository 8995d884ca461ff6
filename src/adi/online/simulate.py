"""The simulation of an experiment on a live marketplace: every arm with its users, each in a process of its own.

The arms share no state (budgets are split, too), so that processes change nothing in the logs.
"""

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import yaml

from adi.data.folder import new_folder
from adi.errors import ArgumentError, suggestion
from adi.machine import available_cores
from adi.online.arms import BOUNDS
from adi.online.live import LiveArm
from adi.online.logs import DayLog
from adi.online.retraining import Retrain, tables_with_clicks
from adi.online.settings import Online
from adi.online.world import open_world
from adi.progress import Report, reporting
from adi.serving.experiment import Experiment, load_experiment
from adi.thread_budget import THREAD_BUDGET


@dataclass(frozen=True, kw_only=True)
class _Task:
    """The arguments of an arm's process. `bundle` is None for a bound, as is that of the `other` arm."""

    market: Path
    folder: Path
    experiment: Experiment
    arm: str
    bundle: Path | None
    online: Online
    retrain: Retrain | None = None
    other: tuple[str, Path | None] | None = None


def simulate_experiment(
    market: str | Path,
    experiment: str | Path,
    out: str | Path,
    online: Online | None = None,
    *,
    bounds: bool = False,
    retrain: Retrain | None = None,
    jobs: int | None = None,
    progress: bool | Report = True,
) -> dict[str, Any]:
    """Simulate an experiment's arms on a marketplace and write their logs, which `analyze` reads.

    Writes ``exposures/`` in the format of `adi serve --exposures`, ``clicks/`` (user, item, domain, time, charge),
    ``experiment.yaml`` with the weights, and ``simulation.json`` with each arm's sums. Returns the latter. If arms
    explore, ``shown/ARM/`` has the shown items with their probabilities (`adi.online.logs.SHOWN`).

    Args:
        market: folder that `adi simulate` wrote, whose truth the users follow.
        experiment: file of an experiment, as for `adi serve`.
        out: folder to write, which must be empty or not exist.
        online: length and rules.
        bounds: add the arms ``oracle`` and ``random``, each with the mean weight of the others.
        retrain: makes a new bundle of the marketplace's log and the arm's clicks after each day; a function that can be
            pickled. None: bundles stay.
        jobs: processes; by default one for each arm, at most one for each core.
        progress: show a bar on standard error; or a function to report to.

    Raises `AdiError` for a marketplace, an experiment or a bundle that does not fit.
    """
    online = online or Online()
    content = _with_bounds(load_experiment(Path(experiment)), bounds)
    _check_arms("planted", online.planted, list(content.arms))
    _check_arms("bid_weights", online.bid_weights, [arm for arm in content.arms if not (bounds and arm in BOUNDS)])
    _check_arms("others", (name for pair in online.others.items() for name in pair), list(content.arms))
    if retrain is not None and online.bid_weights:
        raise ArgumentError("bid_weights", "the bundles that are trained anew have no bids. Leave one of the two out.")
    if retrain is not None and online.others:
        raise ArgumentError("others", "the bundles are trained anew from each arm's own clicks. Leave --retrain out.")
    open_world(Path(market), online)  # whatever is wrong with it is said before any process starts
    jobs = min(len(content.arms), jobs or available_cores())
    with reporting(progress) as report, new_folder(Path(out)) as folder:
        bundles = {name: None if name in BOUNDS and bounds else arm.bundle for name, arm in content.arms.items()}
        tasks = [
            _Task(
                market=Path(market),
                folder=folder,
                experiment=content,
                arm=name,
                bundle=bundle,
                online=online,
                retrain=retrain,
                other=(online.others[name], bundles[online.others[name]]) if name in online.others else None,
            )
            for name, bundle in bundles.items()
        ]
        start = time.perf_counter()
        counts = _in_processes(tasks, jobs, report) if jobs > 1 else _one_by_one(tasks, report)
        seconds = time.perf_counter() - start
        summary = {
            "experiment": content.name,
            "settings": asdict(online),
            "arms": {name: counts[name] for name in content.arms},
            "seconds": seconds,
            "requests_per_second": sum(each["requests"] for each in counts.values()) / seconds,
        }
        (folder / "simulation.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
        (folder / "experiment.yaml").write_text(
            yaml.safe_dump(content.model_dump(mode="json", exclude_none=True), sort_keys=False), encoding="utf-8"
        )
    return summary


def _check_arms(setting: str, given: Iterable[str], arms: Sequence[str]) -> None:
    """Raise `ArgumentError` for a setting of an arm that does not have it."""
    if unknown := [arm for arm in given if arm not in arms]:
        raise ArgumentError(setting, f"'{unknown[0]}' is not one of {', '.join(arms)}.{suggestion(unknown[0], arms)}")


def _with_bounds(experiment: Experiment, bounds: bool) -> Experiment:
    """The experiment, with the arms of the bounds; their `bundle` is their name."""
    if not bounds:
        return experiment
    if clash := [name for name in BOUNDS if name in experiment.arms]:
        raise ArgumentError("bounds", f"the experiment has an arm '{clash[0]}' already. Give it another name.")
    weight = sum(arm.weight for arm in experiment.arms.values()) / len(experiment.arms)
    arms = {name: {"bundle": name, "weight": weight} for name in BOUNDS}
    return Experiment.model_validate(experiment.model_dump() | {"arms": experiment.model_dump()["arms"] | arms})


def _one_by_one(tasks: list[_Task], report: Report) -> dict[str, dict[str, float]]:
    total = sum(task.online.days for task in tasks)
    counts = {}
    for number, task in enumerate(tasks):
        counts[task.arm] = _run(task, partial(_report_day, report, number * task.online.days, total))
    return counts


def _report_day(report: Report, before: int, total: int, day: int) -> None:
    report("arm days", before + day, total)


def _in_processes(tasks: list[_Task], jobs: int, report: Report) -> dict[str, dict[str, float]]:
    counts: dict[str, dict[str, float]] = {}
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_one_core) as pool:
        futures = {pool.submit(_run, task): task.arm for task in tasks}
        try:
            for done, future in enumerate(as_completed(futures), start=1):
                counts[futures[future]] = future.result()
                report("arms", done, len(tasks))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return counts


def _one_core() -> None:
    """Search with one thread in this process: the others have their cores."""
    THREAD_BUDGET.cores = 1


def _run(task: _Task, report: Callable[[int], None] = lambda day: None) -> dict[str, float]:
    """Simulate an arm; returns its counts."""
    world = open_world(task.market, task.online)
    users = np.array([task.experiment.arm_of(str(user + 1)) == task.arm for user in range(len(world.main_share))])
    share = task.experiment.shares[task.arm]
    live = LiveArm(task.arm, task.bundle, world, task.online, users, share, task.other)
    with TemporaryDirectory(prefix="adi-live-") as work:
        _run_days(task, live, Path(work), report)
    return asdict(live.counts)


def _run_days(task: _Task, live: LiveArm, work: Path, report: Callable[[int], None]) -> None:
    """Simulate the days of an arm; `work` is for what retraining needs."""
    start, cpu_start = time.perf_counter(), time.process_time()
    for day in range(task.online.days):
        log = DayLog(
            task.folder,
            experiment=task.experiment.name,
            arm=task.arm,
            version=live.arm.version,
            domains=live.world.settings.domain_names,
            k=task.online.candidates,
            bid_weight=live.arm.bid_weight,
            other=live.other_name,
        )
        live.run_day(day, log)
        log.write(day, live.rng(10_000 + day))
        if task.retrain is not None and task.bundle is not None and day + 1 < task.online.days:
            tables, bundle = work / f"tables-{day}", work / f"bundle-{day}"
            clicks = sorted((task.folder / "clicks").glob(f"{task.arm}-day-*.parquet"))
            tables_with_clicks(task.market, clicks, tables)
            task.retrain(tables, bundle)
            live.renew(bundle)
        report(day + 1)
    live.counts.seconds, live.counts.cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start


def rates_of(summary: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """CTR, RPM and PPC of each arm in a summary."""
    return {
        name: {
            "ctr": arm["clicks"] / max(1, arm["requests"]),
            "rpm": 1000.0 * arm["revenue"] / max(1, arm["requests"]),
            "ppc": arm["revenue"] / max(1, arm["clicks"]),
        }
        for name, arm in summary["arms"].items()
    }
