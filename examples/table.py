"""A Markdown table of evaluated runs: one metric by domain, the mean and spread over seeds.

Usage: python examples/table.py RUN... [--metric recall@10]
"""

import argparse
from pathlib import Path

from adi.evaluation.groups import Estimate, group_runs
from adi.runs.run import read_runs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--metric", help="default: recall@10 against candidates, recall@50 against the corpus")
    options = parser.parse_args()

    groups = group_runs(read_runs(options.runs))
    against = groups[0].runs[0].metrics.against
    metric = options.metric or ("recall@10" if against == "candidates" else "recall@50")
    if any(metric not in group.measures for group in groups):
        parser.error(f"--metric: not every run has '{metric}'")
    domains = groups[0].domains
    print(f"| {metric} | seeds | {' | '.join((*domains, 'mean'))} |")
    print(f"|---|---|{'---|' * (len(domains) + 1)}")
    for group in sorted(groups, key=lambda one: one.measure(metric).mean or 0.0):
        cells = [_cell(group.measure(metric, domain=domain)) for domain in (*domains, None)]
        print(f"| {group.label} | {len(group.runs)} | {' | '.join(cells)} |")


def _cell(value: Estimate) -> str:
    if value.mean is None:
        return "–"
    return f"{value.mean:.3f}" if value.spread is None else f"{value.mean:.3f} ± {value.spread:.3f}"


if __name__ == "__main__":
    main()
