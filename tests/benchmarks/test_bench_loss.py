"""The benchmark of the loss."""


def test_both_losses_are_measured_at_each_size(measure) -> None:
    """The plain loss keeps several times the logits; the other two buffers, here of half of them, and gradients."""
    report = measure("loss --sizes 20x30,2048x2048 --dim 8 --rounds 2 --calls 1")
    assert [(row["loss"], row["samples"], row["candidates"]) for row in report["rows"]] == [
        ("in chunks", 20, 30),
        ("plain", 20, 30),
        ("in chunks", 2048, 2048),
        ("plain", 2048, 2048),
    ]
    for row in report["rows"]:
        assert 0 < row["least"] <= row["ms"] <= row["most"]
        assert row["logits_mb"] == round(4 * row["samples"] * row["candidates"] / 1e6, 1)
    chunked, plain = report["rows"][2:]
    assert plain["added_mb"] > 3 * plain["logits_mb"]
    assert chunked["added_mb"] < 1.3 * chunked["logits_mb"]
    assert report["found"] == {
        "plain_time_by_chunked": round(plain["ms"] / chunked["ms"], 2),
        "plain_memory_by_chunked": round(plain["added_mb"] / chunked["added_mb"], 2),
    }
