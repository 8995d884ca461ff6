"""The marker `exhaustive`: thousands of trials of what other tests try a few dozen times; --exhaustive runs these."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--exhaustive", action="store_true", help="run the exhaustive tests, and no others (make faults)")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    wanted = config.getoption("--exhaustive")
    left_out = [item for item in items if (item.get_closest_marker("exhaustive") is not None) != wanted]
    items[:] = [item for item in items if item not in set(left_out)]
    config.hook.pytest_deselected(items=left_out)
