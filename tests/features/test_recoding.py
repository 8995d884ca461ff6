"""A dataset that is read by another coding: the same values have the codes of that coding, whatever its own numbers."""

import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adi.data.coding import Coding
from adi.data.dataset import Dataset
from adi.data.manifest import UNSEEN_ROW
from adi.errors import AdiError
from adi.features.reader import FeatureReader, context_codes
from adi.features.recoding import open_recoded
from later_data import Change, Rows, renumber, without_kiosk
from older import change_manifest

Bags = dict[str, list[list[int]]]


def user_bags(dataset: Dataset, users: list[str]) -> Bags:
    """The bags of users in every domain that both datasets have, by feature."""
    return listed(
        dataset,
        lambda reader, domain: reader.user_bags(
            dataset.latest(
                np.array([dataset.users.find(user) for user in users]),
                np.full(len(users), domain),
                {name: np.zeros(len(users), dtype=int) for name in ("device", "hour")},
            )
        ),
    )


def item_bags(dataset: Dataset, items: list[str]) -> Bags:
    numbers = np.array([dataset.items.find(item) for item in items])
    return listed(dataset, lambda reader, domain: reader.item_bags(numbers, np.full(len(items), domain)))


def listed(dataset: Dataset, bags: Callable[[FeatureReader, int], Any]) -> Bags:
    reader, by_feature = FeatureReader(dataset), {}
    for domain in ("search", "feed"):
        for name, bag in bags(reader, dataset.domains.index(domain)).items():
            offsets = range(len(bag.values) + 1) if bag.offsets is None else bag.offsets
            by_feature[f"{name} in {domain}"] = [bag.values[a:b].tolist() for a, b in pairwise(offsets)]
    return by_feature


@pytest.mark.parametrize(
    "changes",
    [(renumber,), (without_kiosk,), (without_kiosk, renumber)],
    ids=["renumbered", "without a domain", "both"],
)
def test_values_have_the_codes_of_the_coding(
    dataset: Dataset, later: Callable[..., Path], changes: tuple[Change, ...]
) -> None:
    if changes == (without_kiosk, renumber):
        changes = (lambda rows, schema: (renumber(rows, schema), without_kiosk(rows, schema)),)
    other = Dataset(later(*changes))
    recoded = open_recoded(other.folder, dataset.coding)
    users, items = ["bo b", "eve", "joe", "zoë", "éric"], ["pen", "ink", "mug", "été", "本"]  # with no click in kiosk
    assert user_bags(recoded, users) == user_bags(dataset, users) != user_bags(other, users)
    assert item_bags(recoded, items) == item_bags(dataset, items) != item_bags(other, items)
    values = {"device": "tablet", "hour": "7"}
    assert context_codes(recoded, values) == context_codes(dataset, values)
    assert recoded.manifest.features == dataset.manifest.features
    assert recoded.manifest.fingerprint == other.manifest.fingerprint


def all_rows(dataset: Dataset, part: str) -> Any:
    """The rows of the test, or of the whole log: validation rows are others in data with other users."""
    return np.arange(dataset.num_rows) if part == "train" else dataset.rows("test")


def test_the_context_of_rows_is_recoded(dataset: Dataset, later: Callable[..., Path]) -> None:
    recoded = open_recoded(later(renumber), dataset.coding)
    for part in ("train", "test"):
        own, other = (
            {
                (data.users.key(user), data.items.key(item), data.domains[domain]): (device, hour)
                for user, item, domain, device, hour in zip(
                    *data.targets(part, numbers), *data.queries(part, numbers).context.values(), strict=True
                )
            }
            for data in (dataset, recoded)
            for numbers in [all_rows(data, part)]
        )
        new = {key: codes for key, codes in other.items() if key[0] in ("aaa", "ddd", "zzz")}
        assert {key: codes for key, codes in other.items() if key not in new} == own
        assert set(new.values()) == {(UNSEEN_ROW, 4)}  # no desktop was known; 23 is in the last of three buckets


def test_unknown_values_are_unseen(dataset: Dataset, later: Callable[..., Path]) -> None:
    recoded = open_recoded(later(renumber), dataset.coding)
    bags = item_bags(recoded, ["aa", "pen"])
    assert bags["item_id in feed"] == [[UNSEEN_ROW], [2]]
    assert bags["tags in feed"] == [[4, UNSEEN_ROW], [2, 3]]
    assert bags["price in feed"] == [[2], [2]]  # numbers are known, whatever the value
    assert user_bags(recoded, ["aaa"])["langs in feed"] == [[UNSEEN_ROW, 3]]
    assert set(user_bags(recoded, ["ddd"])["items in search"][0]) == {UNSEEN_ROW}


def test_an_item_without_training_rows_keeps_its_row(dataset: Dataset, later: Callable[..., Path]) -> None:
    """Its own dataset counts it among the unseen, since ids are counted in training rows."""

    def delist(rows: Rows, schema: dict[str, Any]) -> None:
        rows["clicks"][:] = [row for row in rows["clicks"] if row["item"] != "map"]
        rows["clicks"] += [{"user": user, "item": "pen", "domain": "kiosk", "time": 99} for user in ("fay", "gus")]

    other = Dataset(later(delist))
    assert item_bags(other, ["map"])["item_id in feed"] == [[UNSEEN_ROW]]
    recoded = open_recoded(other.folder, dataset.coding)
    assert item_bags(recoded, ["map"]) == item_bags(dataset, ["map"])


