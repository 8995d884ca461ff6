"""A small marketplace, a bundle of a model of its log, and an experiment, for the tests of live marketplaces."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from small import SMALL

if TYPE_CHECKING:
    from adi.online.world import World


@pytest.fixture(scope="session")
def live_market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import adi

    folder = tmp_path_factory.mktemp("online")
    adi.simulate(folder / "market", adi.Marketplace(users=270, items=200, interactions=4000), progress=False)
    return folder / "market"


@pytest.fixture(scope="session")
def live_bundle(live_market: Path) -> Path:
    import adi

    folder = live_market.parent
    adi.prepare(live_market, folder / "prepared", progress=False)
    adi.train(folder / "prepared", "dnn", folder / "run", settings=dict(SMALL) | {"epochs": 3, "batch_size": 64})
    adi.export(folder / "run", folder / "bundle", bid="bid")
    return folder / "bundle"


@pytest.fixture(scope="session")
def live_experiment(live_bundle: Path) -> Path:
    """The file of an A/A test of the bundle."""
    arms = "".join(f"  {name}: {{bundle: bundle, weight: 1}}\n" for name in ("control", "treatment"))
    (live_bundle.parent / "aa.yaml").write_text(f"name: aa\narms:\n{arms}")
    return live_bundle.parent / "aa.yaml"


@pytest.fixture(scope="session")
def live_world(live_market: Path) -> "World":
    from adi.online.settings import Online
    from adi.online.world import open_world

    return open_world(live_market, Online(days=2))
