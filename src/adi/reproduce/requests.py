"""Requests of a reproduction, ``OUT/asked.json``: the requested tables, their data sets and numbers of seeds."""

import json
from collections.abc import Iterable

from adi.data.folder import replace_text
from adi.grid.folder import GridFolder

FILE = "asked.json"


def requested(folder: GridFolder) -> dict[str, dict[str, int]]:
    """The largest number of seeds requested by any call so far, by table and data set."""
    path = folder.root / FILE
    seeds: dict[str, dict[str, int]] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return seeds


def add_requests(folder: GridFolder, parts: Iterable[tuple[str, str]], seeds: int) -> None:
    """Add requests for (table, data set)."""
    all_requests = requested(folder)
    for table, dataset in parts:
        by_dataset = all_requests.setdefault(table, {})
        by_dataset[dataset] = max(seeds, by_dataset.get(dataset, 0))
    replace_text(folder.root / FILE, json.dumps(all_requests, indent=1))
