"""Options that several commands have."""

from typing import Annotated

import typer

Device = Annotated[str, typer.Option(help="Where steps are done: cpu, cuda, or cuda:N for the GPU of a number.")]
ModelPath = Annotated[
    str | None,
    typer.Option(
        "--model", help="package.module:NAME, for a run whose model is not one of adi's own.", show_default=False
    ),
]
MetricPaths = Annotated[
    list[str] | None,
    typer.Option("--metric", help="A metric of your own, as package.module:NAME; repeatable.", show_default=False),
]
