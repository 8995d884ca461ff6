"""The marker `exhaustive`: thousands of trials of what other tests try a few dozen times; --exhaustive runs these."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--exhaustive", action="store_true", help="run the exhaustive tests, and no others (make faults)")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    wanted = config.getoption("--exhaustive")
    left_out = [item for item in items if (item.get_closest_marker("exhaustive") is not None) != wanted]
    items[:] = [item for item in items if item not in set(left_out)]
    config.hook.pytest_deselected(items=left_out)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List the number of trials of each test that recorded it: `record_property("trials", 3000)`."""
    reports = [report for outcome in ("passed", "failed") for report in terminalreporter.getreports(outcome)]
    counts = {report.nodeid: dict(report.user_properties).get("trials") for report in reports if report.when == "call"}
    counted = {name: int(number) for name, number in counts.items() if number is not None}
    if counted:
        terminalreporter.section(f"{sum(counted.values()):,} trials")
        for name, number in sorted(counted.items()):
            terminalreporter.write_line(f"{number:7,} {name}")
