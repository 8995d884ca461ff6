"""What `adi prepare` does with a simulated log, as one would write it in pandas: all in memory, table by table.

The arrays are those of `adi prepare`, to the bit: of the same names, in the same order, with the same codes. Only which
users are validated is drawn otherwise. It leaves out what `adi prepare` does beside them: rows that cannot be used are
not looked for, the items' own columns are not kept, and nothing has a checksum.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from adi.bench.prepare.log import DOMAINS, ITEMS, LOG, USERS
from adi.data.arrays import Array

VALIDATED = 0.1
"""Share of the users whose last training row of a domain is held out."""
BUCKETS = 20


def prepare_in_pandas(tables: Path, out: Path) -> None:
    """Write the arrays of the log in `tables`, see `adi.bench.prepare.log`, into the new folder `out`."""
    log = pd.read_parquet(tables / LOG)
    users, items = pd.read_parquet(tables / USERS), pd.read_parquet(tables / ITEMS)
    log["user"], of_users = _number(log["user"], users, "user", out)
    log["item"], of_items = _number(log["item"], items, "item", out)
    log["domain"] = pd.Categorical(log["domain"], categories=DOMAINS).codes.astype(np.int16)
    log["time"] = log.pop("ts").astype(np.int64)

    log = log.iloc[np.lexsort((log["time"], log["user"]))]  # a stable sort, so that ties stay in the log's order
    held_out = _parts(log, len(users))
    trained = held_out == 0
    log["context_device"] = _codes(log.pop("device"), counted=trained)
    log["context_slot"] = _buckets(log.pop("slot"), log_scale=False, counted=trained)

    test = held_out == 2
    _save(out / "interactions", log[~test], held_out=held_out[~test].astype(np.int8))
    counts = np.bincount(log["user"][~test], minlength=len(users))
    np.save(out / "interactions" / "user_offsets.npy", np.concatenate([[0], np.cumsum(counts)]))
    offsets = np.concatenate([[0], np.cumsum(np.bincount(log["user"], minlength=len(users)))])
    seen = np.concatenate([[0], np.cumsum(~test)])  # training and validation rows before each
    before = seen[:-1] - seen[offsets[log["user"]]]
    tested = log[test].assign(before=before[test].astype(np.int32))
    _save(out / "test", tested.iloc[np.lexsort((tested["user"], tested["domain"]))])
    _save_corpus(out / "corpus", log[~test], trained[~test])

    numbered = pd.Series(np.bincount(log["item"][trained], minlength=len(items)))
    _save_features(out / "features", of_users, of_items, numbered)


def _number(column: "pd.Series", table: "pd.DataFrame", key: str, out: Path) -> tuple[Array, "pd.DataFrame"]:
    """The numbers of a column's ids, in the order of the ids; and the table in that order. Writes the ids."""
    codes, ids = pd.factorize(pd.concat([table[key], column]), sort=True)
    (out / "entities").mkdir(parents=True, exist_ok=True)
    pd.DataFrame({"key": ids}).to_feather(out / "entities" / f"{key}.arrow")
    ordered = table.iloc[np.argsort(codes[: len(table)])]
    return codes[len(table) :].astype(np.int32), ordered


def _parts(log: "pd.DataFrame", users: int) -> Array:
    """0, 1 and 2 for rows of training, validation and test, of a log by (user, time) (rows,).

    The test is the last row of each (user, domain), of users who keep another; the validation likewise of what is left,
    for some users.
    """
    parts = np.zeros(len(log), dtype=np.int8)
    user = log["user"].to_numpy()
    chosen = np.random.default_rng(0).random(users) < VALIDATED
    for part, among in ((2, np.ones(len(log), dtype=bool)), (1, chosen[user])):
        left = parts == 0
        last = np.zeros(len(log), dtype=bool)
        last[left & among] = ~log.loc[left & among, ["user", "domain"]].duplicated(keep="last")
        kept = np.bincount(user[left & ~last], minlength=users)
        parts[last & (kept[user] > 0)] = part
    return parts


def _codes(values: "pd.Series", counted: Array | None = None) -> Array:
    """Numbers of values from 2, the frequent first, ties by value; 0 for a missing, 1 for an uncounted one (n,)."""
    counts = (values if counted is None else values[counted]).value_counts().sort_index()
    ordered = counts.sort_values(ascending=False, kind="stable").index
    codes = pd.Categorical(values, categories=ordered).codes.astype(np.int32)
    unknown = np.where(values.isna(), 0, 1)
    return np.where(codes < 0, unknown, codes + 2).astype(np.int32)


def _buckets(values: "pd.Series", *, log_scale: bool, counted: Array | None = None) -> Array:
    """Numbers from 2 of the bucket that each value is in; 0 for a missing one (n,)."""
    known = (values if counted is None else values[counted]).dropna().to_numpy()
    if log_scale:
        edges = np.expm1(np.linspace(np.log1p(known.min()), np.log1p(known.max()), BUCKETS + 1))[1:-1]
    else:
        edges = np.quantile(known, np.arange(1, BUCKETS) / BUCKETS)
    above = known[known > known.min()].min()  # the lowest value has a bucket of its own
    edges = np.unique(np.where(edges > known.min(), edges, above))
    codes = np.searchsorted(edges, values, side="right") + 2
    return np.where(values.isna(), 0, codes).astype(np.int32)


def _save_features(out: Path, users: "pd.DataFrame", items: "pd.DataFrame", trained: "pd.Series") -> None:
    """The features of users and items, whose tables are in the order of their numbers."""
    for side in ("user", "item"):
        (out / side).mkdir(parents=True)
    for name in ("segment", "city"):
        np.save(out / "user" / f"{name}.npy", _codes(users[name]))
    np.save(out / "user" / "income.npy", _buckets(users["income"], log_scale=False))
    frequent = np.argsort(-trained.to_numpy(), kind="stable")
    codes = np.empty(len(items), dtype=np.int32)
    codes[frequent] = np.arange(len(items)) + 2
    np.save(out / "item" / "item_id.npy", np.where(trained > 0, codes, 1).astype(np.int32))
    for name in ("category", "brand"):
        np.save(out / "item" / f"{name}.npy", _codes(items[name]))
    np.save(out / "item" / "price.npy", _buckets(items["price"], log_scale=True))
    tags = items["tags"].str.split("|")
    np.save(out / "item" / "tags.values.npy", _codes(tags.explode()))
    np.save(out / "item" / "tags.offsets.npy", np.concatenate([[0], np.cumsum(tags.str.len())]))


def _save_corpus(out: Path, seen: "pd.DataFrame", trained: Array) -> None:
    """The items of each domain, and how many training rows they have."""
    counts = seen.assign(count=trained.astype(np.int64)).groupby(["domain", "item"])["count"].sum().reset_index()
    _save(out, counts.astype({"domain": np.int16}), eligible=np.ones(len(counts), dtype=bool))
    np.save(out / "offsets.npy", np.searchsorted(counts["domain"], np.arange(len(DOMAINS) + 1)))


def _save(out: Path, columns: "pd.DataFrame", **more: Array) -> None:
    out.mkdir(parents=True)
    for name in columns.columns:
        np.save(out / f"{name}.npy", columns[name].to_numpy())
    for name, array in more.items():
        np.save(out / f"{name}.npy", array)
