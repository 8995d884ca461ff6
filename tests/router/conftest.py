"""Routers in threads of the test process."""

import pytest
import yaml

from adi.router.app import RouterLimits, create_app
from adi.router.table import RoutingTable, load_table


@pytest.fixture(scope="session")
def routing(listen):
    """A function that starts a router of a table, which has servers or addresses."""

    def address(server):
        return server if isinstance(server, str) else f"http://127.0.0.1:{server.port}"

    def route(domains, **limits):
        table = {
            name: {"shards": [[address(server) for server in replicas] for replicas in shards]}
            for name, shards in domains.items()
        }
        return listen(create_app(RoutingTable.model_validate({"domains": table}), RouterLimits(**limits)))

    return route


@pytest.fixture
def read(tmp_path):
    """A function that reads a routing file of a text."""

    def load(text):
        path = tmp_path / "routing.yaml"
        path.write_text(text if isinstance(text, str) else yaml.safe_dump(text))
        return load_table(path)

    return load
