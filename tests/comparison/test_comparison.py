"""Comparisons of runs: values and words by hand on made-up ranks, and runs that do not compare."""

import json
from dataclasses import asdict, replace
from math import inf, log2

import pytest

from adi.comparison.compare import compare
from adi.errors import AdiError
from adi.metrics import Metric

HIT, MISS = 0.0, inf


def queries(search, feed):
    """100 users with two queries each in search, 60 of them with one in feed; the given numbers of them are hits."""
    return {
        "search": [(user, HIT if 2 * user + turn < search else MISS) for user in range(100) for turn in range(2)],
        "feed": [(user, HIT if user < feed else MISS) for user in range(60)],
    }


@pytest.fixture
def runs(ranked_run):
    """Two seeds of dnn-single and of adi-se, then popularity."""
    return [
        ranked_run("single-0", queries(100, 30), model="dnn-single"),
        ranked_run("single-1", queries(104, 30), model="dnn-single", seed=1),
        ranked_run("adi-0", queries(140, 24), model="adi-se"),
        ranked_run("adi-1", queries(144, 24), model="adi-se", seed=1),
        ranked_run("popularity", queries(102, 30), model="popularity", parameters=None),
    ]


def test_the_order_of_the_domains_in_the_training_does_not_matter(runs):
    orders = [runs, runs[::-1]]
    expected = [compare(order, replicates=100) for order in orders]
    for run in runs[2:4]:
        info = json.loads((run / "run.json").read_text())
        (run / "run.json").write_text(json.dumps(info | {"domains": info["domains"][::-1]}))
    assert [compare(order, replicates=100) for order in orders] == expected


def test_values_and_verdicts_by_hand(runs):
    comparison = compare(runs, replicates=500)
    assert (comparison.measure, comparison.part, comparison.against) == ("recall@50", "test", "corpus")
    assert (comparison.baseline, comparison.margin, comparison.replicates) == ("dnn-single", 0.005, 500)
    assert comparison.seeds == {"dnn-single": 2, "adi-se": 2, "popularity": 1}
    assert [(one.model, one.domain, one.mean) for one in comparison.differences] == [
        (model, *column)
        for model in ("adi-se", "popularity")
        for column in (("search", None), ("feed", None), (None, "domains"), (None, "queries"))
    ]
    search, feed, mean, over_queries = comparison.of("adi-se")
    assert [one.users for one in (search, feed, mean, over_queries)] == [100, 60, 100, 100]
    assert (search.baseline_value, search.value) == pytest.approx((102 / 200, 142 / 200))
    assert (feed.baseline_value, feed.value) == pytest.approx((30 / 60, 24 / 60))
    assert [one.difference for one in (search, feed, mean)] == pytest.approx([0.2, -0.1, 0.05])
    # over 260 queries: 132 hits of the baseline on average, and 166
    assert (over_queries.baseline_value, over_queries.value) == pytest.approx((132 / 260, 166 / 260))
    assert over_queries.difference == pytest.approx(34 / 260)
    for one in (search, feed, mean, over_queries):
        assert one.low < one.difference < one.high
    assert [one.verdict for one in (search, feed, mean, over_queries)] == ["helps", "hurts", "not decided", "helps"]
    assert over_queries.sentence.startswith("pooled training helps on average over all queries (+0.131, 95 % +")
    assert mean.sentence.startswith("whether pooled training helps or hurts on average is not decided (+0.050")
    # the same hits as the two seeds of dnn-single on average, and all of them in feed
    assert [one.difference for one in comparison.of("popularity")] == pytest.approx([0, 0, 0, 0])
    assert comparison.of("popularity")[1].verdict == "makes no difference"
    assert comparison.of("popularity")[1].low == comparison.of("popularity")[1].high == 0


def test_words_are_about_pooled_training_where_the_baseline_is_trained_on_each_domain_alone(runs):
    comparison = compare(runs)
    assert comparison.subjects == {"adi-se": "pooled training", "popularity": "popularity"}
    search = comparison.of("adi-se")[0]
    assert search.sentence == f"pooled training helps in search (+0.200, 95 % {search.low:+.3f} to {search.high:+.3f})"
    assert compare(runs, baseline="popularity").subjects == {"dnn-single": "dnn-single", "adi-se": "adi-se"}


