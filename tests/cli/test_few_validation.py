"""`adi prepare` says where validation rows are too few to choose an epoch by."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from adi.cli.show import few_validation, next_step
from adi.data.manifest import read_manifest

MORE = {
    "users": " Unless validation_least under split in the schema was lowered, no more can be held out.",
    "time": " More: validation under split in the schema, 0.5 at most.",
}


def said(by: str, **counts: int) -> str | None:
    by_domain = {name: SimpleNamespace(validation=n) for name, n in counts.items()}
    return few_validation(SimpleNamespace(by_domain=by_domain, validation_by=by))


def test_enough_rows_are_not_mentioned() -> None:
    assert said("users", search=500, feed=70_000) is None


@pytest.mark.parametrize("by", MORE)
@pytest.mark.parametrize(
    ("counts", "sentence"),
    [
        ({"search": 70_000, "cart": 499}, "cart 499. On 499 the standard error of a recall of a half is 0.022."),
        ({"b": 400, "a": 100, "c": 0}, "c 0, a 100, b 400."),
        (
            {"a": 400, "b": 100, "c": 25, "d": 50, "e": 499},
            ("c 25, d 50, b 100 and under 500 in 2 more. On 25 the standard error of a recall of a half is 0.100."),
        ),
    ],
)
def test_the_fewest_are_named_with_what_they_can_tell(counts: dict[str, int], sentence: str, by: str) -> None:
    assert said(by, **counts) == f"Few validation rows to choose the best epoch by: {sentence}{MORE[by]}"


def test_prepare_says_it(pipeline) -> None:
    expected = few_validation(read_manifest(pipeline.folder / "prepared"))
    assert expected is not None
    assert expected in pipeline.said["prepare"].stdout.splitlines()


@pytest.mark.parametrize(
    ("validation", "expected"),
    [
        (9, "--out baseline, and: adi train p --model adi-se --out run"),
        (0, "--out baseline. Other models need validation rows, and there are none"),
    ],
)
def test_a_baseline_comes_first_and_then_what_can_be_trained(validation: int, expected: str) -> None:
    by_domain = {"a": SimpleNamespace(validation=validation), "b": SimpleNamespace(validation=0)}
    manifest = SimpleNamespace(by_domain=by_domain)
    said = next_step(manifest, Path("p"))
    assert said.startswith("Next: adi train p --model item-knn")
    assert expected in said
