"""Where one model is ahead of others: without a history, and at clicks that are their user's last in the domain or not.

How many clicks of each part of the data are of either kind, then recall@50 of each model by that, and how far the first
model is ahead of the others, with 95 % intervals over users and seeds.

Usage: python examples/where_ahead.py RUN...
"""

import argparse
from pathlib import Path

import numpy as np

from adi.data.arrays import Array
from adi.data.dataset import Dataset, Part
from adi.evaluation.bootstrap import means, replicate_means
from adi.evaluation.comparable import check_runs
from adi.evaluation.groups import group_runs
from adi.evaluation.ranks import read_ranks
from adi.evaluation.totals import Totals
from adi.metrics import RECALL
from adi.runs.run import Run, read_runs

PARTS: tuple[Part, ...] = ("train", "validation", "test")
KINDS = ("no history", "followed", "last")
"""Of a test click: nothing is known that the user did before; something is, and another click in the domain comes
later; something is, and none does."""

ROWS_AT_ONCE = 50_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    groups = group_runs(read_runs(parser.parse_args().runs))
    check_runs(groups)
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
            own = [flags[part][domains == index] for index in range(len(dataset.domains))]
            print(f"| {part} | {' | '.join(f'{flag.mean():.1%}' if len(flag) else 'no row' for flag in own)} |")
        print()

    kinds = np.where(new["test"], 0, np.where(last["test"], 2, 1))  # of each test row, in KINDS
    titles, totals = [], []
    for name in dataset.domains:
        for number, kind in enumerate(KINDS):
            found = by_user(runs, name, kinds == number)
            if len(found.users):
                titles.append(f"{name}, {kind}")
                totals.append(found)
    seeds = [len(group.runs) for group in groups]
    users = int(max(found.users.max() for found in totals)) + 1
    recall = means(totals, seeds)  # (G, T), T the titles
    drawn = replicate_means(totals, users, seeds, replicates=1000, seed=0)  # (R, G, T)
    print(f"| recall@50 | rows | {' | '.join(group.label for group in groups)} |\n|---|---|{'---|' * len(groups)}")
    for place, (title, found) in enumerate(zip(titles, totals, strict=True)):
        cells = [f"{recall[0, place]:.3f}"]
        for other in range(1, len(groups)):
            low, high = np.nanquantile(drawn[:, 0, place] - drawn[:, other, place], (0.025, 0.975))
            ahead = recall[0, place] - recall[other, place]
            cells.append(f"{recall[other, place]:.3f} ({ahead:+.3f}, {low:+.3f} to {high:+.3f})")
        print(f"| {title} | {found.sums[:, 0].sum():.0f} | {' | '.join(cells)} |")


def without_history(dataset: Dataset, part: Part) -> Array:
    """Of the rows of a part, which are asked for with nothing known that the user did before, in any domain."""
    rows = dataset.rows(part)
    blocks = np.array_split(rows, max(1, len(rows) // ROWS_AT_ONCE))
    return np.concatenate([dataset.queries(part, block).histories.lengths == 0 for block in blocks])


def last_clicks(dataset: Dataset) -> dict[Part, Array]:
    """Of the rows of each part, which are their user's last in their domain, over all parts together."""
    keys, times = [], []
    for part in PARTS:
        rows = dataset.rows(part)
        users, _, domains = dataset.targets(part, rows)
        keys.append(users.astype(np.int64) * len(dataset.domains) + domains)
        folder = "test" if part == "test" else "interactions"
        times.append(np.load(dataset.folder / folder / "time.npy", mmap_mode="r")[rows])
    _, place = np.unique(np.concatenate(keys), return_inverse=True)
    time = np.concatenate(times)
    newest = np.full(place.max() + 1, time.min())
    np.maximum.at(newest, place, time)
    parts = np.split(time == newest[place], np.cumsum([len(own) for own in keys])[:-1])
    return dict(zip(PARTS, parts, strict=True))


def by_user(runs: list[Run], domain: str, wanted: Array) -> Totals:
    """The totals of those test rows of a domain that are `wanted`, by user, for each run."""
    sums = []
    for run in runs:
        ranked = read_ranks(run.folder, run.metrics.ranks, run.info.domains)[domain]
        chosen = wanted[ranked.rows]
        users, place, queries = np.unique(ranked.users[chosen], return_inverse=True, return_counts=True)
        sums.append(np.bincount(place, RECALL.gains(ranked.ranks[chosen], 50), minlength=len(users)))
    return Totals(users, np.column_stack([queries, *sums]))


if __name__ == "__main__":
    main()
