"""Options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

Device = Annotated[str, typer.Option(help="Where steps are done: cpu, cuda, or cuda:N for the GPU of a number.")]
Processes = Annotated[
    int,
    typer.Option("--nproc", min=1, help="Processes of this machine that do it together; several machines: torchrun."),
]
ModelPath = Annotated[
    str | None,
    typer.Option(
        "--model", help="package.module:NAME, for a run whose model is not one of adi's own.", show_default=False
    ),
]
Prepared = Annotated[
    Path | None,
    typer.Option(
        help="Another prepared dataset than the run's, read by the run's vocabularies; for a run only.",
        show_default="the dataset that the run was trained on",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as one line of JSON.")]
Mlflow = Annotated[
    str | None,
    typer.Option(
        envvar="MLFLOW_TRACKING_URI",
        help="Also log to MLflow at this address, such as http://mlflow:5000 or sqlite:///mlflow.db.",
        show_default=False,
    ),
]
Verify = Annotated[
    bool,
    typer.Option(
        "--verify/--no-verify",
        help="Compare every file with its digest first, or only its size.",
        show_default=False,
    ),
]
MetricPaths = Annotated[
    list[str] | None,
    typer.Option("--metric", help="A metric of your own, as package.module:NAME; repeatable.", show_default=False),
]
ExcludeSeen = Annotated[
    bool | None,
    typer.Option(
        "--exclude-seen/--include-seen",
        help="Leave out the items of the user's history.",
        show_default="unless the data has repeats",
    ),
]
