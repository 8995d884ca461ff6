"""The defaults that depend on the data: where similar items are counted, and how many embedding sets there are."""

import types

import pytest

from adi.data.manifest import TrendInfo, read_manifest
from adi.models.catalog import MODELS
from adi.training.settings import settings_for


@pytest.fixture
def manifest(workspace):
    """A function that gives the manifest of data with so many rows, users and items, and an id of the item or none.

    `registered` users are in the tables; by default those with rows.
    """
    workspace.prepare()
    original = read_manifest(workspace.out)

    def changed(*, rows, users, items=1000, ids=True, registered=None):
        of_domain = next(iter(original.by_domain.values()))
        of_domain = of_domain.model_copy(update={"train": rows, "validation": 0, "users": users})
        features = [feature for feature in original.features if ids or feature.kind != "id"]
        of_tables = {"users": registered or users, "items": items, "features": features}
        return original.model_copy(update={**of_tables, "by_domain": {"a": of_domain}})

    return changed


@pytest.mark.parametrize(
    ("counts", "neighbours", "blend", "reason"),
    [
        ({"rows": 50_000, "users": 10_000}, 20, True, "50,000 rows, 5.0 of a user"),
        ({"rows": 100, "users": 20}, 20, True, "100 rows, 5.0 of a user"),
        ({"rows": 100_000, "users": 2_000}, 0, True, "50 rows of a user"),
        ({"rows": 99_999, "users": 2_000}, 20, True, "50.0 of a user"),
        ({"rows": 100_000, "users": 2_000, "registered": 100_000}, 0, True, "50 rows of a user"),
        ({"rows": 50_000, "users": 10_000, "ids": False}, 0, True, "no item feature of kind id"),
        ({"rows": 500_000, "users": 100_000, "items": 200_001}, 0, False, "200,001 items"),
        ({"rows": 10_000_000, "users": 900_000}, 0, False, "pairs of rows"),
    ],
)
def test_neighbours_and_the_blend_depend_on_the_data(manifest, counts, neighbours, blend, reason):
    data = manifest(**counts)
    settings = settings_for(MODELS["adi-se"])
    chosen = settings.for_data(data)
    assert (chosen.model.neighbours, "similar" in chosen.training.blend) == (neighbours, blend)
    reasons = {default.name: default.reason for default in settings.by_data(data)}
    assert reason in reasons["neighbours"]


@pytest.mark.parametrize(
    ("changes", "kinds", "reason"),
    [
        ({}, ("similar", "follows"), "neighbours of 1,000 items are quick to count; rows have an order"),
        ({"time": None}, ("similar",), "neighbours of 1,000 items are quick to count"),
        (
            {"repeats": True, "items": 200_001},
            ("follows", "repeats"),
            (
                "nothing similar: 200,001 items, and neighbours are quick to count up to 200,000; rows have an order; "
                "lists may show the items of the history"
            ),
        ),
        ({"trend": types.SimpleNamespace(half_lives=(60,), co_clicks=None)}, (), "trends have co-clicks"),
    ],
)
def test_the_blend_has_what_the_data_allows(manifest, changes, kinds, reason):
    data = manifest(rows=500_000, users=100_000).model_copy(update={"time": "number", **changes})
    settings = settings_for(MODELS["adi-se"])
    assert settings.for_data(data).training.blend == kinds
    assert {default.name: default.reason for default in settings.by_data(data)}["blend"] == reason


@pytest.mark.parametrize(("rows", "follows"), [(5_000_000, True), (5_000_001, False)])
def test_followers_are_counted_up_to_some_rows(manifest, rows, follows):
    data = manifest(rows=rows, users=rows).model_copy(update={"time": "number"})
    assert ("follows" in settings_for(MODELS["dnn"]).for_data(data).training.blend) == follows


@pytest.mark.parametrize(("rows", "sets"), [(200_000, 4), (200_001, 1)])
def test_few_rows_have_several_sets(manifest, rows, sets):
    data = manifest(rows=rows, users=100_000)
    for model in ("adi-se", "dnn", "lightgcn"):
        assert settings_for(MODELS[model]).for_data(data).model.embedding_sets == sets
    assert settings_for(MODELS["adi-paper"]).for_data(data).model.embedding_sets == 1


@pytest.mark.parametrize(("rows", "patience"), [(200_000, 8), (200_001, 4)])
def test_few_rows_have_more_patience(manifest, rows, patience):
    data = manifest(rows=rows, users=100_000)
    training = settings_for(MODELS["dnn"]).for_data(data).training
    assert (training.epochs, training.patience) == (30, patience)
    assert settings_for(MODELS["dnn"], {"epochs": 7}).for_data(data).training.epochs == 7


def test_data_with_trends_has_small_steps_where_rows_are_few(manifest):
    trends = TrendInfo(half_lives=(1.0, 24.0), delay=0.0)
    for rows, size in ((1_000, 1024), (300_000, 4096)):
        data = manifest(rows=rows, users=100).model_copy(update={"trend": trends, "time": "number"})
        training = settings_for(MODELS["dnn"]).for_data(data).training
        assert (training.batch_size, training.uniform) == (size, 250)


def test_data_with_trends_has_the_patience_of_many_rows(manifest):
    trends = TrendInfo(half_lives=(1.0, 24.0), delay=0.0)
    data = manifest(rows=1_000, users=100).model_copy(update={"trend": trends, "time": "number"})
    training = settings_for(MODELS["dnn"]).for_data(data).training
    assert (training.epochs, training.patience) == (30, 4)


@pytest.mark.parametrize(("rows", "batch_size", "uniform"), [(200_000, 1024, 250), (200_001, 4096, 1000)])
def test_few_rows_have_smaller_steps(manifest, rows, batch_size, uniform):
    data = manifest(rows=rows, users=100_000)
    training = settings_for(MODELS["dnn"]).for_data(data).training
    assert (training.batch_size, training.uniform) == (batch_size, uniform)
    assert settings_for(MODELS["dnn"], {"batch_size": 64}).for_data(data).training.batch_size == 64


@pytest.mark.parametrize("given", [0, 7])
def test_a_given_setting_is_kept(manifest, given):
    data = manifest(rows=50_000, users=10_000)
    settings = settings_for(MODELS["dnn"], {"neighbours": given, "blend": False})
    chosen = settings.for_data(data)
    assert (chosen.model.neighbours, chosen.training.blend) == (given, ())
    assert {"neighbours", "blend"}.isdisjoint(default.name for default in settings.by_data(data))


def test_settings_for_data_have_no_default_left(manifest):
    data = manifest(rows=50_000, users=10_000)
    chosen = settings_for(MODELS["adi-se"]).for_data(data)
    assert chosen.by_data(data) == ()
    assert chosen.model.embedding_sets == 4
    assert settings_for(MODELS["adi-paper"]).for_data(data).model.neighbours == 0
    assert settings_for(MODELS["lightgcn"]).for_data(data).model.neighbours == 20
