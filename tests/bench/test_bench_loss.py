from adi.bench.loss import Sizes, bench_loss


def test_both_losses_are_measured_at_each_size() -> None:
    report = bench_loss([Sizes(20, 30, 4), Sizes(1024, 2048, 8)], rounds=2, calls=2).as_json()
    assert [(row["loss"], row["samples"], row["candidates"]) for row in report["rows"]] == [
        ("in chunks", 20, 30),
        ("plain", 20, 30),
        ("in chunks", 1024, 2048),
        ("plain", 1024, 2048),
    ]
    for row in report["rows"]:
        assert 0 < row["least"] <= row["ms"] <= row["most"]
        assert row["logits_mb"] == round(4 * row["samples"] * row["candidates"] / 1e6, 1)


def test_memory_is_what_a_call_adds() -> None:
    """The plain loss keeps several times the logits; the other two buffers, here of half of them, and gradients."""
    report = bench_loss([Sizes(2048, 2048, 8)], rounds=1, calls=1).as_json()
    chunked, plain = report["rows"]
    assert plain["added_mb"] > 3 * plain["logits_mb"]
    assert chunked["added_mb"] < 1.3 * chunked["logits_mb"]
    assert report["found"]["plain_memory_by_chunked"] == round(plain["added_mb"] / chunked["added_mb"], 2)
