"""A simulated experiment: the arms' candidates, the logs, and an analysis that reads them as any others."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adi.abtest.analysis import analyze
from adi.abtest.clicks import ClickColumns
from adi.abtest.result import AbTest
from adi.bundle.manifest import DATA
from adi.data.manifest import read_manifest
from adi.errors import AdiError
from adi.online.arms import BundleArm, Moment, OracleArm, RandomArm
from adi.online.settings import Online
from adi.online.simulate import rates_of, simulate_experiment
from adi.online.world import World
from adi.serving.experiment import load_experiment
from adi.serving.exposures import SCHEMA
from adi.steps.retrain import retrain
from small import SMALL

QUICK = Online(days=2, requests=2000, candidates=20)
CHARGE = ClickColumns(charge="charge")


def moment_of(live_world: World, users: list[int], domains: list[int], **more: Any) -> Moment:
    user, domain = np.array(users), np.array(domains)
    values = {"recent": {}, "is_live": np.ones(200, dtype=bool), "seen": live_world.seen} | more
    return Moment(user=user, domain=domain, hour=np.full(len(user), 12), **values)


class Simulated:
    """The folder of a simulation and its summary."""

    def __init__(self, folder: Path, summary: dict[str, Any]) -> None:
        self.folder, self.summary = folder, summary

    def table(self, kind: str) -> pa.Table:
        return pq.read_table(self.folder / kind)

    def analysed(self) -> AbTest:
        return analyze(
            self.folder / "exposures",
            self.folder / "clicks",
            columns=CHARGE,
            shares=load_experiment(self.folder / "experiment.yaml").shares,
        )


@pytest.fixture(scope="module")
def simulated(live_market: Path, live_experiment: Path, tmp_path_factory: pytest.TempPathFactory) -> Simulated:
    out = tmp_path_factory.mktemp("simulated") / "live"
    return Simulated(
        out, simulate_experiment(live_market, live_experiment, out, QUICK, bounds=True, jobs=1, progress=False)
    )


def test_the_oracle_has_the_live_items_of_the_highest_value_that_are_not_seen(live_world: World) -> None:
    is_live = np.random.default_rng(0).random(200) < 0.7
    moment = moment_of(live_world, [3, 9], [0, 2], is_live=is_live)
    items, _ = OracleArm(live_world, 5).candidates(moment)
    for row, (user, domain) in enumerate(((3, 0), (9, 2))):
        attraction = live_world.attractions(np.array([domain]), np.array([user]), np.arange(200)[None])[0]
        seen = np.isin(user * 200 + np.arange(200), live_world.seen)
        value = np.where(is_live & ~seen, attraction * live_world.bid[domain], 0.0)
        assert items[row].tolist() == np.argsort(-value)[:5].tolist()


def test_the_random_arm_has_items_of_the_domain_each_once(live_world: World) -> None:
    arm = RandomArm(live_world, 30, np.random.default_rng(0))
    items, _ = arm.candidates(moment_of(live_world, [1] * 50, [0, 1] * 25))
    for row, domain in zip(items, [0, 1] * 25, strict=True):
        kept = row[row >= 0]
        assert len(set(kept.tolist())) == len(kept)
        assert (row[: len(kept)] >= 0).all()
        assert live_world.truth.eligible[kept, domain].all()


def test_a_bundle_answers_as_its_server_does_over_http(live_world: World, live_bundle: Path, serving: Any) -> None:
    """Known users, one of whom has clicked since the start."""
    recent = {9: [("7", "search"), ("8", "feed")]}
    items, scores = BundleArm(live_bundle, live_world, 6).candidates(
        moment_of(live_world, [3, 9, 9], [0, 0, 1], recent=recent)
    )
    server = serving(live_bundle)
    events = [{"item": item, "domain": domain} for item, domain in recent[9]]
    assert server.ask("/v1/events", {"user": "10", "events": events}).status == 204
    requests = [
        {"user": str(user + 1), "domains": [domain], "k": 6, "context": {"hour": "12"}}
        for user, domain in ((3, "search"), (9, "search"), (9, "feed"))
    ]
    reply = server.ask("/v1/retrieve", {"requests": requests})
    assert reply.status == 200, reply.body
    for row, result in enumerate(reply.body["results"]):
        ((_, ranked),) = result["domains"].items()
        assert [str(item + 1) for item in items[row]] == ranked["items"]
        np.testing.assert_allclose(scores[row], ranked["scores"], rtol=1e-5)


def test_exposures_have_the_servers_format_and_the_users_of_their_arms(simulated: Simulated) -> None:
    exposures = simulated.table("exposures")
    assert exposures.schema.equals(SCHEMA)
    live_experiment = load_experiment(simulated.folder / "experiment.yaml")
    rows = exposures.to_pylist()
    assert {row["arm"] for row in rows} == {"control", "treatment", "oracle", "random"}
    assert all(live_experiment.arm_of(row["user"]) == row["arm"] for row in rows)
    assert {row["assignment"] for row in rows} == {"hash"}
    assert all(0 < len(row["items"]) <= 20 == row["k"] and len(row["scores"]) == len(row["items"]) for row in rows)


def test_an_analysis_reads_the_logs_and_has_the_sums_of_the_simulation(simulated: Simulated) -> None:
    test = simulated.analysed()
    assert (test.faults, test.doubts) == ((), ())
    for name, arm in test.arms.items():
        counts = simulated.summary["arms"][name]
        assert (arm.exposures, arm.clicks) == (counts["requests"], counts["clicks"])
        assert arm.charge == pytest.approx(counts["revenue"])
    assert json.loads((simulated.folder / "simulation.json").read_text()) == simulated.summary


def test_the_bundle_is_between_the_bounds(simulated: Simulated) -> None:
    rpm = {name: rates["rpm"] for name, rates in rates_of(simulated.summary).items()}
    assert rpm["oracle"] > max(rpm["control"], rpm["treatment"])
    assert min(rpm["control"], rpm["treatment"]) > rpm["random"]


def test_nobody_clicks_an_item_twice_and_charges_are_below_bids(simulated: Simulated, live_world: World) -> None:
    clicks = simulated.table("clicks").to_pylist()
    keys = [(int(row["user"]) - 1) * 200 + int(row["item"]) - 1 for row in clicks]
    assert len(set(keys)) == len(keys) > 50
    assert not np.isin(keys, live_world.seen).any()
    names = live_world.settings.domain_names
    bids = [live_world.bid[names.index(row["domain"]), int(row["item"]) - 1] for row in clicks]
    assert all(0.0 < row["charge"] <= bid for row, bid in zip(clicks, bids, strict=True))


def test_an_advertiser_whose_budget_is_spent_is_shown_no_more(
    live_market: Path, live_experiment: Path, tmp_path: Path, live_world: World
) -> None:
    """With next to no budget each advertiser of an arm has the clicks of one batch of requests, and then none."""
    rich = simulate_experiment(live_market, live_experiment, tmp_path / "rich", QUICK, jobs=1, progress=False)
    poor = replace(QUICK, budgets=1e-6)
    summary = simulate_experiment(live_market, live_experiment, tmp_path / "poor", poor, jobs=1, progress=False)
    for name in ("control", "treatment"):
        assert summary["arms"][name]["exhausted"] > 0.1
        assert rich["arms"][name]["exhausted"] < summary["arms"][name]["exhausted"]
        assert rich["arms"][name]["revenue"] > summary["arms"][name]["revenue"]


def test_the_same_seed_gives_the_same_logs_in_any_number_of_processes(
    live_market: Path, live_experiment: Path, simulated: Simulated, tmp_path: Path
) -> None:
    two = simulate_experiment(
        live_market, live_experiment, tmp_path / "two", QUICK, bounds=True, jobs=2, progress=False
    )
    again = Simulated(tmp_path / "two", two)
    for kind in ("exposures", "clicks"):
        assert again.table(kind).equals(simulated.table(kind))
    other = replace(QUICK, seed=1)
    third = Simulated(
        tmp_path, simulate_experiment(live_market, live_experiment, tmp_path / "1", other, jobs=1, progress=False)
    )
    assert third.summary["arms"]["control"]["clicks"] != two["arms"]["control"]["clicks"]


def test_a_planted_uplift_is_in_the_clicks(live_market: Path, live_experiment: Path, tmp_path: Path) -> None:
    """Twice the probability brings fewer than twice the clicks: budgets end, and nobody clicks an item twice."""
    clicks = {arm: np.zeros(2) for arm in ("control", "treatment")}
    for seed in range(3):  # the clicks of one are few
        for column, planted in enumerate(({}, {"treatment": 1.0})):
            online = replace(QUICK, seed=seed, planted=planted)
            out = tmp_path / f"{seed}-{column}"
            summary = simulate_experiment(live_market, live_experiment, out, online, jobs=1, progress=False)
            for arm, counts in clicks.items():
                counts[column] += summary["arms"][arm]["clicks"]
    assert clicks["control"][1] == clicks["control"][0]
    assert clicks["treatment"][1] > 1.4 * clicks["treatment"][0]


def test_arms_learn_from_their_own_clicks_of_the_days_before(
    live_market: Path, live_experiment: Path, tmp_path: Path
) -> None:
    """Each day has another bundle for each arm, whose data has the arm's clicks of the days before."""
    settings = dict(SMALL) | {"epochs": 1, "batch_size": 64}
    days = Online(days=2, requests=600, candidates=20)
    simulate_experiment(
        live_market,
        live_experiment,
        tmp_path / "a",
        days,
        retrain=partial(checked_retrain, model="dnn", settings=settings, notes=tmp_path / "notes"),
        jobs=1,
        progress=False,
    )
    exposures = pq.read_table(tmp_path / "a" / "exposures").to_pylist()
    versions = {(row["arm"], row["time"].day, row["version"]) for row in exposures}
    assert len({version for _, day, version in versions if day == 4}) == 1
    assert len({version for _, day, version in versions if day == 5}) == 2
    clicks = {
        arm: pq.read_table(tmp_path / "a" / "clicks" / f"{arm}-day-000.parquet") for arm in ("control", "treatment")
    }
    assert (tmp_path / "notes").read_text().split() == [str(4000 + table.num_rows) for table in clicks.values()]


