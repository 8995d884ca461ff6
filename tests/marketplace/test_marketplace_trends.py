"""The log of a marketplace with trends: when clicks happen, and on which items."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from adi.data.dataset import Dataset
from adi.marketplace import users
from adi.marketplace.attention import load_attention
from adi.marketplace.clock import DAY, FIRST_DAY, HOUR, HOURLY_RATES
from adi.marketplace.simulation import Marketplace, simulate
from adi.marketplace.truth import load_truth
from adi.preparation.prepare import prepare
from adi.schema import load_schema

TRENDING = Marketplace(users=3000, items=800, interactions=45_000, seed=4, trends=0.5)


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("trending") / "market"
    simulate(out, TRENDING)
    return out


class Log:
    """The log as index arrays: user, item and domain counted from 0, and time in microseconds since the first day."""

    def __init__(self, folder: Path) -> None:
        table = pq.read_table(folder / "interactions")
        truth = load_truth(folder / "truth")
        names = np.array(truth.settings.domain_names)
        self.attention = load_attention(folder / "truth", truth)
        self.user, self.item = (table[name].to_numpy() - 1 for name in ("user_id", "item_id"))
        self.domain = (table["domain"].to_numpy(zero_copy_only=False)[:, None] == names).argmax(axis=1)
        self.time = table["ts"].to_numpy().astype("datetime64[us]").astype(np.int64) - FIRST_DAY
        self.hour = table["hour"].to_numpy()


def digests(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_same_seed_same_bytes(market: Path, tmp_path: Path) -> None:
    simulate(tmp_path / "again", TRENDING)
    assert digests(tmp_path / "again") == digests(market)
    simulate(tmp_path / "other", replace(TRENDING, seed=5))
    assert digests(tmp_path / "other")["truth/attention.parquet"] != digests(market)["truth/attention.parquet"]


def test_without_trends_the_log_is_the_one_it_has_always_been(tmp_path: Path) -> None:
    """Published tables rest on it. The digest was made before there were trends."""
    simulate(tmp_path / "off", replace(TRENDING, trends=0.0))
    log = Log(tmp_path / "off")
    content = np.stack([log.user, log.item, log.domain, FIRST_DAY + log.time]).astype("<i8").tobytes()
    assert hashlib.blake2b(content, digest_size=16).hexdigest() == "0622c12961bff96827eb3404f489df4d"
    assert not (tmp_path / "off" / "truth" / "attention.parquet").exists()
    assert load_schema(tmp_path / "off").split.kind == "last"


def test_trends_leave_users_and_interests_as_they_are(market: Path, tmp_path: Path) -> None:
    simulate(tmp_path / "off", replace(TRENDING, trends=0.0))
    before, after = digests(tmp_path / "off"), digests(market)
    changed = {name for name in after if before.get(name) != after[name]}
    assert changed == {
        "interactions/part-00000.parquet",
        "item_domain.parquet",  # statistics of an earlier period, of which new items have none
        "schema.yaml",
        "truth/attention.parquet",
        "truth/settings.json",
    }


def test_blocks_of_users_share_one_attention(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(users, "ROWS_PER_BLOCK", 2000)
    settings = Marketplace(users=700, items=400, interactions=9000, domains=5, seed=1, trends=0.6, days=1)
    simulate(tmp_path / "out", settings)
    log = Log(tmp_path / "out")
    assert np.bincount(log.domain).tolist() == settings.domain_sizes.tolist()
    assert (log.attention.of(log.item, log.domain, log.attention.step(log.time)) > 0).all()


# --- hours


def test_clicks_keep_to_the_rates_of_the_hours(market: Path) -> None:
    log = Log(market)
    assert (log.time // HOUR % 24 == log.hour).all()
    assert np.bincount(log.time // DAY) / len(log.time) == pytest.approx([1 / 3] * 3, abs=0.02)
    share = np.bincount(log.hour, minlength=24) / len(log.hour)
    # Peaks of groups are random and visits last 20 minutes, so that the rates hold roughly.
    assert share == pytest.approx(HOURLY_RATES / HOURLY_RATES.sum(), abs=0.015)
    assert share[2:6].max() < 0.25 * share[20:22].min()


# --- items


def test_no_click_comes_before_its_item(market: Path) -> None:
    log = Log(market)
    step = log.attention.step(log.time)
    is_new = log.attention.is_new[log.item]
    assert 0.3 < is_new.mean() < 0.6
    age = step - log.attention.start[log.item, log.domain]
    assert age[is_new].min() == 0  # some are clicked as soon as they are there
    day = log.attention.start[log.attention.is_new].max(axis=1) // 144
    assert np.bincount(day) / len(day) == pytest.approx([1 / 3] * 3, abs=0.06)


def test_new_items_fade_within_hours_in_feed_and_slowly_in_cart(market: Path) -> None:
    log = Log(market)
    median_age = {}
    for d, name in enumerate(TRENDING.domain_names):
        # items of the first day, so that two days are left to fade in
        rows = (log.domain == d) & log.attention.is_new[log.item] & (log.attention.start[log.item, log.domain] < 144)
        age = (log.attention.step(log.time) - log.attention.start[log.item, log.domain])[rows] / 6
        median_age[name] = np.median(age)
    assert median_age["feed"] < 6 < median_age["search"] < 20 < median_age["cart"]


def test_a_burst_is_in_one_domain_and_passes(market: Path) -> None:
    log = Log(market)
    bursts = (log.attention.peak > 0) & ~log.attention.is_new[:, None]
    in_burst = bursts[log.item, log.domain]
    age = (log.attention.step(log.time) - log.attention.start[log.item, log.domain]) / 6
    half_life = log.attention.half_life[log.item, log.domain]
    during = in_burst & (age >= 0) & (age < 2 * half_life)
    # The rate of clicks on an item, during its bursts and before them, in hours at which both are possible.
    before = in_burst & (age < 0)
    cells = np.nonzero(bursts)
    start = log.attention.start[cells] / 6
    hours_during = np.minimum(2 * log.attention.half_life[cells], 72 - start).sum()
    assert during.sum() / hours_during > 10 * before.sum() / start.sum()


def test_new_items_have_no_past(market: Path) -> None:
    log = Log(market)
    table = pq.read_table(market / "item_domain.parquet")
    is_new = log.attention.is_new[table["item_id"].to_numpy() - 1]
    for column in ("past_impressions", "past_clicks"):
        values = table[column].to_numpy()
        assert (values[is_new] == 0).all()
        assert values[~is_new].mean() > 1
    assert table["past_ctr"].to_numpy()[is_new] == pytest.approx(0.03)


# --- the split


def test_the_test_is_the_last_evening(market: Path, tmp_path: Path) -> None:
    assert load_schema(market).split.kind == "time"
    prepare(market, tmp_path / "prepared")
    dataset = Dataset(tmp_path / "prepared")
    train, test = (np.load(dataset.folder / part / "time.npy") for part in ("interactions", "test"))
    cut = FIRST_DAY + 2 * DAY + 16 * HOUR
    assert train.max() < cut <= test.min()
    assert 0.1 < len(test) / TRENDING.interactions < 0.25
    assert all(np.bincount(dataset.targets("test", dataset.rows("test"))[2]) > 300)
