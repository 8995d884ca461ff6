"""The commands serve (a bundle or an experiment over HTTP) and rollback (to an earlier bundle of a folder)."""

import os
from pathlib import Path
from typing import Annotated

import typer

from adi.cli.log import LOG
from adi.cli.options import AsJson, Verify
from adi.cli.show import say, say_json


def serve(
    bundle: Annotated[
        str,
        typer.Argument(
            help="Folder that adi export wrote, or its address such as s3://bucket/bundle; or YAML file of an "
            "experiment between several."
        ),
    ],
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for all of this machine.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 for any free port.")] = 8000,
    watch: Annotated[
        str | None,
        typer.Option(
            help="Folder of bundles to watch, or its address such as s3://bucket/bundles: its newest goes live once it "
            "is checked."
        ),
    ] = None,
    domains: Annotated[
        str | None,
        typer.Option(help="Domains to load and answer, such as search,feed; others are refused.", show_default="all"),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(
            help="Shard of the items to load, such as 1/4, the first of four; adi route merges their lists.",
            show_default="all items",
        ),
    ] = None,
    events: Annotated[
        str | None,
        typer.Option(
            envvar="ADI_EVENTS",
            help="Where to keep users' events: a file, or redis://HOST:PORT/DB, which several servers may share.",
            show_default="in memory",
        ),
    ] = None,
    clicks: Annotated[
        Path | None,
        typer.Option(help="Folder of Parquet files with clicks, watched for new ones, for bundles with trends."),
    ] = None,
    exposures: Annotated[
        Path | None, typer.Option(help="Folder for a log of the served lists, in Parquet files.", show_default="no log")
    ] = None,
    workers: Annotated[int, typer.Option(help="Requests answered at once.")] = 2,
    waiting: Annotated[
        int, typer.Option(help="Bodies that may wait in the queue, if there is time for them; more are rejected.")
    ] = 64,
    timeout: Annotated[float, typer.Option(help="Seconds after which the server gives up on a request.")] = 5.0,
    token: Annotated[
        str | None, typer.Option(envvar="ADI_TOKEN", help="Bearer token that requests must then send.")
    ] = None,
    client_rate: Annotated[
        float | None,
        typer.Option(help="Requests per second of one client, by its address; more are rejected.", show_default="any"),
    ] = None,
    verify: Verify = True,
) -> None:
    """Serve a bundle, or several in an experiment, over HTTP: each domain's top-K for known and new users.

    Example: [bold]adi serve bundle --port 8000[/]

    An experiment: [bold]adi serve ranker-2.yaml --exposures exposures[/]
    """
    # NumPy's threads wait in a loop for more work, and so take the cores from those of the index. NumPy reads this when
    # it is first imported, which is here.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from adi.serving import server

    server.serve(
        bundle,
        host=host,
        port=port,
        watch=watch,
        domains=None if domains is None else [name for name in domains.split(",") if name],
        shard=shard,
        events=events,
        clicks=clicks,
        exposures=exposures,
        workers=workers,
        waiting=waiting,
        timeout=timeout,
        token=token,
        client_rate=client_rate,
        verify=verify,
        report=LOG.report,
    )


def rollback(
    folder: Annotated[
        str,
        typer.Argument(help="Folder of bundles that adi serve --watch watches, or its address in an object store."),
    ],
    to: Annotated[str | None, typer.Option(help="Bundle to choose.", show_default="the one before")] = None,
    newest: Annotated[bool, typer.Option("--newest", help="Undo the choice: the newest bundle goes live.")] = False,
    as_json: AsJson = False,
) -> None:
    """Go back to the bundle before the live one, or to one by name, until --newest.

    Example: [bold]adi rollback bundles[/]
    """
    from adi.serving.rollback import follow_newest, roll_back

    if newest:
        follow_newest(folder)
        chosen, text = None, f"{folder}: the newest bundle goes live."
    else:
        chosen = roll_back(folder, to)
        text = f"{folder}: {chosen} goes live, and stays until adi rollback {folder} --newest."
    if as_json:
        say_json({"folder": folder, "chosen": chosen})
    else:
        say(text)
