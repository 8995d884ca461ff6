import hashlib
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import scipy.sparse

from adi.errors import AdiError
from adi.marketplace import simulation, users
from adi.marketplace.simulation import Marketplace, simulate
from adi.marketplace.truth import draw_truth, load_truth
from adi.schema import Schema, Sourced, load_schema

SMALL = Marketplace(users=3000, items=800, interactions=45_000, seed=4)


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("marketplace") / "market"
    simulate(out, SMALL)
    return out


class Log:
    """The log as index arrays: user, item and domain counted from 0, time in microseconds."""

    def __init__(self, folder: Path) -> None:
        table = pq.read_table(folder / "interactions")
        truth = load_truth(folder / "truth")
        self.user = table["user_id"].to_numpy() - 1
        self.item = table["item_id"].to_numpy() - 1
        names = np.array(truth.settings.domain_names)
        self.domain = (table["domain"].to_numpy(zero_copy_only=False)[:, None] == names).argmax(axis=1)
        self.time = table["ts"].to_numpy().astype("datetime64[us]")
        self.hour = table["hour"].to_numpy()


def hashes(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def users_of(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    table = pq.read_table(folder / "truth" / "users.parquet")
    return np.column_stack([table["main_group"], table["side_group"]]), table["main_share"].to_numpy()


def test_a_domain_with_more_users_than_clicks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        AdiError, match=r"^interactions: domain 'feed' would have 312 clicks for (\d+) users\. Give (\d+) or"
    ) as error:
        simulate(tmp_path / "out", Marketplace(users=1000, interactions=4000))  # 4000 x 167/2142 = 311.9
    assert list(tmp_path.iterdir()) == []
    needed = int(str(error.value).split("Give ")[1].split()[0])
    simulate(tmp_path / "out", Marketplace(users=1000, interactions=needed))


def test_users_with_too_few_items_are_refused(tmp_path: Path) -> None:
    with pytest.raises(AdiError, match=r"domain 'search' would have \d+ clicks for each user, of \d+ items"):
        simulate(tmp_path / "out", Marketplace(users=100, items=60, interactions=5000))
    assert list(tmp_path.iterdir()) == []


# --- the folder


def test_same_seed_same_bytes(market: Path, tmp_path: Path) -> None:
    simulate(tmp_path / "again", SMALL)
    assert hashes(tmp_path / "again") == hashes(market)
    assert len(hashes(market)) == 13


def test_another_seed_gives_another_log(market: Path, tmp_path: Path) -> None:
    simulate(tmp_path / "other", Marketplace(users=3000, items=800, interactions=45_000, seed=5))
    old, new = hashes(market), hashes(tmp_path / "other")
    same = {name for name in old if old[name] == new[name]}
    assert same == {"schema.yaml"}


def test_schema_is_valid_and_every_column_is_there(market: Path) -> None:
    schema = load_schema(market / "schema.yaml")
    tables = {name: pq.read_table(market / table.path) for name, table in schema.tables.items()}
    log = pq.read_table(market / "interactions")
    assert {"user_id", "item_id", "domain", "ts"} <= set(log.column_names)
    used: dict[str | None, set[str]] = {}
    for feature in (*schema.features.user, *schema.features.item, *schema.features.context):
        if isinstance(feature, Sourced):
            table = log if feature.table is None else tables[feature.table]
            assert table[feature.source_column].null_count == 0
            assert pc.count_distinct(table[feature.source_column]).as_py() > 1 if feature.kind != "multi" else True
            used.setdefault(feature.table, set()).add(feature.source_column)
    # and every column that is not a key is a feature
    for name, table in tables.items():
        assert used[name] == set(table.column_names) - set(schema.tables[name].key)
    assert used[None] == {"hour"}


def test_keys_of_the_tables_are_unique(market: Path) -> None:
    schema: Schema = load_schema(market / "schema.yaml")
    for table in schema.tables.values():
        content = pq.read_table(market / table.path, columns=list(table.key))
        assert content.group_by(list(table.key)).aggregate([]).num_rows == content.num_rows


def test_an_existing_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_text("mine")
    with pytest.raises(AdiError, match=r"exists and is not empty"):
        simulate(tmp_path, SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]


def test_an_interruption_leaves_nothing(tmp_path: Path) -> None:
    def interrupt(stage: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(tmp_path / "out", SMALL, interrupt)
    assert list(tmp_path.iterdir()) == []


def test_many_blocks_and_parts_lose_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(users, "ROWS_PER_BLOCK", 2000)
    monkeypatch.setattr(simulation, "ROW_GROUPS_PER_PART", 3)
    settings = Marketplace(users=700, items=400, interactions=9000, domains=5, seed=1)
    calls: list[tuple[int, int]] = []
    simulate(tmp_path / "out", settings, lambda stage, done, total: calls.append((done, total)))
    # 700 x 2000 / 9000 = 155 users in a block: five blocks
    assert len(calls) == 5
    assert calls == sorted(calls)
    assert calls[-1] == (9000, 9000)
    parts = sorted(path.name for path in (tmp_path / "out" / "interactions").iterdir())
    assert parts == ["part-00000.parquet", "part-00001.parquet"]
    assert pq.ParquetFile(tmp_path / "out" / "interactions" / parts[0]).num_row_groups == 3
    log = Log(tmp_path / "out")
    assert np.bincount(log.domain).tolist() == settings.domain_sizes.tolist()
    assert np.unique(log.user).tolist() == list(range(700))
    for table in ("users.parquet", "truth/users.parquet"):
        assert pq.read_table(tmp_path / "out" / table)["user_id"].to_pylist() == list(range(1, 701))


def test_one_domain(tmp_path: Path) -> None:
    simulate(tmp_path / "out", Marketplace(users=50, items=300, interactions=500, domains=1, days=1))
    assert load_schema(tmp_path / "out").domains.values == ("d1",)
    assert pq.read_table(tmp_path / "out" / "item_domain.parquet").num_rows == 300
    assert pq.read_table(tmp_path / "out" / "interactions").num_rows == 500


# --- the log


def test_domains_have_their_sizes(market: Path) -> None:
    domains = pq.read_table(market / "truth" / "domains.parquet").to_pydict()
    written = np.bincount(Log(market).domain)
    assert domains["interactions"] == written.tolist()
    assert (written + domains["given_up"]).tolist() == SMALL.domain_sizes.tolist()
    assert sum(domains["given_up"]) == 0


def test_overlap_in_the_log_is_near_the_paper_s(market: Path) -> None:
    log, truth = Log(market), load_truth(market / "truth")
    active = np.zeros((SMALL.users, SMALL.domains), dtype=bool)
    active[log.user, log.domain] = True
    assert active.any(axis=1).all()
    assert (active.sum(axis=1) > 1).mean() == pytest.approx(0.49, abs=0.03)
    assert (truth.eligible.sum(axis=1) > 1).mean() == pytest.approx(0.79, abs=0.04)
    clicked = np.zeros((SMALL.items, SMALL.domains), dtype=bool)
    clicked[log.item, log.domain] = True
    # Less than 79 %: the least popular items of the small domain are never clicked there
    assert (clicked.sum(axis=1) > 1).sum() / clicked.any(axis=1).sum() == pytest.approx(0.79, abs=0.08)
    pairs = pq.read_table(market / "user_domain.parquet")
    assert pairs.num_rows == active.sum()


def test_small_domains_have_fewer_users_and_fewer_clicks_of_each(market: Path) -> None:
    log = Log(market)
    users = np.array([len(np.unique(log.user[log.domain == d])) for d in range(3)])
    clicks = np.bincount(log.domain) / users
    assert np.argsort(users).tolist() == [1, 2, 0]
    assert np.argsort(clicks).tolist() == [1, 2, 0]


def test_clicks_are_on_eligible_items_and_never_twice(market: Path) -> None:
    log, truth = Log(market), load_truth(market / "truth")
    assert truth.eligible[log.item, log.domain].all()
    assert len(np.unique(log.user * SMALL.items + log.item)) == len(log.user)


def test_clicks_spread_over_the_days_and_know_their_hour(market: Path) -> None:
    log = Log(market)
    days, counts = np.unique(log.time.astype("datetime64[D]"), return_counts=True)
    assert days.astype(str).tolist() == ["2024-01-01", "2024-01-02", "2024-01-03"]
    assert counts / len(log.time) == pytest.approx([1 / 3] * 3, abs=0.02)
    hour = (log.time - log.time.astype("datetime64[D]")) // np.timedelta64(1, "h")
    assert (hour == log.hour).all()


def test_clicks_of_a_visit_are_alike(market: Path) -> None:
    """Of a user's neighbouring clicks, those within the same 20 minutes agree on the category more often."""
    log, truth = Log(market), load_truth(market / "truth")
    order = np.lexsort((log.time, log.user))
    user, time, category = log.user[order], log.time[order], truth.item_cluster[log.item[order]] // 8
    same_user, gap = user[1:] == user[:-1], time[1:] - time[:-1]
    alike = category[1:] == category[:-1]
    near, far = same_user & (gap < np.timedelta64(20, "m")), same_user & (gap > np.timedelta64(2, "h"))
    assert alike[near].mean() > 1.15 * alike[far].mean()


# --- the truth


def test_truth_is_read_back_as_drawn(market: Path) -> None:
    groups, main_share = users_of(market)
    drawn, read = draw_truth(SMALL), load_truth(market / "truth")
    for domain in SMALL.domain_names:
        expected = drawn.scores(groups[:7], main_share[:7], domain)
        np.testing.assert_array_equal(read.scores(groups[:7], main_share[:7], domain), expected)


# --- features


def test_statistics_do_not_depend_on_the_log(market: Path, tmp_path: Path) -> None:
    """Nothing leaks: a log of other days and another size leaves every item statistic as it was."""
    simulate(tmp_path / "days", Marketplace(users=3000, items=800, interactions=45_000, seed=4, days=5))
    simulate(tmp_path / "size", Marketplace(users=3000, items=800, interactions=60_000, seed=4))
    first, days, size = hashes(market), hashes(tmp_path / "days"), hashes(tmp_path / "size")
    for table in ("items.parquet", "item_domain.parquet", "users.parquet", "user_domain.parquet"):
        assert days[table] == first[table]
    assert size["item_domain.parquet"] == first["item_domain.parquet"]
    assert days["interactions/part-00000.parquet"] != first["interactions/part-00000.parquet"]


def test_bid_and_ctr_tell_of_the_item_in_its_domain(market: Path) -> None:
    shown = pq.read_table(market / "item_domain.parquet")
    true = pq.read_table(market / "truth" / "item_domain.parquet")
    assert shown.select(["item_id", "domain"]).equals(true.select(["item_id", "domain"]))
    for domain in SMALL.domain_names:
        here = (shown["domain"].to_numpy(zero_copy_only=False) == domain).nonzero()[0]
        bid, bid_truth = shown["bid"].to_numpy()[here], true["bid"].to_numpy()[here]
        assert np.corrcoef(np.log(bid), bid_truth)[0, 1] > 0.99
        ctr, quality = shown["past_ctr"].to_numpy()[here], true["quality"].to_numpy()[here]
        assert 0.3 < np.corrcoef(np.log(ctr), quality)[0, 1] < 0.95


def test_profiles_tell_of_interest_as_far_as_asked(tmp_path: Path) -> None:
    def share_explained(profile_strength: float) -> float:
        out = tmp_path / str(profile_strength)
        simulate(
            out, Marketplace(users=2000, items=200, interactions=12_000, groups=10, profile_strength=profile_strength)
        )
        main = users_of(out)[0][:, 0]
        age = pq.read_table(out / "users.parquet")["age_band"].to_numpy(zero_copy_only=False)
        kinds, code = np.unique(age, return_inverse=True)
        table = np.zeros((10, len(kinds)))
        np.add.at(table, (main, code), 1)
        return float(table.max(axis=1).sum() / len(main))

    assert share_explained(1.0) == 1.0
    assert share_explained(0.0) < 0.3  # one of six bands, and some luck


# --- can it be learnt?


@pytest.fixture(scope="module")
def recall(market: Path) -> dict[str, np.ndarray]:
    """Recall@20 over the domain's corpus of each user's last click in each domain, by method; (D,) each."""
    log, truth = Log(market), load_truth(market / "truth")
    order = np.lexsort((log.time, log.domain, log.user))
    user, item, domain = log.user[order], log.item[order], log.domain[order]
    last = np.append((user[1:] != user[:-1]) | (domain[1:] != domain[:-1]), True)
    train = scipy.sparse.csr_array((np.ones((~last).sum()), (user[~last], item[~last])), shape=(3000, 800))
    by_norm = train / np.sqrt(np.maximum(train.sum(axis=0), 1.0))
    similar = (by_norm.T @ by_norm).toarray()
    np.fill_diagonal(similar, 0.0)
    groups, main_share = users_of(market)
    found: dict[str, np.ndarray] = {name: np.empty(3) for name in ("popularity", "item-kNN", "truth")}
    for d, name in enumerate(SMALL.domain_names):
        tested = np.flatnonzero(last & (domain == d) & (np.diff(train.indptr)[user] > 0))
        history = train[user[tested]]
        popular = np.bincount(item[~last & (domain == d)], minlength=800)
        scores = {
            "popularity": np.tile(popular.astype(float), (len(tested), 1)),
            "item-kNN": history @ similar,
            "truth": truth.scores(groups[user[tested]], main_share[user[tested]], name),
        }
        for method, score in scores.items():
            score = np.where((history.toarray() > 0) | ~truth.eligible[:, d], -np.inf, score)
            target = score[np.arange(len(tested)), item[tested]]
            found[method][d] = ((score > target[:, None]).sum(axis=1) < 20).mean()
    return found


def test_history_beats_popularity_and_leaves_room_to_the_truth(recall: dict[str, np.ndarray]) -> None:
    assert recall["item-kNN"].mean() > 1.4 * recall["popularity"].mean()
    assert (recall["truth"] > 1.2 * recall["item-kNN"]).all()
    assert (recall["truth"] < 0.9).all()