def test_several_pooled_models_are_named(runs, ranked_run):
    dnn = ranked_run("dnn", queries(100, 30), model="dnn")
    assert compare([*runs, dnn]).subjects == {
        "adi-se": "pooled training (adi-se)",
        "popularity": "popularity",
        "dnn": "pooled training (dnn)",
    }


def test_the_baseline_is_the_named_model_else_dnn_single_else_the_best_simple_one_else_the_first(runs, ranked_run):
    *single, adi, _, popularity = runs
    counting = ranked_run("counting", queries(120, 30), model="item-knn", parameters=None)
    dnn = ranked_run("dnn", queries(100, 30), model="dnn")
    assert compare([adi, popularity, *single]).baseline == "dnn-single"
    assert compare([adi, counting, popularity]).baseline == "item-knn"
    assert compare([adi, popularity]).baseline == "popularity"
    assert compare([adi, dnn]).baseline == "adi-se"
    assert compare([adi, popularity], baseline="adi-se").baseline == "adi-se"
    with pytest.raises(
        AdiError, match=r"baseline: 'adi-sf' is not one of the models: adi-se; popularity\. Did you mean 'adi-se'\?"
    ):
        compare([adi, popularity], baseline="adi-sf")


def test_the_best_simple_model_is_the_best_at_the_measure_even_one_that_was_not_evaluated(ranked_run):
    def run(name, ranks):
        return ranked_run(name, {"feed": list(enumerate(ranks))}, model=name, ks=(10,), parameters=None)

    popularity, item_knn = run("popularity", [9.0] * 30 + [MISS] * 30), run("item-knn", [3.0] * 20 + [MISS] * 40)
    assert compare([popularity, item_knn], measure="recall@10").baseline == "popularity"
    assert compare([popularity, item_knn], measure="recall@5").baseline == "item-knn"


@pytest.mark.parametrize("left_out", [False, True])
def test_domains_of_one_user_take_no_replicate_from_a_mean(ranked_run, left_out):
    """Hardly a replicate draws the only user of each of twenty domains."""
    tiny = {f"tiny-{number}": [(100 + number, HIT)] for number in range(20)}
    evaluated = {"left_out": list(tiny) if left_out else [], "small": list(tiny)}
    odd, even = (
        ranked_run(
            name,
            {"large": [(user, HIT if user % 2 == turn else MISS) for user in range(100)], **tiny},
            model=name,
            evaluated=evaluated,
        )
        for turn, name in enumerate(("even", "odd"))
    )
    comparison = compare([even, odd], baseline="odd")
    large, *_, over_domains, over_queries = comparison.differences
    notes = [note for note in comparison.notes if note.startswith("The mean over the domains has no verdict: tiny")]
    assert len(notes) == (0 if left_out else 1)
    assert large.low < -0.1 < 0.1 < large.high
    assert over_domains.verdict == "not decided"
    assert over_queries.low == pytest.approx(100 / 120 * large.low, rel=0.15)
    assert over_queries.high == pytest.approx(100 / 120 * large.high, rel=0.15)
    if left_out:
        assert (over_domains.low, over_domains.high) == (large.low, large.high)
    else:  # of 21 domains a replicate has some 14
        assert 2 * large.low < 21 * over_domains.low < large.low
        assert large.high < 21 * over_domains.high < 2 * large.high


def test_the_order_of_the_difference_is_model_less_baseline(runs):
    forth = compare(runs[:4])
    back = compare(runs[:4], baseline="adi-se")
    for one, other in zip(forth.differences, back.differences, strict=True):
        assert one.difference == pytest.approx(-other.difference)
        assert (one.low, one.high) == pytest.approx((-other.high, -other.low), abs=0.01)


