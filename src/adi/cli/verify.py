"""The command verify: whether the files of folders are as they were written."""

from pathlib import Path
from typing import Annotated

import typer

from adi.cli.runs import AsJson
from adi.cli.show import say, say_json

DAMAGED = 1
"""The exit code where a file is missing or damaged."""


def verify(
    folders: Annotated[
        list[Path], typer.Argument(help="Folders of prepared datasets, runs and bundles.", show_default=False)
    ],
    as_json: AsJson = False,
) -> None:
    """Compare every byte of prepared datasets, runs and bundles with the digests in their manifests.

    All damage is named; the exit code is then 1.

    Example: [bold]adi verify prepared run bundle[/]
    """
    from adi.verification import verify as verified

    checked = [verified(folder) for folder in folders]
    if as_json:
        say_json([one.model_dump(mode="json") for one in checked])
    for one in () if as_json else checked:
        say(str(one))
        for fault in one.faults:
            say(f"  {fault}.")
    if any(one.faults for one in checked):
        raise typer.Exit(DAMAGED)
