"""A marketplace that is small enough to be damaged, killed and made again many times."""

import pytest

from adi.marketplace.simulation import Marketplace, simulate
from adi.preparation.prepare import prepare


@pytest.fixture(scope="session")
def market(tmp_path_factory):
    """A folder with a prepared dataset of three domains."""
    folder = tmp_path_factory.mktemp("made")
    settings = Marketplace(users=100, items=60, interactions=900, groups=4, clusters=4)
    simulate(folder / "market", settings, progress=False)
    prepare(folder / "market", folder / "prepared", progress=False)
    return folder
