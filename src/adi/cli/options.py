"""Options that several commands have."""

from typing import Annotated

import typer

Device = Annotated[str, typer.Option(help="Where steps are done: cpu, cuda, or cuda:N for the GPU of a number.")]
