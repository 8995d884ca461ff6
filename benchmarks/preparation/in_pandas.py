"""The work of `adi prepare` on a simulated log, as one would write it in pandas: all in memory, table by table.

It writes the arrays of `adi prepare`, to the bit: with the same names, order and codes. Only the users to validate are
drawn differently. It leaves out what `adi prepare` does beside the arrays: it does not look for rows that cannot be
used, does not keep the columns of the items, and writes no checksums.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from adi.data.arrays import Array
from benchmarks.preparation.log import DOMAINS, ITEMS, LOG, USERS

BUCKETS = 20
TRAINING, VALIDATION, TEST = 0, 1, 2


def prepare_in_pandas(tables: Path, out: Path, *, validation: float = 0.1) -> None:
    """Write the arrays of a log (`benchmarks.preparation.log`) into the new folder `out`.

    `validation` is the share of users whose last training row in a domain is held out.
    """
    log = pd.read_parquet(tables / LOG)
    users, items = pd.read_parquet(tables / USERS), pd.read_parquet(tables / ITEMS)
    log["user"], users = _number(log["user"], users, "user", out)
    log["item"], items = _number(log["item"], items, "item", out)
    log["domain"] = pd.Categorical(log["domain"], categories=DOMAINS).codes.astype(np.int16)
    log["time"] = log.pop("ts").astype(np.int64)

    log = log.iloc[np.lexsort((log["time"], log["user"]))]  # a stable sort, so that ties stay in the log's order
    held_out = _held_out(log, len(users), validation)
    trained = held_out == TRAINING
    log["context_device"] = _codes(log.pop("device"), counted=trained)
    log["context_slot"] = _buckets(log.pop("slot"), log_scale=False, counted=trained)

    test = held_out == TEST
    _save(out / "interactions", log[~test], held_out=held_out[~test].astype(np.int8))
    counts = np.bincount(log["user"][~test], minlength=len(users))
    np.save(out / "interactions" / "user_offsets.npy", np.concatenate([[0], np.cumsum(counts)]))
    user_offsets = np.concatenate([[0], np.cumsum(np.bincount(log["user"], minlength=len(users)))])
    kept_before = np.concatenate([[0], np.cumsum(~test)])  # rows of training and validation before each row
    history_lengths = kept_before[:-1] - kept_before[user_offsets[log["user"]]]
    test_log = log[test].assign(before=history_lengths[test].astype(np.int32))
    _save(out / "test", test_log.iloc[np.lexsort((test_log["user"], test_log["domain"]))])
    _save_corpus(out / "corpus", log[~test], trained[~test])

    item_counts = np.bincount(log["item"][trained], minlength=len(items))
    _save_features(out / "features", users, items, item_counts)


def _number(column: "pd.Series", table: "pd.DataFrame", key: str, out: Path) -> tuple[Array, "pd.DataFrame"]:
    """Numbers of a column's ids, in the order of the ids, and the table in that order. Writes the ids."""
    codes, ids = pd.factorize(pd.concat([table[key], column]), sort=True)
    (out / "entities").mkdir(parents=True, exist_ok=True)
    pd.DataFrame({"key": ids}).to_feather(out / "entities" / f"{key}.arrow")
    return codes[len(table) :].astype(np.int32), table.iloc[np.argsort(codes[: len(table)])]


def _held_out(log: "pd.DataFrame", num_users: int, validation: float) -> Array:
    """The part of each row of a log that is sorted by user and time (rows,).

    The test is the last row of each (user, domain), for users who keep another row. The validation is the last of the
    rows that are left, for a random share of the users.
    """
    parts = np.full(len(log), TRAINING, dtype=np.int8)
    user = log["user"].to_numpy()
    validated = np.random.default_rng(0).random(num_users) < validation
    for part, eligible in ((TEST, np.ones(len(log), dtype=bool)), (VALIDATION, validated[user])):
        left = parts == TRAINING
        last = np.zeros(len(log), dtype=bool)
        last[left & eligible] = ~log.loc[left & eligible, ["user", "domain"]].duplicated(keep="last")
        num_kept = np.bincount(user[left & ~last], minlength=num_users)
        parts[last & (num_kept[user] > 0)] = part
    return parts


def _codes(values: "pd.Series", counted: Array | None = None) -> Array:
    """Codes of values (n,): from 2 by falling frequency, ties by value; 0 for a missing and 1 for an uncounted value.

    Only the rows of `counted` (n,) make the vocabulary.
    """
    counts = (values if counted is None else values[counted]).value_counts().sort_index()
    vocabulary = counts.sort_values(ascending=False, kind="stable").index
    codes = pd.Categorical(values, categories=vocabulary).codes.astype(np.int32)
    unknown = np.where(values.isna(), 0, 1)
    return np.where(codes < 0, unknown, codes + 2).astype(np.int32)


def _buckets(values: "pd.Series", *, log_scale: bool, counted: Array | None = None) -> Array:
    """Codes of the values' buckets (n,), from 2; 0 for a missing value. The rows of `counted` (n,) make the buckets."""
    known = (values if counted is None else values[counted]).dropna().to_numpy()
    if log_scale:
        edges = np.expm1(np.linspace(np.log1p(known.min()), np.log1p(known.max()), BUCKETS + 1))[1:-1]
    else:
        edges = np.quantile(known, np.arange(1, BUCKETS) / BUCKETS)
    second_lowest = known[known > known.min()].min()  # the lowest value has a bucket of its own
    edges = np.unique(np.where(edges > known.min(), edges, second_lowest))
    codes = np.searchsorted(edges, values, side="right") + 2
    return np.where(values.isna(), 0, codes).astype(np.int32)


def _save_features(out: Path, users: "pd.DataFrame", items: "pd.DataFrame", item_counts: Array) -> None:
    """Write the features of users and items, whose tables are in the order of their numbers."""
    for side in ("user", "item"):
        (out / side).mkdir(parents=True)
    for name in ("segment", "city"):
        np.save(out / "user" / f"{name}.npy", _codes(users[name]))
    np.save(out / "user" / "income.npy", _buckets(users["income"], log_scale=False))
    by_frequency = np.argsort(-item_counts, kind="stable")
    codes = np.empty(len(items), dtype=np.int32)
    codes[by_frequency] = np.arange(len(items)) + 2
    np.save(out / "item" / "item_id.npy", np.where(item_counts > 0, codes, 1).astype(np.int32))
    for name in ("category", "brand"):
        np.save(out / "item" / f"{name}.npy", _codes(items[name]))
    np.save(out / "item" / "price.npy", _buckets(items["price"], log_scale=True))
    tags = items["tags"].str.split("|")
    np.save(out / "item" / "tags.values.npy", _codes(tags.explode()))
    np.save(out / "item" / "tags.offsets.npy", np.concatenate([[0], np.cumsum(tags.str.len())]))


def _save_corpus(out: Path, log: "pd.DataFrame", trained: Array) -> None:
    """Write the items of each domain, and how many training rows they have."""
    counts = log.assign(count=trained.astype(np.int64)).groupby(["domain", "item"])["count"].sum().reset_index()
    _save(out, counts.astype({"domain": np.int16}), eligible=np.ones(len(counts), dtype=bool))
    np.save(out / "offsets.npy", np.searchsorted(counts["domain"], np.arange(len(DOMAINS) + 1)))


def _save(out: Path, columns: "pd.DataFrame", **arrays: Array) -> None:
    out.mkdir(parents=True)
    for name in columns.columns:
        np.save(out / f"{name}.npy", columns[name].to_numpy())
    for name, array in arrays.items():
        np.save(out / f"{name}.npy", array)