@pytest.mark.parametrize(
    ("measure", "value"),
    [("recall@2", 2 / 60), ("recall@7", 3 / 60), ("mrr@2", (1 + 1 / 2.5) / 60), ("ndcg@2", (1 + 1 / log2(3.5)) / 60)],
)
def test_any_measure_at_any_k_even_one_that_was_not_evaluated(ranked_run, measure, value):
    ranks = [HIT, 1.5, 2.0, *[MISS] * 57]
    one = ranked_run("a", {"feed": list(enumerate(ranks))}, ks=(10,))
    other = ranked_run("b", {"feed": [(user, MISS) for user in range(60)]}, model="mmoe", ks=(2, 50))
    comparison = compare([other, one], measure=measure)
    assert comparison.measure == measure
    assert comparison.differences[0].difference == pytest.approx(value)


def test_against_candidates_the_measure_is_recall_at_10(ranked_run):
    one, other = (ranked_run(model, queries(3, 4), model=model, against="candidates") for model in ("a", "b"))
    assert compare([one, other]).measure == "recall@10"


def test_a_domain_without_queries_has_no_difference_and_is_left_out_of_the_mean(ranked_run):
    one, other = (
        ranked_run(model, {**queries(hits, 9), "kiosk": []}, model=model) for model, hits in (("a", 50), ("b", 90))
    )
    search, feed, kiosk, mean, over_queries = compare([one, other]).differences
    assert (kiosk.users, kiosk.value, kiosk.difference, kiosk.low) == (0, None, None, None)
    assert kiosk.verdict == "not decided"
    assert kiosk.sentence == "whether b helps or hurts in kiosk is not decided (no queries)"
    assert mean.difference == pytest.approx((search.difference + feed.difference) / 2)
    assert over_queries.difference == pytest.approx(40 / 260)


def test_domains_that_the_evaluation_left_out_are_left_out_of_the_mean_over_domains(runs):
    everything = compare(runs[:4])
    with_left_out(runs[:4], ["feed"])
    comparison = compare(runs[:4], by=["history_length"])
    search, feed, mean, over_queries = comparison.of("adi-se")
    assert (feed, over_queries) == (everything.differences[1], everything.differences[3])
    assert (mean.difference, mean.low, mean.high) == (search.difference, search.low, search.high)
    assert mean.verdict == "helps"
    assert comparison.of("adi-se", comparison.slices[0])[2].difference == search.difference
    with_left_out(runs[:4], ["search", "feed"])  # no other domain: the mean is over both
    assert compare(runs[:4]).differences[2] == everything.differences[2]


def test_a_small_domain_that_is_left_out_no_longer_makes_the_mean_undecided(ranked_run):
    few = {"search": [(user, MISS) for user in range(100)], "kiosk": [(user, MISS) for user in range(12)]}
    one = ranked_run("a", few, model="a")
    other = ranked_run("b", {name: [(user, HIT) for user, _ in own] for name, own in few.items()}, model="b")
    with_left_out([one, other], ["kiosk"])
    _, kiosk, mean, over_queries = compare([one, other]).differences
    assert [one.verdict for one in (kiosk, mean, over_queries)] == ["not decided", "helps", "helps"]


def with_left_out(runs, domains):
    """Say in the metrics of runs that domains were left out of the mean."""
    for run in runs:
        metrics = json.loads((run / "metrics.json").read_text())
        (run / "metrics.json").write_text(json.dumps(metrics | {"left_out": domains}))


def test_few_users_decide_nothing_and_are_named(ranked_run):
    few = {"search": [(user, MISS) for user in range(100)], "kiosk": [(user, MISS) for user in range(12)]}
    one = ranked_run("a", few, model="a")
    other = ranked_run("b", {name: [(user, HIT) for user, _ in own] for name, own in few.items()}, model="b")
    search, kiosk, *means = compare([one, other]).differences
    # the mean over the queries has the users of both domains
    assert [one.verdict for one in (search, kiosk, *means)] == ["helps", "not decided", "not decided", "helps"]
    assert kiosk.sentence.endswith("is not decided (+1.000, 95 % +1.000 to +1.000, from only 12 users)")


