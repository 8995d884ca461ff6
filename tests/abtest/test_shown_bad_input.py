"""Logs of shown items that are refused: every fault is named, with how many rows have it, and the first of them."""

from pathlib import Path
from typing import Any

import pytest

from adi.abtest.offpolicy import evaluate_off_policy
from adi.errors import AdiError
from shown_logs import BY_HAND, shown_item, write_shown

GOOD = {"charge": 0.0, "supported": 1.0, "predicted": 0.1, "expected": 0.1}


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"propensity": 0.0}, r"propensity is 0: 1 rows, the first request 'bad', user 'ann'"),
        ({"propensity": -0.1}, r"propensity is negative: 1 rows"),
        ({"propensity": 1.1}, r"propensity is above 1: 1 rows"),
        ({"propensity": None}, r"propensity \('propensity'\) is missing or no number: 1 rows"),
        ({"propensity": float("nan")}, r"propensity is not finite: 1 rows"),
        ({"target": 1.5}, r"target is above 1: 1 rows"),
        ({"target": -0.5}, r"target is negative: 1 rows"),
        ({"target": None}, r"target \('target'\) is missing or no number: 1 rows"),
        ({"click": 2}, r"click is neither 0 nor 1: 1 rows"),
        ({"charge": -1.0}, r"charge is negative: 1 rows"),
        ({"charge": float("inf")}, r"charge is not finite: 1 rows"),
        ({"supported": 1.2}, r"supported is above 1: 1 rows"),
        ({"supported": 0.3}, r"supported is less than target: 1 rows"),
        ({"predicted": None}, r"predicted \('predicted'\) is missing or no number: 1 rows"),
        ({"user": None}, r"no user \('user'\): 1 rows, the first request 'bad', user missing"),
        ({"domain": None}, r"no domain \('domain'\): 1 rows"),
        ({"request": "good"}, r"a request that is there twice: 2 rows, the first request 'good'"),
    ],
)
def test_a_row_that_cannot_be_used_is_refused(tmp_path: Path, fault: dict[str, Any], words: str) -> None:
    rows = [shown_item("good", **GOOD), shown_item("bad", **GOOD) | fault]
    with pytest.raises(AdiError, match=rf"^shown items, 2 rows: {words}.*Log the right values"):
        evaluate_off_policy(write_shown(tmp_path / "log.parquet", rows))


def test_all_faults_are_named_at_once(tmp_path: Path) -> None:
    rows = [shown_item("a", propensity=0.0), shown_item("b", target=2.0), shown_item("c", propensity=0.0)]
    with pytest.raises(
        AdiError, match=r"propensity is 0: 2 rows, the first request 'a', .*; target is above 1: 1 rows"
    ):
        evaluate_off_policy(write_shown(tmp_path / "log.parquet", rows))


def test_probabilities_may_have_the_digits_of_float32(tmp_path: Path) -> None:
    rows = [shown_item("a", propensity=1.0 + 1e-7, target=1.0 + 1e-7)]
    assert evaluate_off_policy(write_shown(tmp_path / "log.parquet", rows)).domains[0].weight.value == 1.0


def test_columns_that_are_refused(tmp_path: Path) -> None:
    log = write_shown(tmp_path / "log.parquet", BY_HAND)
    with pytest.raises(AdiError, match=r"columns: 'propensty' is not one of .*Did you mean 'propensity'\?"):
        evaluate_off_policy(log, columns={"propensty": "p"})
    with pytest.raises(AdiError, match=r"log.parquet has no column 'p' .* Name the column, as in target=COLUMN"):
        evaluate_off_policy(log, columns={"target": "p"})
    with pytest.raises(AdiError, match=r"log.parquet has no column 'share' "):
        evaluate_off_policy(log, columns={"supported": "share"})
    half = [{name: value for name, value in row.items() if name != "expected"} for row in BY_HAND]
    with pytest.raises(AdiError, match=r"has 'predicted' without 'expected'\. Give both or none"):
        evaluate_off_policy(write_shown(tmp_path / "half.parquet", half))
    free = [{name: value for name, value in row.items() if name != "charge"} for row in BY_HAND]
    with pytest.raises(AdiError, match=r"has 'predicted_charge' without 'charge'"):
        evaluate_off_policy(write_shown(tmp_path / "free.parquet", free))
    fractions = [row | {"user": 7.0} for row in BY_HAND]
    with pytest.raises(AdiError, match=r"column 'user': ids of type DOUBLE; 7\.0 is not 7"):
        evaluate_off_policy(write_shown(tmp_path / "fractions.parquet", fractions))


def test_logs_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(AdiError, match=r"^tables: .*none: no such file, and no folder with"):
        evaluate_off_policy(tmp_path / "none")
    (tmp_path / "empty.csv").write_text("request,user,domain,propensity,target,click\n")
    with pytest.raises(AdiError, match=r"^tables: no rows\. Name the log of shown items"):
        evaluate_off_policy(tmp_path / "empty.csv")


def test_a_csv_with_other_names_is_read(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("id,user,domain,p,target,click\n1,007,search,0.5,0.25,1\n2,7,search,0.5,0.5,0\n")
    result = evaluate_off_policy(tmp_path / "log.csv", columns={"request": "id", "propensity": "p"})
    assert (result.domains[0].users, result.domains[0].metrics["ctr"]["ips"].value) == (2, 0.25)
