"""The paper's numbers: complete, and equal wherever it prints one twice."""

from itertools import pairwise

import pytest

from adi.reproduce.paper import TABLE_2, TABLE_3, TABLE_6, TABLE_7, TABLE_8

METHODS = ["DNN-Single", "DNN", "Shared-Bottom", "Cross-Stitch", "MMoE", "PLE", "ADI-LT", "ADI-VA", "ADI-SE"]


def test_table_2_has_every_method_at_every_n() -> None:
    assert list(TABLE_2) == [100, 500, 1000]
    for n, published in TABLE_2.items():
        assert published.measure == f"Recall@{n}"
        assert list(published.recall) == [*METHODS, "ADI-SE (MAX)"]


def test_recall_rises_with_n_everywhere() -> None:
    for method in TABLE_2[100].recall:
        for at_100, at_500, at_1000 in zip(*(TABLE_2[n].recall[method] for n in TABLE_2), strict=True):
            assert 0 < at_100 < at_500 < at_1000 < 1


def test_the_last_line_of_table_2() -> None:
    assert [TABLE_2[n].recall["ADI-SE (MAX)"] for n in TABLE_2] == [
        (0.2438, 0.2219, 0.1468),
        (0.4849, 0.4429, 0.3292),
        (0.6039, 0.5547, 0.4342),
    ]


def test_adi_se_is_the_same_in_all_tables() -> None:
    same = TABLE_2[500].recall["ADI-SE"]
    assert same == TABLE_6.recall["CONCAT"] == TABLE_7.recall["ADI-SE"] == TABLE_8.recall["3-SE"]


def test_means_of_table_3_are_those_that_the_paper_prints() -> None:
    printed = {"DNN-Single": 0.453, "DNN": 0.344, "Shared-Bottom": 0.435, "Cross-Stitch": 0.388, "MMoE": 0.417}
    printed |= {"PLE": 0.424, "ADI": 0.466}
    assert {method: TABLE_3.mean(method) for method in TABLE_3.recall} == pytest.approx(printed, abs=1.1e-3)


def test_every_component_helps_in_the_papers_ablation() -> None:
    rows = list(TABLE_7.recall.values())
    assert len(rows) == 4
    for above, below in pairwise(rows):
        assert all(a > b for a, b in zip(above, below, strict=True))


@pytest.mark.parametrize("published", [*TABLE_2.values(), TABLE_3, TABLE_6, TABLE_7, TABLE_8])
def test_every_row_has_a_number_for_every_domain(published) -> None:
    assert {len(row) for row in published.recall.values()} == {len(published.domains)} == {3}