def test_regressions_are_where_a_model_hurts_and_strict_ones_where_it_may(runs, ranked_run):
    def regressions(*folders, strict=False, baseline=None):
        comparison = compare(folders, baseline=baseline)
        return [(one.model, one.domain) for one in comparison.regressions(strict=strict)]

    single, adi, popularity = runs[0], runs[2], runs[4]
    better = ranked_run("better", queries(200, 60), model="mmoe")
    assert regressions(single, adi) == [("adi-se", "feed")]
    assert regressions(single, better, strict=True) == []
    assert regressions(single, popularity) == []
    # two more hits in search, both of one user, who is drawn zero to a few times: 0 to 0.03
    assert regressions(single, popularity, strict=True) == []
    assert regressions(single, popularity, baseline="popularity") == []
    assert regressions(single, popularity, baseline="popularity", strict=True) == [("dnn-single", "search")]
    empty = [ranked_run(f"{model}-0", {**queries(9, 9), "kiosk": []}, model=model) for model in ("a", "b")]
    assert regressions(*empty) == []
    assert regressions(*empty, strict=True) == [("b", "kiosk")]


@pytest.mark.parametrize(("low", "fails"), [(-0.0049, False), (-0.005, False), (-0.0051, True)])
def test_strict_regressions_allow_a_loss_within_the_margin(runs, low, fails):
    comparison = compare(runs[:4])
    undecided = replace(comparison.differences[0], verdict="not decided", low=low, high=0.02)
    assert replace(comparison, differences=(undecided,)).regressions(strict=True) == [undecided] * fails
    mean = replace(undecided, domain=None)
    assert replace(comparison, differences=(mean,)).regressions(strict=True) == []


def with_lengths(new, known):
    """60 users without history, `new` of them with a hit, and 140 with a history of 4, `known` of them with a hit, in
    feed; 70 of the latter have a miss in search too."""
    lengths = [0] * 60 + [4] * 140
    hits = [user < new for user in range(60)] + [user < known for user in range(140)]
    feed = [(user, HIT if hit else MISS, length) for user, (hit, length) in enumerate(zip(hits, lengths, strict=True))]
    return {"search": [(user, MISS, 4) for user in range(60, 130)], "feed": feed}


def test_slices_are_compared_in_addition_to_all_queries(ranked_run):
    one = ranked_run("a", with_lengths(20, 70))
    other = ranked_run("b", with_lengths(50, 58), model="adi-se")
    comparison = compare([one, other], by=["history_length"])
    none, some = comparison.slices
    assert (str(none), str(some)) == ("history_length 0", "history_length 3–5")
    assert comparison.of("adi-se") == list(compare([one, other]).differences)
    search, feed, mean, over_queries = comparison.of("adi-se", none)
    assert (search.users, search.difference, search.verdict) == (0, None, "not decided")
    assert (feed.users, feed.baseline_value, feed.value) == (60, pytest.approx(1 / 3), pytest.approx(5 / 6))
    for average in (mean, over_queries):
        bounds = (average.difference, average.low, average.high)
        assert (average.users, *bounds) == (60, feed.difference, feed.low, feed.high)
    assert feed.sentence.startswith("adi-se helps in feed at history_length 0 (+0.500, 95 % +")
    assert mean.sentence.startswith("adi-se helps on average at history_length 0 (+0.500")
    assert over_queries.sentence.startswith("adi-se helps on average over all queries at history_length 0 (+0.500")
    search, feed, mean, over_queries = comparison.of("adi-se", some)
    assert [own.users for own in (search, feed, mean, over_queries)] == [70, 140, 140, 140]
    assert feed.difference == pytest.approx(-12 / 140)
    assert mean.difference == pytest.approx(-6 / 140)
    assert over_queries.difference == pytest.approx(-12 / 210)
    assert feed.verdict == "hurts"
    # over all queries the model gains 18 of 200, and the loss shows in the slice alone
    assert comparison.of("adi-se")[1].verdict == "helps"
    assert compare([one, other]).regressions() == []
    assert comparison.regressions() == [feed]
    plain = json.loads(json.dumps(asdict(comparison), allow_nan=False))["differences"]
    assert [own["among"] for own in plain[3:5]] == [None, {"by": "history_length", "label": "0"}]
    assert [own["mean"] for own in plain[:4]] == [None, None, "domains", "queries"]


