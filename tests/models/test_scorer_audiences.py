"""Audiences of a trained model: whose tastes they are made of, what they know, and how long their files stay."""

import gc
from dataclasses import replace

import numpy as np
import pytest
import torch

from adi.data.audiences import LAST, tastes_of
from adi.data.dataset import Dataset
from adi.models.audiences import build_audiences
from adi.models.catalog import MODELS
from adi.models.vectors import VectorScorer
from adi.training.settings import settings_for

DIM = 2


def encode_last(domain, queries):
    """The vector of a user is the number of the last item and of the domain: what a leak would change."""
    offsets, items = queries.histories.offsets, np.append(queries.histories.items, -1)
    last = np.where(offsets[1:] > offsets[:-1], items[offsets[1:] - 1], -1)
    angles = 0.1 * last + domain
    return np.stack([np.cos(angles), np.sin(angles), np.full(len(last), 7.0)], axis=1).astype(np.float32)


def by_hand(clicks, item, moment, half_life):
    """The audience of an item from clicks (user, item, time, domain), all of which are known."""
    total, clickers = np.zeros(DIM), 0.0
    for user, clicked, time, domain in clicks:
        if clicked != item or time >= moment:
            continue
        earlier = [(at, other) for who, other, at, _ in clicks if who == user and at < time]
        angle = 0.1 * (max(earlier)[1] if earlier else -1) + domain
        weight = 2.0 ** (-(moment - time) / half_life)
        total, clickers = total + weight * np.array([np.cos(angle), np.sin(angle)]), clickers + weight
    return total / (clickers + 1.0)


SPLITS = {
    "time": {"kind": "time", "at": 60, "validation": 0.2, "validation_by": "time"},
    "last": {"kind": "last", "validation": 0.5},
}


def log_of():
    """Clicks of six users, each at a time of its own."""
    rng = np.random.default_rng(0)
    return [
        {"user": f"u{rng.integers(6)}", "item": f"i{rng.integers(9)}", "domain": "ab"[rng.integers(2)], "time": time}
        for time in range(90)
    ]


def columns_of(dataset, *, with_test):
    parts = ("interactions", "test") if with_test else ("interactions",)
    return [
        np.concatenate([dataset.array(f"{part}/{name}") for part in parts]).tolist()
        for name in ("user", "item", "time", "domain")
    ]


def prepared(workspace, split, rows=None, out="prepared"):
    workspace.write("log.jsonl", rows or log_of())
    trend = {"half_lives": [40], "delay": 1, "audience": {"half_lives": [10]}}
    workspace.schema |= {"split": SPLITS[split], "repeats": True, "corpus": "all", "trend": trend}
    workspace.prepare(out)
    return Dataset(workspace.out)


@pytest.mark.parametrize("all_rows", [False, True])
@pytest.mark.parametrize(
    ("split", "known"), [("time", "live"), ("time", "frozen"), ("last", "live"), ("last", "frozen")]
)
def test_they_are_of_the_clicks_that_the_log_knows(workspace, tmp_path, split, known, all_rows):
    """Of all clicks before the moment; and of a split not by time, frozen audiences are of none of the test's."""
    prepared(workspace, split)
    dataset = Dataset(workspace.out, all_rows=all_rows)
    log = dataset.clicks(known)
    audiences = build_audiences(tmp_path / "audiences", dataset, log, encode_last, DIM, by_domain=False)
    knows_test = known == "live" or split == "time"
    assert log.has_test == knows_test
    clicks = list(zip(*columns_of(dataset, with_test=knows_test), strict=True))
    items = np.arange(dataset.manifest.items)
    for moment in (30.0, 62.0, 91.0):
        found = audiences.at(1, items, np.array([moment]))[0, :, 0]
        last = min(moment - 1, 60) if (split, known) == ("time", "frozen") else moment - 1
        for item in items:
            np.testing.assert_allclose(found[item], by_hand(clicks, item, last, 10), rtol=1e-5, atol=1e-6)


