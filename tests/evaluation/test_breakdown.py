"""Groups of queries: their labels, their bounds, and unknown breakdowns."""

import numpy as np
import pytest

from adi.errors import AdiError
from adi.evaluation.breakdown import BREAKDOWNS, Slice, check_breakdown, group_numbers, labels


def test_labels_of_the_groups():
    assert labels("history_length") == labels("history_in_domain") == ("0", "1–2", "3–5", "6–10", "11–20", "21+")
    assert labels("item_popularity") == ("0", "1–9", "10–99", "100–999", "1000+")
    assert str(Slice("history_length", "1–2")) == "history_length 1–2"


@pytest.mark.parametrize("by", BREAKDOWNS)
def test_every_number_is_in_the_group_whose_label_contains_it(by):
    values = np.arange(2000)
    for value, number in zip(values.tolist(), group_numbers(by, values).tolist(), strict=True):
        low, _, high = labels(by)[number].removesuffix("+").partition("–")
        assert int(low) <= value
        assert value <= int(high or low) or labels(by)[number].endswith("+")


def test_an_unknown_breakdown_is_refused():
    check_breakdown("item_popularity")
    with pytest.raises(AdiError, match=r"by: 'history' is not one of history_length, history_in_domain, item_pop"):
        check_breakdown("history")
