"""Counts of the values in a dataset that are unknown to the run which reads it."""

from collections.abc import Iterable, Iterator
from typing import Literal

import numpy as np

from adi.data.arrays import ROWS_PER_BATCH, Array
from adi.data.coding import Unknown
from adi.data.dataset import Dataset
from adi.data.manifest import UNSEEN_ROW, FeatureInfo
from adi.features.kinds import KINDS


def unknown_values(dataset: Dataset) -> tuple[Unknown, ...]:
    """Count by feature the values that are unknown to the run, in the corpora, histories, users and context.

    Empty for a dataset that is read by its own coding. A number always has a bucket, and a hashed value a row.
    """
    if not dataset.is_recoded:
        return ()
    manifest = dataset.manifest
    embedding = dict.fromkeys(feature.embedded_by for feature in manifest.side("user") if feature.embedded_by)
    return (
        *(_count("item", feature.name, _of_corpora(dataset, feature)) for feature in manifest.side("item")),
        *(_count("history", item_id, _of_histories(dataset, item_id)) for item_id in embedding),
        *(
            _count("user", feature.name, _stored(dataset, feature))
            for feature in manifest.side("user")
            if not feature.embedded_by
        ),
        *(_count("context", feature.name, _stored(dataset, feature)) for feature in manifest.side("context")),
    )


def _count(side: Literal["item", "history", "user", "context"], feature: str, blocks: Iterable[Array]) -> Unknown:
    values = unknown = 0
    for codes in blocks:
        values, unknown = values + codes.size, unknown + int(np.count_nonzero(codes == UNSEEN_ROW))
    return Unknown(side=side, feature=feature, values=values, unknown=unknown)


def _of_corpora(dataset: Dataset, feature: FeatureInfo) -> Iterator[Array]:
    """The codes of the items that can be retrieved, those of an item once for each domain."""
    read = KINDS[feature.kind].reader(feature, dataset)
    for domain in range(len(dataset.domains)):
        items = dataset.corpora.stored_retrievable(domain)
        for block in _blocks(len(items)):
            yield read(items[block], np.full(len(items[block]), domain), None).values


def _of_histories(dataset: Dataset, item_id: str) -> Iterator[Array]:
    """The codes of the items in the rows of which histories consist."""
    codes = dataset.feature("item", item_id)
    for block in _blocks(dataset.num_rows):
        _, items, _ = dataset.targets("train", np.arange(block.start, block.stop))
        yield codes[items]


def _stored(dataset: Dataset, feature: FeatureInfo) -> Iterator[Array]:
    """The codes of all users, or of all rows of the log and the test."""
    for name in KINDS[feature.kind].arrays(feature):
        codes = dataset.codes(name)
        for block in _blocks(len(codes)):
            yield codes[block]


def _blocks(length: int) -> Iterator[slice]:
    for first in range(0, length, ROWS_PER_BATCH):
        yield slice(first, min(first + ROWS_PER_BATCH, length))
