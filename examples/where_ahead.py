"""A model's lead over others by kind of test click: without a history, followed by other clicks, or the user's last.

Prints the shares of clicks without a history and of last clicks in each part of the data, then recall@50 of each model
by kind, and the first model's lead over the others with 95 % intervals over users and seeds.

Usage: python examples/where_ahead.py RUN...
"""

import argparse
from pathlib import Path

import numpy as np

from adi.comparison.bootstrap import means, replicate_means
from adi.comparison.compare import check_comparable
from adi.comparison.difference import INTERVAL
from adi.comparison.totals import Totals
from adi.data.arrays import Array
from adi.data.dataset import Dataset, Part
from adi.metrics import RECALL
from adi.runs.groups import group_runs
from adi.runs.ranks import read_ranks
from adi.runs.run import Run, read_runs

PARTS: tuple[Part, ...] = ("train", "validation", "test")
KINDS = ("no history", "followed", "last")
"""Kinds of test clicks: without an earlier click by the user; with one, and with a later click in the domain; with an
earlier one and no later one."""

ROWS_AT_ONCE = 50_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    groups = group_runs(read_runs(parser.parse_args().runs))
    check_comparable(groups)
    runs = [run for group in groups for run in group.runs]
    dataset = runs[0].open_dataset()
    if dataset.manifest.time is None:
        parser.error(f"{runs[0].prepared}: a log without time, in which no click is the last")
    last = last_clicks(dataset)

    new = {part: without_history(dataset, part) for part in PARTS}
    for title, flags in (("no history", new), ("last clicks", last)):
        print(f"| {title} | {' | '.join(dataset.domains)} |\n|---|{'---|' * len(dataset.domains)}")
        for part in PARTS:
            domains = dataset.targets(part, dataset.rows(part))[2]
            by_domain = [flags[part][domains == index] for index in range(len(dataset.domains))]
            shares = [f"{flag.mean():.1%}" if len(flag) else "no row" for flag in by_domain]
            print(f"| {part} | {' | '.join(shares)} |")
        print()

    kinds = np.where(new["test"], 0, np.where(last["test"], 2, 1))  # of each test row, in KINDS
    titles, totals = [], []
    for domain in dataset.domains:
        for number, kind in enumerate(KINDS):
            kind_totals = totals_of_rows(runs, domain, kinds == number)
            if len(kind_totals.users):
                titles.append(f"{domain}, {kind}")
                totals.append(kind_totals)
    seeds = [len(group.runs) for group in groups]
    num_users = int(max(kind_totals.users.max() for kind_totals in totals)) + 1
    recall = means(totals, seeds)  # (G, T), T the titles
    drawn = replicate_means(totals, num_users, seeds, replicates=1000, seed=0)  # (R, G, T)
    print(f"| recall@50 | rows | {' | '.join(group.label for group in groups)} |\n|---|---|{'---|' * len(groups)}")
    for column, (title, kind_totals) in enumerate(zip(titles, totals, strict=True)):
        cells = [f"{recall[0, column]:.3f}"]
        for other in range(1, len(groups)):
            low, high = np.nanquantile(drawn[:, 0, column] - drawn[:, other, column], INTERVAL)
            lead = recall[0, column] - recall[other, column]
            cells.append(f"{recall[other, column]:.3f} ({lead:+.3f}, {low:+.3f} to {high:+.3f})")
        print(f"| {title} | {kind_totals.sums[:, 0].sum():.0f} | {' | '.join(cells)} |")


def without_history(dataset: Dataset, part: Part) -> Array:
    """A mask of the rows of a part whose user has no earlier click in any domain."""
    rows = dataset.rows(part)
    blocks = np.array_split(rows, max(1, len(rows) // ROWS_AT_ONCE))
    return np.concatenate([dataset.queries(part, block).histories.lengths == 0 for block in blocks])


def last_clicks(dataset: Dataset) -> dict[Part, Array]:
    """A mask, for each part, of the rows that are their user's last in their domain over all parts."""
    keys, times = [], []
    for part in PARTS:
        rows = dataset.rows(part)
        users, _, domains = dataset.targets(part, rows)
        keys.append(users.astype(np.int64) * len(dataset.domains) + domains)
        folder = "test" if part == "test" else "interactions"
        times.append(np.load(dataset.folder / folder / "time.npy", mmap_mode="r")[rows])
    _, inverse = np.unique(np.concatenate(keys), return_inverse=True)
    time = np.concatenate(times)
    newest = np.full(inverse.max() + 1, time.min())
    np.maximum.at(newest, inverse, time)
    parts = np.split(time == newest[inverse], np.cumsum([len(part_keys) for part_keys in keys])[:-1])
    return dict(zip(PARTS, parts, strict=True))


def totals_of_rows(runs: list[Run], domain: str, mask: Array) -> Totals:
    """The totals by user of the test rows of a domain that are in the mask, for each run."""
    sums = []
    for run in runs:
        ranks = read_ranks(run)[domain]
        chosen = mask[ranks.rows]
        users, inverse, queries = np.unique(ranks.users[chosen], return_inverse=True, return_counts=True)
        sums.append(np.bincount(inverse, RECALL.gains(ranks.ranks[chosen], 50), minlength=len(users)))
    return Totals(users, np.column_stack([queries, *sums]))


if __name__ == "__main__":
    main()
