"""A Markdown table of evaluated runs: one metric by domain, the mean and spread over seeds.

Usage: python examples/table.py RUN... [--metric recall@10]
"""

import argparse
import json
from pathlib import Path
from statistics import mean, stdev


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--metric", help="default: recall@10 against candidates, recall@50 against the corpus")
    options = parser.parse_args()

    groups: dict[str, list[dict[str, float]]] = {}
    for run in options.runs:
        info, metrics = (json.loads((run / name).read_text()) for name in ("run.json", "metrics.json"))
        key = options.metric or ("recall@10" if metrics["against"] == "candidates" else "recall@50")
        values = {name: domain[key] for name, domain in metrics["domains"].items()} | {"mean": metrics["mean"][key]}
        scope = info["config"]["model"].get("scope")
        groups.setdefault(info["model"] + (f" ({scope})" if scope else ""), []).append(values)

    columns = list(next(iter(groups.values()))[0])
    print(f"| {key} | seeds | {' | '.join(columns)} |")
    print(f"|---|---|{'---|' * len(columns)}")
    for name, runs in sorted(groups.items(), key=lambda group: mean(run["mean"] for run in group[1])):
        cells = [_cell([run[column] for run in runs]) for column in columns]
        print(f"| {name} | {len(runs)} | {' | '.join(cells)} |")


def _cell(values: list[float]) -> str:
    text = f"{mean(values):.3f}"
    return text if len(values) == 1 else f"{text} ± {stdev(values):.3f}"


if __name__ == "__main__":
    main()
