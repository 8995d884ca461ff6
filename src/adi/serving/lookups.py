"""What the data of a bundle says of users and items: not what the model makes of it."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from adi.data.dataset import Dataset
from adi.errors import AdiError
from adi.features.kinds import KINDS
from adi.serving.recent import Event

MOST_SHOWN = 50
"""Of a history."""

MOST_VALUES = 200
"""Of a context feature."""


def history_of(dataset: Dataset, user: str, recent: Sequence[Event]) -> dict[str, Any] | None:
    """What a user did, newest first, and of how much that is; None for a user who is not known and did nothing since.

    `recent` is what was done since the bundle was made, oldest first.
    """
    number = dataset.users.find(user)
    if number is None and not recent:
        return None
    events = [{"item": item, "domain": domain, "since": True} for item, domain in reversed(recent)]
    total = len(events)
    if number is not None:
        histories = dataset.histories(np.asarray([number]))
        total += len(histories.items)
        newest = histories.last(MOST_SHOWN)
        items = dataset.items.keys_of(newest.items[::-1])
        domains = [dataset.domains[domain] for domain in newest.domains[::-1]]
        events += [
            {"item": item, "domain": domain, "since": False} for item, domain in zip(items, domains, strict=True)
        ]
    return {"user": user, "known": number is not None, "total": total, "history": events[:MOST_SHOWN]}


def attributes_of(dataset: Dataset, domain: int, items: Sequence[str]) -> dict[str, Any]:
    """The own columns of items in a domain by id, without the id's; `unknown` are those that the data does not know.

    Raises `AdiError` for a dataset without attributes.
    """
    found = {item: dataset.items.find(item) for item in items}
    known = {item: number for item, number in found.items() if number is not None}
    rows = dataset.attributes_of(domain, np.asarray(list(known.values()), dtype=np.int64))
    values = rows.select(rows.column_names[1:]).to_pylist()  # the first is the id
    return {
        "items": dict(zip(known, values, strict=True)),
        "unknown": [item for item, number in found.items() if number is None],
    }


def context_features(dataset: Dataset) -> list[dict[str, Any]]:
    """The context features that a request may give, with the first values of those that have a vocabulary."""
    features = dataset.manifest.side("context")
    encodings = {feature.name: KINDS[feature.kind].encoding(feature, dataset) for feature in features}
    return [
        {"name": name, "number": encoding.takes_numbers, "values": encoding.first_values(MOST_VALUES)}
        for name, encoding in encodings.items()
    ]


def attribute_names(dataset: Dataset) -> dict[str, list[str]]:
    """The names of the items' own columns, which filters may ask for, by domain; none for data without them."""
    try:
        return {name: dataset.attributes_schema(number).names for number, name in enumerate(dataset.domains)}
    except AdiError:
        return {}
