"""The benchmark of the loader."""

import pytest


def test_both_loaders_are_measured(measure) -> None:
    report = measure("loader --rows 2000 --batch-size 100 --uniform 10 --batches 3 --rounds 2")
    adi, row_wise = report["rows"]
    assert (adi["way"], row_wise["way"]) == ("adi, whole batches", "torch DataLoader, row by row")
    for row in report["rows"]:
        assert 0 < row["least"] <= row["rows_per_second"] <= row["most"]
    ratio = adi["rows_per_second"] / row_wise["rows_per_second"]
    assert report["found"]["rate_by_row_wise"] == pytest.approx(ratio, abs=0.06)


def test_batches_beyond_the_training_rows_are_refused(benchmark) -> None:
    """The log has that many rows, of which some are test rows; how many is known once it is prepared."""
    done = benchmark("loader --rows 2000 --batch-size 100 --batches 20")
    assert done.returncode == 2
    assert "--batches: 20 of 100 rows, and an epoch has 1" in done.stderr
