"""Users' histories, items' attributes and the names of features, read from a bundle's data."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from adi.data.dataset import Dataset
from adi.errors import AdiError
from adi.features.kinds import KINDS
from adi.serving.events import Event

MAX_EVENTS = 50
"""Events of a history that are shown."""

MAX_VALUES = 200
"""Values of a context feature that are shown."""


def history_of(dataset: Dataset, user: str, recent: Sequence[Event]) -> dict[str, Any] | None:
    """A user's history, newest first, with its full length; None for an unknown user without recent events.

    Args:
        recent: the user's events since the export, oldest first.
    """
    row = dataset.users.find(user)
    if row is None and not recent:
        return None
    history = [{"item": item, "domain": domain, "since": True} for item, domain in reversed(recent)]
    total = len(history)
    if row is not None:
        logged = dataset.histories(np.asarray([row]))
        total += len(logged.items)
        newest = logged.last(MAX_EVENTS)
        items = dataset.items.keys_of(newest.items[::-1])
        domains = [dataset.domains[domain] for domain in newest.domains[::-1]]
        history += [
            {"item": item, "domain": domain, "since": False} for item, domain in zip(items, domains, strict=True)
        ]
    return {"user": user, "known": row is not None, "total": total, "history": history[:MAX_EVENTS]}


def attributes_of(dataset: Dataset, domain: int, items: Sequence[str]) -> dict[str, Any]:
    """The attributes of items in a domain, by id, and the ids that the data does not know.

    Raises `AdiError` for a dataset without attributes.
    """
    numbers = {item: dataset.items.find(item) for item in items}
    known = {item: number for item, number in numbers.items() if number is not None}
    rows = dataset.attributes_of(domain, np.asarray(list(known.values()), dtype=np.int64))
    attributes = rows.select(rows.column_names[1:]).to_pylist()  # the first column is the id
    return {
        "items": dict(zip(known, attributes, strict=True)),
        "unknown": [item for item, number in numbers.items() if number is None],
    }


def context_features(dataset: Dataset) -> list[dict[str, Any]]:
    """The context features of a dataset, with the first values of those that have a vocabulary."""
    features = dataset.manifest.side("context")
    encodings = {feature.name: KINDS[feature.kind].encoding(feature, dataset.coding) for feature in features}
    return [
        {"name": name, "number": encoding.takes_numbers, "values": encoding.first_values(MAX_VALUES)}
        for name, encoding in encodings.items()
    ]


def display_of(dataset: Dataset) -> dict[str, str | None] | None:
    """The attributes that show an item to people; None where the schema names none."""
    display = dataset.manifest.display
    return None if display is None else {"title": display.title, "image": display.image}


def attribute_names(dataset: Dataset) -> dict[str, list[str]]:
    """Names of the item attributes that filters may use, by domain; empty for a dataset without attributes."""
    try:
        return {name: dataset.attributes_schema(number).names for number, name in enumerate(dataset.domains)}
    except AdiError:
        return {}
