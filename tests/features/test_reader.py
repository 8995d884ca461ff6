"""Bags of features of the hand-written log: code 0 is missing, 1 unseen, then the values by frequency."""

from itertools import pairwise

import numpy as np

from adi.data.histories import Histories
from adi.data.queries import Queries
from adi.features.reader import FeatureReader

SEARCH, FEED, KIOSK = range(3)
ITEM_CODE = {"pen": 2, "mug": 3, "ink": 4, "cap": 5, "bag": 6, "jar": 7, "map": 8, "été": 9, "本": 10}


def listed(bags):
    """A bag as a list for each sample; bare numbers where each sample has exactly one."""
    if bags.offsets is None:
        return bags.values.tolist()
    offsets = bags.offsets.tolist()
    return [bags.values[a:b].tolist() for a, b in pairwise(offsets)]


def queries(dataset, users, domains, context=None):
    numbers = np.array([-1 if user is None else dataset.users.find(user) for user in users])
    return dataset.latest(numbers, np.array(domains), context or {"device": np.zeros(len(users)), "hour": numbers * 0})


def test_user_bags_by_hand(dataset):
    reader = FeatureReader(dataset)
    context = {"device": np.array([3, 0, 2, 1]), "hour": np.array([2, 3, 0, 4])}
    test_queries = queries(dataset, ["ana", None, "eve", "cy"], [SEARCH, FEED, KIOSK, FEED], context)
    bags = reader.user_bags(test_queries)
    assert list(bags) == ["items", "items_here", "age", "langs", "level", "device", "hour", "domain"]
    words = [["ink", "pen", "cap", "mug"], [], ["pen", "mug", "bag", "ink"], ["ink", "pen", "jar", "mug"]]
    assert listed(bags["items"]) == [[ITEM_CODE[word] for word in history] for history in words]  # the newest 4
    assert listed(bags["items_here"]) == [[ITEM_CODE[word] for word in ("pen", "ink", "cap")], [], [], []]
    assert listed(bags["age"]) == [2, 0, 0, 2]  # young; unknown user; no age; young
    assert listed(bags["langs"]) == [[2, 4], [], [3], []]
    assert listed(bags["level"]) == [2, 0, 0, 0]  # ana's level in search; cy has one in search, not in feed
    assert listed(bags["device"]) == [3, 0, 2, 1]
    assert listed(bags["hour"]) == [2, 3, 0, 4]
    assert listed(bags["domain"]) == [SEARCH, FEED, KIOSK, FEED]


def test_a_feature_by_domain_follows_the_query(dataset):
    bags = FeatureReader(dataset).user_bags(queries(dataset, ["ana", "ana", "ana", "李"], [FEED, SEARCH, KIOSK, KIOSK]))
    assert listed(bags["level"]) == [3, 2, 0, 2]
    assert listed(bags["items_here"]) == [[2, 3], [2, 4, 5], [], []]


def test_item_bags_by_hand(dataset):
    words = ["mug", "pen", "pen", "cap", "été", "本", "map"]
    items = np.array([dataset.items.find(word) for word in words])
    domains = np.array([FEED, FEED, SEARCH, SEARCH, SEARCH, SEARCH, KIOSK])
    bags = FeatureReader(dataset).item_bags(items, domains)
    assert list(bags) == ["item_id", "price", "tags", "bid", "domain"]
    assert listed(bags["item_id"]) == [ITEM_CODE[word] for word in words]
    assert listed(bags["price"]) == [3, 2, 2, 3, 0, 0, 3]  # the edge is the median, 4; no price; not in the table
    assert listed(bags["tags"]) == [[3, 4, 2], [2, 3], [2, 3], [], [4], [], [5]]
    assert listed(bags["bid"]) == [2, 3, 2, 0, 0, 0, 3]  # the edge is 2; pen's bid is 3 in feed, 1 in search
    assert listed(bags["domain"]) == domains.tolist()


def test_context_and_history_of_a_test_row(dataset, clicks):
    rows = dataset.rows("test")
    test_queries = dataset.queries("test", rows)
    bags = FeatureReader(dataset).user_bags(test_queries)
    users, items, domains = dataset.targets("test", rows)
    codes = {"tablet": 2, "phone": 3, None: 0}
    for index, (user, item, domain) in enumerate(zip(users, items, domains, strict=True)):
        click = (dataset.users.key(user), dataset.domains[domain], dataset.items.key(item))
        time = clicks.index(click)
        assert listed(bags["device"])[index] == codes[("phone", "tablet", None)[time % 3]]
        hour = time % 24
        low, high = next(f.edges for f in dataset.manifest.features if f.name == "hour")
        assert listed(bags["hour"])[index] == 2 + (hour >= low) + (hour >= high)


def test_own_behaviours_are_looked_for_further_back(dataset):
    assert FeatureReader(dataset).lookback == 12  # 4 x the 3 of the own domain


def test_a_query_looks_no_further_back_than_training(dataset):
    """12 rows: an own-domain click just beyond them is not seen, at the edge it is."""
    reader = FeatureReader(dataset)
    mug, pen = (dataset.items.find(word) for word in ("mug", "pen"))
    for others, seen in ((11, [ITEM_CODE["mug"]]), (12, [])):
        items, domains = np.array([mug] + [pen] * others), np.array([FEED] + [SEARCH] * others)
        history = Histories(items, domains, np.array([0, len(items)]))
        context = {"device": np.zeros(1), "hour": np.zeros(1)}
        bags = reader.user_bags(Queries(np.array([-1]), np.array([FEED]), history, context))
        assert listed(bags["items_here"]) == [seen]


def test_a_query_may_bring_its_own_history(dataset):
    history = Histories(np.array([6, 5]), np.array([FEED, FEED]), np.array([0, 2]))
    context = {"device": np.array([0]), "hour": np.array([0])}
    bags = FeatureReader(dataset).user_bags(Queries(np.array([-1]), np.array([FEED]), history, context))
    assert listed(bags["items"]) == listed(bags["items_here"]) == [[2, 3]]
