"""What self-training reports of itself, by hand."""

import numpy as np

from adi.data.dataset import Dataset
from adi.runs.self_training import Histogram
from adi.training.pseudo_audit import BINS, PseudoAudit

CY, EVE, JOE, HAL = 2, 4, 9, 7
BAG, INK, MUG, PEN = 0, 2, 5, 6
TO_FEED, TO_SEARCH = 1, 3  # from search, from feed: i D + j


def audited(dataset, *batches):
    """An audit of batches of (user, item, group, score, accepted)."""
    audit = PseudoAudit(dataset)
    for batch in batches:
        users, items, groups, scores, accepted = (np.array(column) for column in zip(*batch, strict=True))
        audit.add(users, items, groups, scores.astype(np.float32), accepted)
    return audit


def groups_of(audit):
    return {(pair.source, pair.target): pair for pair in audit.report(start=1, steps=2).pairs}


def test_precision_by_hand(dataset):
    """Held out are cy's mug in search, eve's mug in feed and ink in search, and joe's ink in search; hal has none."""
    first = [
        (CY, MUG, TO_SEARCH, 0.9, True),  # true
        (CY, PEN, TO_SEARCH, 0.8, True),  # checked, false
        (EVE, INK, TO_SEARCH, 0.1, False),  # true, but not accepted
        (HAL, MUG, TO_SEARCH, 0.7, True),  # nothing to check it by
        (EVE, INK, TO_FEED, 0.5, True),  # held out in search, not in feed: false
        (JOE, INK, TO_FEED, 0.4, True),  # joe has nothing held out in feed
    ]
    second = [(JOE, BAG, TO_SEARCH, 0.3, True), (EVE, MUG, TO_SEARCH, 0.2, False), (EVE, BAG, TO_FEED, 0.2, False)]
    groups = groups_of(audited(dataset, first, second))
    keys = ("scored", "accepted", "checked", "precision", "base_rate")
    assert [getattr(groups["feed", "search"], key) for key in keys] == [6, 4, 3, 1 / 3, 2 / 5]
    assert [getattr(groups["search", "feed"], key) for key in keys] == [3, 2, 1, 0.0, 0.0]
    assert [getattr(groups["kiosk", "feed"], key) for key in keys] == [0, 0, 0, None, None]


def test_every_validation_row_of_a_user_counts(workspace):
    rows = [
        {"user": user, "item": f"i{number % 7}", "domain": "ab"[number % 2], "time": number}
        for number in range(60)
        for user in ("ana", "bo")
    ]
    workspace.write("log.jsonl", rows)
    workspace.schema["split"] = {"kind": "time", "at": 58, "validation": 0.2}
    workspace.prepare()
    dataset = Dataset(workspace.out)
    users, items, domains = dataset.targets("validation", dataset.rows("validation"))
    ana_in_b = items[(users == 0) & (domains == 1)]
    assert len(set(ana_in_b)) > 2
    other = next(item for item in range(7) if item not in ana_in_b)
    batch = [(0, item, 1, 0.5, True) for item in ana_in_b] + [(0, other, 1, 0.4, False)]
    pair = groups_of(audited(dataset, batch))["a", "b"]
    assert (pair.checked, pair.precision) == (len(ana_in_b), 1.0)
    assert pair.base_rate == len(ana_in_b) / (len(ana_in_b) + 1)


def test_histograms_have_the_range_of_the_first_scores_and_catch_all_others(dataset):
    first = [(HAL, PEN, TO_FEED, score, score > 3) for score in (0.0, 1.0, 2.5, 4.0)]
    second = [(HAL, PEN, TO_FEED, -7.0, False), (HAL, PEN, TO_FEED, 99.0, True), (HAL, PEN, TO_SEARCH, 0.05, False)]
    groups = groups_of(audited(dataset, first, second))
    histogram = groups["search", "feed"].score_histogram
    assert np.allclose(histogram.edges, np.arange(BINS + 1) / 10)
    scored, accepted = np.array(histogram.scored), np.array(histogram.accepted)
    assert np.flatnonzero(scored).tolist() == [0, 10, 25, BINS - 1]
    assert scored[[0, 10, 25, BINS - 1]].tolist() == [2, 1, 1, 2]
    assert np.flatnonzero(accepted).tolist() == [BINS - 1]
    assert accepted[BINS - 1] == 2
    assert groups["feed", "search"].score_histogram.scored[0] == 1
    assert groups["feed", "search"].score_histogram.edges == histogram.edges
    assert groups["kiosk", "search"].score_histogram.edges == ()


def test_a_training_without_pairs_reports_zeros(dataset):
    audit = PseudoAudit(dataset)
    none = np.empty(0, dtype=np.int64)
    audit.add(none, none, none, np.empty(0, dtype=np.float32), none.astype(bool))
    audit.add_seconds(scoring=1.0, training=4.0, pseudo=0.25)
    audit.add_seconds(scoring=0.5, training=2.0, pseudo=0.0)
    report = audit.report(start=3, steps=8)
    assert (report.start_step, report.steps) == (3, 8)
    assert report.seconds == {"scoring": 1.5, "training_extra": 1.0, "total": 7.5}
    assert [(pair.source, pair.target) for pair in report.pairs] == [
        ("search", "feed"),
        ("search", "kiosk"),
        ("feed", "search"),
        ("feed", "kiosk"),
        ("kiosk", "search"),
        ("kiosk", "feed"),
    ]
    assert all(pair.scored == pair.accepted == pair.checked == 0 for pair in report.pairs)
    assert all(pair.score_histogram == Histogram(edges=(), scored=(), accepted=()) for pair in report.pairs)


def test_a_restored_audit_reports_the_same(dataset):
    audit = audited(dataset, [(CY, MUG, TO_SEARCH, 0.9, True), (CY, PEN, TO_SEARCH, 0.8, False)])
    audit.count("known", np.array([TO_FEED]))
    audit.add_seconds(scoring=1.0, training=4.0, pseudo=0.5)
    other = PseudoAudit(dataset)
    other.load_state_dict(audit.state_dict())
    assert other.report(start=0, steps=1) == audit.report(start=0, steps=1)
