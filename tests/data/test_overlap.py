"""Overlap of domains: by hand on a short log, and against sets on the hand-written one."""

import math

import numpy as np
import pytest

from adi.data import overlap as overlap_module
from adi.data.dataset import Dataset
from adi.data.overlap import Overlap, overlaps
from adi.preparation.prepare import prepare

LOG = "ann,x,a ann,y,a ann,x,b ann,v,c bo,y,a bo,z,b cy,z,b cy,z,b dee,w,c dee,x,c"
TEST = "bo,w,c cy,x,a"
SCHEMA = """
domains: {column: domain, values: [a, b, c, d]}
interactions: {path: log.csv, user: user, item: item}
features:
  user: [{name: items, kind: behaviours}]
  item: [{name: item_id, kind: id}]
split: {kind: files, test: test.csv, validation: 0.0}
"""


@pytest.fixture
def small(tmp_path):
    for name, rows in (("log", LOG + " ed,x,d"), ("test", TEST)):
        (tmp_path / f"{name}.csv").write_text("\n".join(["user,item,domain", *rows.split()]) + "\n", encoding="utf-8")
    (tmp_path / "schema.yaml").write_text(SCHEMA, encoding="utf-8")
    prepare(tmp_path / "schema.yaml", tmp_path / "prepared")
    return Dataset(tmp_path / "prepared")


def test_by_hand(small):
    result = overlaps(small)
    assert result.domains == ("a", "b", "c", "d")
    # users: ann a b c, bo a b, cy b, dee c, ed d; the test rows add none
    assert result.users.together.tolist() == [[2, 2, 1, 0], [2, 3, 1, 0], [1, 1, 2, 0], [0, 0, 0, 1]]
    assert (result.users.anywhere, result.users.shared, result.users.share) == (5, 2, 2 / 5)
    # items: x a b c d, y a, z b, v c, w c
    assert result.items.together.tolist() == [[2, 1, 1, 1], [1, 2, 1, 1], [1, 1, 3, 1], [1, 1, 1, 1]]
    assert (result.items.anywhere, result.items.shared) == (5, 1)
    assert result.in_words() == "40 % of users and 20 % of items are in two domains or more"


@pytest.mark.parametrize("at_once", [1, 7, 1 << 20])
def test_against_sets_whatever_is_looked_at_together(dataset, monkeypatch, at_once):
    monkeypatch.setattr(overlap_module, "ROWS_AT_ONCE", at_once)
    result = overlaps(dataset)
    rows = np.concatenate([dataset.rows("train"), dataset.rows("validation")])
    user, item, domain = dataset.targets("train", rows)
    for numbers, overlap in ((user, result.users), (item, result.items)):
        members = [set(numbers[domain == index].tolist()) for index in range(len(dataset.domains))]
        assert overlap.together.tolist() == [[len(domain & other) for other in members] for domain in members]
        everybody = set.union(*members)
        assert overlap.anywhere == len(everybody)
        assert overlap.shared == sum(sum(entity in domain for domain in members) > 1 for entity in everybody)


def test_a_domain_alone_has_the_counts_of_the_manifest(dataset):
    result = overlaps(dataset)
    counts = dataset.manifest.by_domain.values()
    assert np.diag(result.users.together).tolist() == [domain.users for domain in counts]
    assert np.diag(result.items.together).tolist() == [domain.items for domain in counts]


def test_of_nobody_there_is_no_share():
    assert math.isnan(Overlap(np.zeros((2, 2)), anywhere=0, shared=0).share)