def test_clicks_of_the_test_change_nothing_that_training_knows(workspace, tmp_path):
    """The same log but for other items in the test's rows of a split by last clicks."""
    found = []
    for change in (0, 1):
        rows, last = log_of(), {}
        for row in rows:
            last[row["user"], row["domain"]] = row
        if change:
            for row in last.values():
                row["item"] = f"i{(int(row['item'][1:]) + 4) % 9}"
        dataset = prepared(workspace, "last", rows, out=f"prepared{change}")
        numbers = np.array([dataset.items.find(f"i{item}") for item in range(9)])
        moments, audiences = np.array([20.0, 50.0, 91.0]), {}
        for known in ("frozen", "live"):
            folder = tmp_path / f"{change}-{known}"

            def encode(domain, queries, keys=numbers):
                position = np.argsort(keys)  # the same item whatever its number
                items = position[np.searchsorted(keys, queries.histories.items, sorter=position)]
                return encode_last(domain, replace(queries, histories=replace(queries.histories, items=items)))

            log = build_audiences(folder, dataset, dataset.clicks(known), encode, DIM, by_domain=True)
            audiences[known] = np.stack([log.at(domain, numbers, moments) for domain in (0, 1)])
        found.append(audiences)
    assert found[0]["frozen"].any()
    np.testing.assert_array_equal(found[0]["frozen"], found[1]["frozen"])
    assert (found[0]["live"] != found[1]["live"]).any()


def model_of(dataset, name="dnn"):
    torch.manual_seed(0)
    small = {"embedding_dim": 4, "dim": 6, "networks": (4,)}
    return MODELS[name].build(dataset, settings_for(MODELS[name], small).model)


@pytest.mark.parametrize("name", ["dnn", "mind", "dnn-single"])
def test_tastes_are_those_of_the_model_in_the_domain_of_the_click(trending_audience, tmp_path, name):
    """An item's audience right after its first click is half the taste of this clicker, whoever else clicked."""
    dataset = trending_audience
    scorer = VectorScorer(model_of(dataset, name), dataset, tmp_path)
    log = scorer.audiences(dataset.clicks("frozen"))
    items, domains, times = (dataset.array(f"interactions/{part}") for part in ("item", "domain", "time"))
    asked = 0
    for item, domain in {(int(i), int(d)) for i, d in zip(items, domains, strict=True)}:
        inside = items == item if name != "dnn-single" else (items == item) & (domains == domain)
        rows = np.flatnonzero(inside & (domains == domain))
        first = times[inside].min()
        if np.count_nonzero(times[inside] == first) > 1 or times[rows].min() > first:
            continue
        (row,) = rows[times[rows] == first]
        clicker = dataset.clickers(np.array([row]), in_test=False, last=LAST, with_test=True)
        taste = tastes_of(scorer.user_vectors(domain, clicker).numpy(), 6)[0]
        found = log.at(domain, np.array([item]), np.array([first + 10.0 + 1e-6]))[0, 0, 0]
        np.testing.assert_allclose(found, taste / 2, rtol=1e-4, atol=1e-6)
        asked += 1
    assert asked > 15


def test_a_folder_that_is_given_stays_and_is_read_again(trending_audience, tmp_path):
    dataset, model = trending_audience, model_of(trending_audience)
    scorer, items, moments = VectorScorer(model, dataset, tmp_path), np.arange(5), np.array([20_000.0])
    log = dataset.clicks("frozen")
    before = scorer.audiences(log).at(0, items, moments)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter))
    np.testing.assert_array_equal(VectorScorer(model, dataset, tmp_path).audiences(log).at(0, items, moments), before)
    assert (VectorScorer(model, dataset).audiences(log).at(0, items, moments) != before).any()
    assert (tmp_path / "all" / "sum.npy").exists()


def test_an_interrupted_build_leaves_nothing(trending_audience, tmp_path):
    dataset, log = trending_audience, trending_audience.clicks("frozen")

    def stops(domain, queries):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_audiences(tmp_path / "all", dataset, log, stops, DIM, by_domain=False)
    assert list(tmp_path.iterdir()) == []
    build_audiences(tmp_path / "all", dataset, log, encode_last, DIM, by_domain=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["all"]


def test_a_temporary_folder_is_removed_with_the_scorer(trending_audience, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    scorer = VectorScorer(model_of(trending_audience), trending_audience)
    assert list(tmp_path.iterdir()) == []
    log = scorer.audiences(trending_audience.clicks("live"))
    assert len(list(tmp_path.iterdir())) == 1
    del scorer
    gc.collect()
    assert list(tmp_path.iterdir()) == []
    assert log.at(0, np.arange(3), np.array([20_000.0])).any()  # what is mapped can still be read


def test_a_model_of_data_without_audiences_has_none(trending, tmp_path):
    scorer = VectorScorer(model_of(trending), trending, tmp_path)
    assert scorer.audiences(trending.clicks("live")) is None
    assert list(tmp_path.iterdir()) == []
