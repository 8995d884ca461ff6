"""A small marketplace, and a bundle of a model that was trained on its log."""

from pathlib import Path

import pytest

import adi
from adi.online.settings import Online
from adi.online.world import World, open_world
from small import SMALL

QUICK = Online(days=2, requests=600, candidates=20)
"""Two days of a few hundred requests."""


@pytest.fixture(scope="session")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("online")
    adi.simulate(folder / "market", adi.Marketplace(users=270, items=200, interactions=4000), progress=False)
    return folder / "market"


@pytest.fixture(scope="session")
def bundle(market: Path) -> Path:
    folder = market.parent
    adi.prepare(market, folder / "prepared", progress=False)
    adi.train(folder / "prepared", "dnn", folder / "run", settings=dict(SMALL) | {"epochs": 3, "batch_size": 64})
    adi.export(folder / "run", folder / "bundle")
    return folder / "bundle"


@pytest.fixture(scope="session")
def experiment(bundle: Path) -> Path:
    """The file of an A/A test of the bundle."""
    arms = "".join(f"  {name}: {{bundle: bundle, weight: 1}}\n" for name in ("control", "treatment"))
    (bundle.parent / "aa.yaml").write_text(f"name: aa\narms:\n{arms}")
    return bundle.parent / "aa.yaml"


@pytest.fixture(scope="session")
def world(market: Path) -> World:
    return open_world(market, QUICK)
