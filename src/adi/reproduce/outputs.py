"""What a grid comes to, written: a CSV for each table, a picture of it on each data set, and one report of all."""

from collections.abc import Sequence
from math import ceil, sqrt
from pathlib import Path

from adi.data.folder import replace_file
from adi.report.charts import Specification
from adi.reproduce import charts
from adi.reproduce.cells import Line, distinct, lines_of
from adi.reproduce.figures import interest_maps
from adi.reproduce.folder import GridFolder
from adi.reproduce.interest import looked_at
from adi.reproduce.page import render
from adi.reproduce.results import Results, results_of, write_csv
from adi.reproduce.tables import TABLES
from adi.reproduce.versions import Version


def write_outputs(folder: GridFolder, version: Version, *, quick: bool) -> Path:
    """Write all that was ever asked for in a folder, as far as this version has it; returns the report's path."""
    asked = folder.asked()
    results: dict[str, list[Results]] = {}
    lines: list[Line] = []
    for name, table in TABLES.items():
        for dataset in table.datasets:
            if dataset in asked.get(name, {}):
                own = lines_of(table, dataset, seeds=asked[name][dataset], quick=quick)
                results.setdefault(name, []).append(results_of(table, dataset, own, folder, version))
                lines += own
    for name, parts in results.items():
        write_csv(folder.root / f"{name}.csv", parts)
        for one in parts:
            if drawn := pictures(one):
                charts.write_picture(
                    folder.root / f"{one.name}.png",
                    drawn,
                    title=f"{one.table.title}, {one.dataset}",
                    looks=charts.looks_of(one),
                    columns=4 if one.table.kind == "interest" else ceil(sqrt(len(drawn))),  # a model in each row
                )
    ran = [
        (cell, record)
        for cell in distinct(lines)
        if (record := folder.record(cell)) is not None and version.difference(cell, record) is None
    ]
    report = folder.root / "report.html"
    replace_file(report, render(results, ran, version, quick=quick).encode())
    return report


def pictures(results: Results) -> Sequence[Specification]:
    """The charts of a table on a data set; none where no row is done."""
    if not results.reached:
        return []
    if results.table.kind == "interest":
        return [
            specification
            for row, group in results.reached
            for side in looked_at(group)
            for specification in interest_maps(side, row.label)
        ]
    draw = charts.curves if results.table.kind == "curve" else charts.dots
    return [draw(results, domain=domain) for domain in (None, *results.domains)]
