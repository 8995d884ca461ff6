"""Bid weights of arms: the candidates and the logs of a bundle that ranks with bids, and what is refused."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from adi.bundle.manifest import read_bundle_info
from adi.errors import AdiError
from adi.online.arms import BundleArm, Moment, middle_weights
from adi.online.settings import Online
from adi.online.simulate import simulate_experiment
from adi.online.world import World
from adi.retrieval.retriever import Retriever

WEIGHTED = Online(days=1, requests=600, candidates=20, bid_weights={"treatment": 1000.0})


def middle_in(bundle: Path) -> dict[str, float]:
    """The middle bid weight of each domain, from the bundle's manifest."""
    weights = {}
    for name, domain in read_bundle_info(bundle).domains.items():
        assert domain.bids is not None
        weights[name] = domain.bids.weights[1]
    return weights


def test_candidates_are_those_of_a_request_with_the_weight(live_world: World, live_bundle: Path) -> None:
    user, domain = np.array([3, 9, 9]), np.array([0, 0, 1])
    moment = Moment(
        user=user,
        domain=domain,
        hour=np.full(3, 12),
        recent={},
        is_live=np.ones(200, dtype=bool),
        seen=live_world.seen,
    )
    items, scores = BundleArm(live_bundle, live_world, 6, 2.0).candidates(moment)
    names, retriever = live_world.settings.domain_names, Retriever(live_bundle)
    for row, (who, number) in enumerate(zip(user.tolist(), domain.tolist(), strict=True)):
        weight = 2.0 * middle_in(live_bundle)[names[number]]
        top = retriever.retrieve(names[number], user=str(who + 1), context={"hour": "12"}, k=6, bid_weight=weight)
        assert [str(item + 1) for item in items[row]] == list(top.ids)
        np.testing.assert_allclose(scores[row], top.scores, rtol=1e-6)


def test_an_arm_with_a_weight_has_dearer_candidates_and_logs_the_weight_of_each_domain(
    live_market: Path, live_world: World, live_experiment: Path, live_bundle: Path, tmp_path: Path
) -> None:
    simulate_experiment(live_market, live_experiment, tmp_path / "live", WEIGHTED, jobs=1, progress=False)
    rows = pq.read_table(tmp_path / "live" / "exposures").to_pylist()
    middle, names = middle_in(live_bundle), list(live_world.settings.domain_names)
    assert len(set(middle.values())) == len(names)
    bids: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        factor = 1000.0 if row["arm"] == "treatment" else 0.0
        assert row["bid_weight"] == pytest.approx(factor * middle[row["domain"]])
        number = names.index(row["domain"])
        bids.setdefault((row["arm"], row["domain"]), []).extend(
            float(live_world.bid[number, int(item) - 1]) for item in row["items"]
        )
    for name in names:
        assert np.mean(bids["treatment", name]) > 1.2 * np.mean(bids["control", name])


def test_a_bundle_without_bids_is_refused() -> None:
    about = {"indexes": {"search": {"bids": {"weights": (1, 2, 3)}}, "feed": {"bids": None}}}
    retriever: Any = SimpleNamespace(engine=SimpleNamespace(about=lambda: about))
    assert middle_weights(retriever, ["search"], Path("bundle")).tolist() == [2]
    with pytest.raises(AdiError, match=r"^bundle: has no bids\. Export its run with --bid"):
        middle_weights(retriever, ["search", "feed"], Path("bundle"))


@pytest.mark.parametrize(
    ("weights", "options", "words"),
    [
        ({"treatmen": 1.0}, {}, r"bid_weights: 'treatmen' is not one of control, treatment\. Did you mean"),
        ({"oracle": 1.0}, {"bounds": True}, r"bid_weights: 'oracle' is not one of control, treatment\."),
        ({"control": 1.0}, {"retrain": print}, "bid_weights: the bundles that are trained anew have no bids"),
    ],
)
def test_weights_that_are_refused(
    live_market: Path, live_experiment: Path, tmp_path: Path, weights: Any, options: Any, words: str
) -> None:
    online = replace(WEIGHTED, bid_weights=weights)
    with pytest.raises(AdiError, match=words):
        simulate_experiment(live_market, live_experiment, tmp_path / "a", online, jobs=1, **options)
    assert not (tmp_path / "a").exists()
