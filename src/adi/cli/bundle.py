"""The commands on bundles: export makes one of a run; retrieve and retrieve-all ask it, or a run, for top-Ks."""

from pathlib import Path
from typing import Annotated

import typer

from adi.cli.show import plain_table, progress_bar, say, say_json

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]

ExcludeSeen = Annotated[
    bool | None,
    typer.Option(
        "--exclude-seen/--include-seen",
        help="Leave out the items of the history.",
        show_default="unless the data has repeats",
    ),
]
Condition = Annotated[
    str | None,
    typer.Option("--filter", help="A condition on the items' attributes, as in \"category = 'toys' and bid > 1\"."),
]
Bid = Annotated[
    str | None,
    typer.Option(help="Of a run: the items' attribute with their bids. A bundle has those it was exported with."),
]
BidWeight = Annotated[
    float, typer.Option(help="Order by score + this · log bid of the item in the domain; 0 leaves bids out.")
]


def export(
    run: Annotated[Path, typer.Argument(help="The folder of a run that is complete.")],
    out: Annotated[Path, typer.Option("--out", help="Folder to write; must not hold anything yet.")],
    target: Annotated[float, typer.Option(help="Recall that each index must reach against exact search.")] = 0.99,
    k: Annotated[int, typer.Option("-k", help="Of how many items that recall is.")] = 100,
    exact_below: Annotated[
        int, typer.Option(help="Domains of fewer items get an exact index, others an approximate one.")
    ] = 100_000,
    bid: Annotated[
        str | None, typer.Option(help="The items' attribute with their bids, for requests with a bid weight.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a bundle of a run: all that it takes to serve it, checked against the run before it is published.

    Example: [bold]adi export run --out bundle[/]
    """
    from adi.exporting.export import export as write
    from adi.exporting.export import planned_size
    from adi.index.settings import IndexSettings

    settings = IndexSettings(target=target, k=k, exact_below=exact_below)
    planned = planned_size(run, settings)
    if not as_json:
        say(
            f"{out}: {planned.items:,} items of {planned.domains} domains × {planned.dim} numbers: "
            f"{size(planned.bytes)} of vectors."
        )
    with progress_bar() as progress:
        info = write(run, out, settings=settings, bid=bid, progress=progress)
    if as_json:
        say_json(info.model_dump(mode="json"))
        return
    table = plain_table(None, "domain")
    for column in ("items", "index", "recall", "vectors off by", *(["recall with bids"] if bid else [])):
        table.add_column(column, justify="right")
    for name, own in info.domains.items():
        parity = own.parity
        with_bids = [f"{min(own.bids.recalls):.4f}"] if own.bids else []
        table.add_row(name, f"{own.items:,}", own.kind, f"{parity.recall:.4f}", f"{parity.vectors:.1e}", *with_bids)
    say(table)
    say(
        f"Wrote {out}, version {info.version}. Next: adi retrieve {out} --domain {next(iter(info.domains))} --user USER"
    )


def size(count: float) -> str:
    """``3.4 MB``, for people."""
    for unit in ("bytes", "KB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def retrieve(
    path: Annotated[Path, typer.Argument(help="The folder of a run that is complete, or of a bundle.")],
    domain: Annotated[str, typer.Option(help="The domain whose corpus is searched.")],
    user: Annotated[str | None, typer.Option(help="A user's id.")] = None,
    history: Annotated[
        str | None,
        typer.Option(help="Items of a user never seen, oldest first, as in 3,99; or replaces a known one's."),
    ] = None,
    context: Annotated[
        list[str] | None, typer.Option(help="A context feature, as in device=mobile; repeatable.")
    ] = None,
    k: Annotated[int, typer.Option("-k", help="How many items.")] = 10,
    exclude: Annotated[str | None, typer.Option(help="Items to leave out, as in 3,99.")] = None,
    exclude_seen: ExcludeSeen = None,
    condition: Condition = None,
    bid: Bid = None,
    bid_weight: BidWeight = 0.0,
    as_json: AsJson = False,
) -> None:
    """The top-K of a user in a domain.

    A run is searched exactly, a bundle by its index.

    Example: [bold]adi retrieve bundle --domain search --user 1 -k 5[/]
    """
    from adi.cli.settings import pairs
    from adi.retrieval.retriever import Retriever

    top = Retriever(path, bid=bid).retrieve(
        domain,
        user=user,
        history=None if history is None else _ids(history),
        context=pairs(context or [], "--context"),
        k=k,
        exclude_seen=exclude_seen,
        exclude=_ids(exclude or ""),
        filter=condition,
        bid_weight=bid_weight,
    )
    if as_json:
        found = [{"item": one.item, "score": one.score} for one in top.items]
        say_json({"domain": top.domain, "user": user, "items": found, "ignored": list(top.ignored)})
        return
    who = "a new user" if user is None else f"user {user}"
    if top.items:
        table = plain_table(f"{domain}, {who}", "rank")
        table.add_column("item", overflow="fold", max_width=60)
        table.add_column("score", justify="right")
        for rank, one in enumerate(top.items, 1):
            table.add_row(str(rank), one.item, f"{one.score:.4f}")
        say(table)
    else:
        admitted = " that the filter admits" if condition else ""
        say(f"Nothing to retrieve: {who} has had every item{admitted} of {domain}.")
    if top.ignored:
        say(f"Not in the data, ignored: {', '.join(top.ignored)}")


def retrieve_all(
    path: Annotated[Path, typer.Argument(help="The folder of a bundle, or of a run that is complete.")],
    out: Annotated[Path, typer.Option("--out", help="The Parquet file to write.")],
    users: Annotated[
        Path | None, typer.Option(help="A text file of user ids, one to a line.", show_default="every user")
    ] = None,
    domains: Annotated[str | None, typer.Option(help="As in search,feed.", show_default="all")] = None,
    k: Annotated[int, typer.Option("-k", help="How many items.")] = 10,
    exclude_seen: ExcludeSeen = None,
    condition: Condition = None,
    bid: Bid = None,
    bid_weight: BidWeight = 0.0,
) -> None:
    """Write the top-K of many users in each domain to a Parquet file: a row for each user and domain, with two lists.

    Example: [bold]adi retrieve-all bundle -k 100 --out top.parquet[/]
    """
    from adi.retrieval.batch import retrieve_all as run
    from adi.retrieval.retriever import Retriever

    asked = None if users is None else [line for line in users.read_text(encoding="utf-8").splitlines() if line]
    with progress_bar() as progress:
        written = run(
            Retriever(path, bid=bid),
            out,
            users=asked,
            domains=None if domains is None else _ids(domains),
            k=k,
            exclude_seen=exclude_seen,
            filter=condition,
            bid_weight=bid_weight,
            progress=progress,
        )
    say(f"Wrote {out}: {written:,} rows.")


def _ids(text: str) -> list[str]:
    return [one for one in text.split(",") if one]