def test_strict_regressions_leave_out_undecided_slices(ranked_run):
    one, other = (ranked_run(name, with_lengths(30, 70), model=name) for name in ("a", "b"))
    comparison = compare([one, other], by=["history_length", "item_popularity"])
    assert any(own.users == 0 for own in comparison.differences)
    assert comparison.regressions(strict=True) == []


def test_notes_say_what_the_intervals_do_not_cover(runs):
    (note,) = compare(runs).notes
    assert note.startswith("Few seeds of dnn-single (2) and adi-se (2): their spread, and so the width of the interva")
    (note,) = compare([runs[0], runs[2], runs[4]]).notes
    assert note.startswith("Only one seed of dnn-single and adi-se: the intervals cover the variation between users")


def test_the_result_is_plain_and_the_same_again(runs):
    first, second = compare(runs, seed=3), compare(runs, seed=3)
    assert first == second
    assert json.loads(json.dumps(asdict(first), allow_nan=False))["differences"][0]["verdict"] == "helps"
    assert compare(runs, seed=4) != first


def test_a_frame_has_a_row_for_each_difference(runs):
    comparison = compare([runs[0], runs[2]], by=["history_length"])
    frame = comparison.to_frame()
    assert frame.column_names == [
        *("model", "domain", "among", "users", "baseline_value", "value", "difference", "low", "high", "verdict")
    ]
    search = comparison.of("adi-se")[0]
    rows = frame.to_pylist()
    assert [(row["domain"], row["among"]) for row in rows] == [
        (domain, among)
        for among in (None, "history_length 0")
        for domain in ("search", "feed", "mean", "mean over queries")
    ]
    for row, one in zip(rows, comparison.of("adi-se"), strict=False):
        assert (row["model"], row["users"], row["verdict"]) == ("adi-se", one.users, one.verdict)
        assert (row["value"], row["low"], row["high"]) == (one.value, one.low, one.high)
    html = comparison._repr_html_()
    assert html.count("<tr>") == 1 + len(rows)
    assert f"<td>{search.difference:.4f}</td>" in html


def test_a_domain_without_queries_has_nulls_in_the_frame(ranked_run):
    one, other = (ranked_run(model, {**queries(50, 9), "kiosk": []}, model=model) for model in ("a", "b"))
    kiosk = compare([one, other]).to_frame().to_pylist()[2]
    assert (kiosk["domain"], kiosk["users"], kiosk["value"], kiosk["low"]) == ("kiosk", 0, None, None)


def test_a_comparison_is_one_line(runs):
    assert repr(compare([*runs[:4:2], runs[4]])) == (
        "<Comparison of recall@50 on test, baseline dnn-single. adi-se: pooled training helps in search, hurts in "
        "feed; popularity: popularity makes no difference in feed; not decided in search>"
    )


def test_a_metric_of_your_own_is_compared_by_its_name(runs, ranked_run):
    first = Metric("first", lambda ranks, k: (ranks == 0).astype(float))
    comparison = compare([str(run) for run in runs], measure="first@3", metrics=[first])
    assert comparison.measure == "first@3"
    assert comparison.of("adi-se")[0].difference == pytest.approx(0.2)
    with pytest.raises(AdiError, match=r"'fist@3' is not recall@K, ndcg@K, mrr@K or first@K, .* Did you mean 'first'"):
        compare(runs, measure="fist@3", metrics=[first])
    nan = Metric("nan", lambda ranks, k: ranks * float("nan"))
    with pytest.raises(AdiError, match="metric 'nan': is not finite"):
        compare(runs, measure="nan@3", metrics=[nan])
    with pytest.raises(AdiError, match="metrics: 'recall' is the name of one of adi's own metrics"):
        compare(runs, measure="recall@3", metrics=[Metric("recall", first.gain)])
    with pytest.raises(AdiError, match=r"measure: missing\. Name the metric to compare by, as in first@10"):
        compare(runs, metrics=[first])


def test_configurations_of_one_model_are_compared(ranked_run):
    one = ranked_run("one", queries(100, 30), config={"training": {"lr": 0.1}})
    other = ranked_run("other", queries(100, 30), config={"training": {"lr": 0.2}})
    assert list(compare([one, other]).seeds) == ["dnn (training.lr=0.1)", "dnn (training.lr=0.2)"]


