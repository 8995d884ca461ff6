"""The command verify: whether the files of folders are as they were written."""

from pathlib import Path
from typing import Annotated

import typer

from adi.cli.exit_codes import FAILED
from adi.cli.options import AsJson
from adi.cli.show import say, say_json


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

    results = [verified(folder) for folder in folders]
    if as_json:
        say_json([result.model_dump(mode="json") for result in results])
    for result in () if as_json else results:
        say(str(result))
        for fault in result.faults:
            say(f"  {fault}.")
    if any(result.faults for result in results):
        raise typer.Exit(FAILED)