def test_a_hash_is_applied_to_ids_and_to_the_values_of_a_vocabulary(later: Callable[..., Path]) -> None:
    def hashed(rows: Rows, schema: dict[str, Any]) -> None:
        for side, name in (("item", "item_id"), ("item", "tags"), ("context", "device")):
            next(f for f in schema["features"][side] if f["name"] == name)["hash_size"] = 5

    coded, plain = Dataset(later(hashed, name="hashed")), Dataset(later(renumber, name="plain"))
    recoded = open_recoded(plain.folder, coded.coding)
    items = ["pen", "mug", "map"]
    assert item_bags(recoded, items) == item_bags(coded, items) != item_bags(plain, items)
    with pytest.raises(AdiError, match=r"hashed: feature 'tags' is hashed into 5 rows, .* Give the schema the hash_"):
        open_recoded(coded.folder, plain.coding)


def test_its_own_coding_changes_nothing(dataset: Dataset) -> None:
    recoded = open_recoded(dataset.folder, Coding.read(dataset.folder))
    assert recoded.recoded == {}
    assert recoded.manifest == dataset.manifest


def drop(side: str, name: str) -> Change:
    def change(rows: Rows, schema: dict[str, Any]) -> None:
        schema["features"][side] = [f for f in schema["features"][side] if f["name"] != name]

    return change


def as_categorical(rows: Rows, schema: dict[str, Any]) -> None:
    next(f for f in schema["features"]["item"] if f["name"] == "price").update(kind="categorical")
    del next(f for f in schema["features"]["item"] if f["name"] == "price")["buckets"]


def in_context(rows: Rows, schema: dict[str, Any]) -> None:
    drop("user", "age")(rows, schema)
    schema["features"]["context"].append({"name": "age", "kind": "categorical", "column": "device"})


def by_domain(rows: Rows, schema: dict[str, Any]) -> None:
    rows["user_domain"][0]["age"] = "young"
    next(f for f in schema["features"]["user"] if f["name"] == "age")["table"] = "user_domain"


def new_domain(rows: Rows, schema: dict[str, Any]) -> None:
    rows["clicks"] += [{"user": user, "item": "pen", "domain": "feeds", "time": 99} for user in ("ni", "nu")]
    schema["domains"]["values"].append("feeds")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            drop("user", "age"),
            r"later: feature 'age', which the run was trained with, is missing \(items, items_here, ",
        ),
        (drop("context", "hour"), "feature 'hour', which the run was trained with, is missing"),
        (as_categorical, r"later: feature 'price': kind is categorical, and it was numeric in the data that the run"),
        (in_context, "feature 'age': side is context, and it was user in"),
        (by_domain, "feature 'age': by_domain is True, and it was False in"),
        (new_domain, r"later: domain 'feeds' is unknown to the run \(search, feed, kiosk\)\. Did you mean 'feed'\?"),
    ],
)
def test_what_cannot_fit_is_refused(dataset: Dataset, later: Callable[..., Path], change: Change, message: str) -> None:
    with pytest.raises(AdiError, match=message):
        open_recoded(later(change), dataset.coding)


def test_numbers_that_an_older_adi_did_not_store(dataset: Dataset, later: Callable[..., Path]) -> None:
    other = later(renumber)
    (other / "interactions" / "context_hour.number.npy").unlink()
    change_manifest(other)
    with pytest.raises(AdiError, match=r"later: feature 'hour' has other buckets than in the run, .* Prepare it again"):
        open_recoded(other, dataset.coding)


def test_trends_are_those_of_the_run(dataset: Dataset, later: Callable[..., Path]) -> None:
    def trend(*half_lives: float) -> Change:
        return lambda rows, schema: schema.update(trend={"half_lives": list(half_lives), "delay": 1})

    trended = Dataset(later(trend(4, 16), name="trended"))
    assert open_recoded(later(renumber, trend(4, 16), name="same"), trended.coding).clicks("live") is not None
    for name, changes in (("other", [trend(4, 8)]), ("none", [])):
        with pytest.raises(
            AdiError, match=f"{name}: trend is .*, and it was half_lives=.4.0, 16.0. .* Give the schema"
        ):
            open_recoded(later(*changes, name=name), trended.coding)
    assert open_recoded(trended.folder, dataset.coding).manifest.trend is None


def test_a_log_that_goes_on_has_the_same_trends(dataset: Dataset, later: Callable[..., Path]) -> None:
    """Its span may differ, and audiences are the run's, whatever the schema of the data says of them."""

    def trend(**audience: Any) -> Change:
        return lambda rows, schema: schema.update(trend={"half_lives": [4, 16], "delay": 1, **audience})

    def goes_on(rows: Rows, schema: dict[str, Any]) -> None:
        rows["clicks"] += [{"user": user, "item": "pen", "domain": "feed", "time": 99} for user in ("ana", "joe")]

    with_audience = trend(audience={"half_lives": [8]})
    runs = {name: Dataset(later(change, name=name)) for name, change in (("a", with_audience), ("b", trend()))}
    for name, change in (("c", with_audience), ("d", trend())):
        data = later(goes_on, change, name=name)
        for run in runs.values():
            assert Dataset(data).manifest.trend.span != run.manifest.trend.span
            assert open_recoded(data, run.coding).manifest.trend == run.manifest.trend


def test_a_damaged_coding(prepared: Path, tmp_path: Path) -> None:
    with pytest.raises(AdiError, match=r"not a prepared dataset \(no manifest\.json\)"):
        Coding.read(tmp_path)
    shutil.copy(prepared / "manifest.json", tmp_path)
    with pytest.raises(AdiError, match=r"vocabulary/item_id\.parquet: the vocabulary of feature 'item_id' is missing"):
        open_recoded(prepared, Coding.read(tmp_path))
