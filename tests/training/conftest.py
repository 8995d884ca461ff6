"""A marketplace for trainings of a second."""

import pytest

from adi.marketplace.settings import Marketplace
from adi.marketplace.simulation import simulate
from adi.preparation.prepare import prepare


@pytest.fixture(scope="session")
def market(tmp_path_factory):
    """A prepared dataset of three domains. Not to be written to."""
    folder = tmp_path_factory.mktemp("market")
    settings = Marketplace(users=100, items=60, interactions=900, groups=4, clusters=4)
    simulate(folder / "market", settings, progress=False)
    prepare(folder / "market", folder / "prepared", progress=False)
    return folder / "prepared"
