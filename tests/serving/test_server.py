"""`adi.serve`: its arguments. What it serves is tested over HTTP, and as a process with the command line."""

from pathlib import Path
from typing import Any

import pytest

import adi
from adi.errors import ArgumentError


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ({"workers": 0}, "workers: should be 1 or more (got 0)."),
        ({"waiting": -1}, "waiting: should be 0 or more (got -1)."),
        ({"timeout": 0}, "timeout: should be more than 0 (got 0)."),
        ({"token": ""}, "token: should not be empty (got '')."),
        ({"events": "http://host/0"}, "events: not the address of a Redis server."),
        ({"watch": "missing"}, "watch: missing: no such folder. Create it, and export bundles into it."),
        (
            {"watch": "memory://nothing"},
            "watch: memory://nothing: cannot be listed (/nothing). Create it, and copy bundles",
        ),
        ({"domains": ["search", "fed"]}, "domains: 'fed' is not one of the bundle's search, feed, kiosk. Did you mean"),
        ({"shard": "3/2"}, "shard: '3/2': shards have the numbers 1/2 to 2/2."),
        ({"exposures": __file__}, f"exposures: {__file__}: cannot be written (File exists). Give another folder."),
    ],
)
def test_an_invalid_argument_is_named(bundles: tuple[Path, Path], argument: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        adi.serve(bundles[0], **argument)
    assert str(caught.value).startswith(message)