def checked_retrain(tables: Path, bundle: Path, *, notes: Path, **options: Any) -> None:
    """Retrain, and write down how many rows the log has."""
    retrain(tables, bundle, **options)
    with notes.open("a") as file:
        file.write(f"{read_manifest(bundle / DATA).rows.read}\n")


def test_experiments_that_are_refused(live_market: Path, live_experiment: Path, tmp_path: Path) -> None:
    with pytest.raises(AdiError, match=r"planted: 'treatmen' is not one of .*Did you mean 'treatment'\?"):
        simulate_experiment(live_market, live_experiment, tmp_path / "a", replace(QUICK, planted={"treatmen": 0.1}))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("")
    with pytest.raises(AdiError, match=r"out: .*is not empty"):
        simulate_experiment(live_market, live_experiment, tmp_path / "full", QUICK)
    named = live_experiment.with_name("oracle.yaml")
    named.write_text(live_experiment.read_text().replace("treatment", "oracle"))
    with pytest.raises(AdiError, match="bounds: the experiment has an arm 'oracle' already"):
        simulate_experiment(live_market, named, tmp_path / "a", QUICK, bounds=True)
    assert not (tmp_path / "a").exists()


def test_a_bundle_without_a_domain_of_the_market_is_refused(
    live_world: World, live_bundle: Path, tmp_path: Path
) -> None:
    renamed = replace(live_world, truth=replace(live_world.truth, settings=replace(live_world.settings, domains=4)))
    with pytest.raises(AdiError, match="lacks domain 'd1' of the marketplace"):
        BundleArm(live_bundle, renamed, 5)
