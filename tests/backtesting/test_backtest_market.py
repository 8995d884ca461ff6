"""A walk forward over a simulated marketplace with trends equals what is prepared, trained and evaluated by hand."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from adi.backtesting.backtest import backtest
from adi.backtesting.result import Backtest
from adi.marketplace.simulation import Marketplace, simulate
from adi.preparation.prepare import prepare
from adi.training.evaluation import evaluate_run
from adi.training.train import train

START, MIDDLE, END = "2024-01-03T12:00:00", "2024-01-03T16:00:00", "2024-01-03T20:00:00"
SETTINGS = {
    "epochs": 1,
    "batch_size": 256,
    "embedding_sets": 1,
    "embedding_dim": 4,
    "dim": 4,
    "uniform": 20,
    "networks": [8],
}


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tables = tmp_path_factory.mktemp("market") / "tables"
    simulate(tables, Marketplace(users=120, items=80, interactions=1500, trends=0.6), progress=False)
    split_schema(tables, trend={"half_lives": ["1h", "6h"], "delay": "1m"}, corpus="all")
    return tables


def split_schema(tables: Path, **changes: Any) -> Path:
    content = yaml.safe_load((tables / "schema.yaml").read_text())
    (tables / "schema.yaml").write_text(yaml.safe_dump(content | changes))
    return tables


@pytest.fixture(scope="module")
def walked(market: Path) -> Backtest:
    return backtest(
        market,
        market.parent / "out",
        models=["popularity", "dnn"],
        every="4h",
        windows=2,
        until=END,
        settings={"popularity.half_life": "1h", **SETTINGS},
        seed=3,
    )


@pytest.mark.parametrize(("model", "settings"), [("popularity", {"half_life": "1h"}), ("dnn", SETTINGS)])
def test_the_last_window_is_what_evaluate_says(
    market: Path, walked: Backtest, tmp_path: Path, model: str, settings: dict[str, Any]
) -> None:
    split_schema(market, split={"kind": "time", "at": MIDDLE, "until": END})
    prepare(market, tmp_path / "prepared", progress=False)
    train(tmp_path / "prepared", model, tmp_path / "run", settings=settings, seed=3)
    metrics = evaluate_run(tmp_path / "run", progress=False)
    (retrained,) = [s for s in walked.scores if (s.model, s.way, s.window) == (model, "retrained", 2)]
    assert metrics.live is not None
    assert retrained.domains == metrics.live.domains


def test_what_each_way_knows_grows(walked: Backtest) -> None:
    assert walked.windows[0].start == START.replace("T", " ")[:-3]
    for model in ("popularity", "dnn"):
        values = {(way, w): walked.value(model, way, w) for way in ("frozen", "live", "retrained") for w in (1, 2)}
        assert values["live", 1] == values["retrained", 1]
        assert values["live", 2] != values["frozen", 2]
        assert None not in values.values()