def test_runs_of_one_model_are_refused(runs):
    with pytest.raises(AdiError, match="nothing to compare: all runs are of dnn-single"):
        compare(runs[:2])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fingerprint": "beef"}, "fingerprint of the data and its split: beef, but in .*first: f00d"),
        ({"against": "candidates"}, "against: candidates, but in .*first: corpus"),
        ({"history": "all others"}, "history: all others, but in .*first: earlier.* all without"),
        ({"evaluated": {"exclude_seen": True}}, "seen items: left out, but in .*first: left out, but for the query's"),
        ({"evaluated": {"exclude_seen": False}}, "seen items: ranked, but in .*first: left out, but for the query's"),
        ({"evaluated": {"left_out": ["feed"]}}, "domains left out of the mean: feed, but in .*first: none"),
    ],
)
def test_runs_of_other_data_or_another_protocol_are_refused(ranked_run, changes, message):
    first = ranked_run("first", queries(100, 30))
    second = ranked_run("second", queries(100, 30), model="adi-se", **changes)
    with pytest.raises(AdiError, match=f"second: {message}"):
        compare([first, second])


def test_a_run_or_a_seed_given_twice_is_refused(runs, ranked_run):
    with pytest.raises(AdiError, match="adi-0: this run is given twice"):
        compare([runs[0], runs[2], runs[2]])
    copy = ranked_run("copy", queries(140, 24), model="adi-se")
    with pytest.raises(AdiError, match=r"copy: seed 0 of adi-se is given already, as .*adi-0"):
        compare([runs[0], runs[2], copy])


def test_runs_without_ranks_or_metrics_are_refused(runs):
    metrics = runs[2] / "metrics.json"
    text = metrics.read_text()
    metrics.write_text(json.dumps({key: value for key, value in json.loads(text).items() if key != "ranks"}))
    with pytest.raises(AdiError, match=r"written by an adi that kept no ranks\. Run 'adi evaluate .*adi-0' again"):
        compare(runs)
    metrics.write_text(text.replace('"ranks": "', '"ranks": "0'))
    with pytest.raises(AdiError, match=r"adi-0/ranks\.parquet: not the ranks that metrics\.json was made from"):
        compare(runs)
    metrics.unlink()
    with pytest.raises(AdiError, match=r"adi-0/metrics\.json: no such file\. 'adi evaluate .*adi-0' writes it"):
        compare(runs)


def test_ranks_of_other_rows_are_refused(ranked_run):
    first = ranked_run("first", {"search": [(user, HIT) for user in range(9)], "feed": [(1, HIT)]})
    second = ranked_run("second", {"feed": [(1, HIT)], "search": [(user, HIT) for user in range(9)]}, model="b")
    metrics = json.loads((second / "metrics.json").read_text())
    metrics["domains"] = dict(reversed(metrics["domains"].items()))
    (second / "metrics.json").write_text(json.dumps(metrics))
    with pytest.raises(AdiError, match=r"second/ranks\.parquet: other test rows of search than in .*first"):
        compare([first, second])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"measure": "recal@5"}, r"'recal@5' is not recall@K, ndcg@K or mrr@K, .*Did you mean 'recall'\?"),
        ({"measure": "coverage@5"}, "'coverage@5' is not recall@K, ndcg@K or mrr@K"),
        ({"measure": "recall@0"}, "'recall@0' is not .* with K from 1 on"),
        ({"measure": "recall"}, "'recall' is not"),
        ({"margin": -0.1}, "margin: -0.1; give a difference of the measure from 0"),
        ({"margin": float("nan")}, "margin: nan"),
        ({"replicates": 99}, "replicates: 99; a 95 % interval takes 100 or more"),
        ({"seed": -1}, "seed: -1; give a whole number from 0 on"),
        (
            {"by": ["item_popularity", "age"]},
            "by: 'age' is not one of history_length, history_in_domain, item_popularity, item_in_history",
        ),
    ],
)
def test_bad_numbers_are_refused(runs, options, message):
    with pytest.raises(AdiError, match=message):
        compare(runs, **options)
