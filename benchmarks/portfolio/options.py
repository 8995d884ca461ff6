"""Options of both commands of the portfolio."""

from pathlib import Path
from typing import Annotated

import typer

Out = Annotated[Path, typer.Option(help="Folder of the data sets, runs and results; the same command goes on.")]
Data = Annotated[Path | None, typer.Option(help="Folder with the public data sets, each in a folder of its name.")]
Seeds = Annotated[int, typer.Option(min=1, help="Seeds of trained models.")]
Jobs = Annotated[int, typer.Option(min=1, help="Cells to run at a time.")]
Redo = Annotated[bool, typer.Option("--redo", help="Do again what other code or other data made.")]
