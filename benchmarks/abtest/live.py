"""A marketplace, a bundle of a model of it, and an A/A test of this bundle, for the benchmark of `adi abtest`."""

from pathlib import Path

from adi.exporting.export import export
from adi.marketplace.simulation import Marketplace, simulate
from adi.online.settings import Online
from adi.online.simulate import simulate_experiment
from adi.preparation.prepare import prepare
from adi.training.train import train
from benchmarks.report import Row, announce

EXPERIMENT = """name: aa
arms:
  control: {bundle: bundle, weight: 1}
  treatment: {bundle: bundle, weight: 1}
"""


def market_of(folder: Path, market: Marketplace, model: str) -> Path:
    """The folder of a marketplace (``market``), a bundle and ``aa.yaml``; made unless an earlier call has left it."""
    if not (folder / "aa.yaml").exists():
        announce(f"simulating {market.interactions:,} clicks, and training {model} on them")
        simulate(folder / "market", market, progress=False)
        prepare(folder / "market", folder / "prepared", progress=False)
        train(folder / "prepared", model, folder / "run")
        export(folder / "run", folder / "bundle")
        (folder / "aa.yaml").write_text(EXPERIMENT, encoding="utf-8")
    return folder


def simulated(folder: Path, name: str, online: Online) -> tuple[Path, Row]:
    """An A/A test of the bundle in `folder`, simulated anew, and the speed of it."""
    announce(f"simulating {online.days} days with {online.requests:,} requests")
    out = folder / name
    summary = simulate_experiment(folder / "market", folder / "aa.yaml", out, online, progress=False)
    requests = sum(arm["requests"] for arm in summary["arms"].values())
    cpu = sum(arm["cpu_seconds"] for arm in summary["arms"].values())
    return out, {
        "requests": requests,
        "seconds": round(summary["seconds"], 1),
        "requests_per_second": round(summary["requests_per_second"]),
        "requests_per_core_second": round(requests / cpu),
    }
