"""The commands export, which makes a bundle of a run, and retrieve and retrieve-all, which search a bundle or a run."""

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from adi.cli.log import LOG
from adi.cli.options import AsJson, ExcludeSeen, ModelPath, Prepared, Processes, Verify
from adi.cli.processes import in_processes, is_first
from adi.cli.progress import progress_bar
from adi.cli.show import other_data, plain_table, say, say_json
from adi.cli.stores import copy_to_store
from adi.errors import AdiError, ArgumentError

if TYPE_CHECKING:
    from adi.retrieval.retriever import Retriever


Condition = Annotated[
    str | None,
    typer.Option("--filter", help="Condition on the items' attributes, such as \"category = 'toys' and bid > 1\"."),
]
Bid = Annotated[
    str | None,
    typer.Option(
        help="For a run: the items' attribute that holds their bids. A bundle has those it was exported with."
    ),
]
BidWeight = Annotated[float, typer.Option(help="Rank by score + WEIGHT · log bid in the domain; 0 ignores bids.")]


def export(
    run: Annotated[Path, typer.Argument(help="Folder of a complete run.")],
    out: Annotated[
        str,
        typer.Option("--out", help="Folder to write, which must be missing or empty; or the address of a store."),
    ],
    to: Annotated[
        str,
        typer.Option(
            help="bundle, which adi serves; or a copy of the items for parquet, milvus, qdrant or vespa.",
            metavar="KIND",
        ),
    ] = "bundle",
    target: Annotated[float, typer.Option(help="Recall@k that each index must reach against exact search.")] = 0.99,
    k: Annotated[int, typer.Option("-k", help="The k of that recall.")] = 100,
    exact_below: Annotated[
        int,
        typer.Option(help="Of a bundle: domains with fewer items get an exact index, others an approximate one."),
    ] = 100_000,
    bid: Annotated[
        str | None,
        typer.Option(help="Of a bundle: the items' attribute that holds their bids, for requests with a bid weight."),
    ] = None,
    alias: Annotated[str, typer.Option(help="In a store: the name by which the items are asked for.")] = "adi",
    attributes: Annotated[
        str | None, typer.Option(help="In a store: the items' attributes, such as category,price.", show_default="all")
    ] = None,
    model: ModelPath = None,
    prepared: Prepared = None,
    verify: Verify = True,
    as_json: AsJson = False,
    nproc: Processes = 1,
) -> None:
    """Export a run as a bundle: everything needed to serve it, compared with the run before it is published.

    With --to, copy its items into a vector store that you have already, and search there before they are published.

    Example: [bold]adi export run --out bundle[/]
    """
    if to != "bundle":
        if bid is not None:
            raise ArgumentError("bid", "a store has no bids; adi serve ranks with them, from a bundle.")
        if nproc > 1:
            raise ArgumentError("nproc", f"{nproc}; one process copies the items into a store. Leave it out.")
        names = None if attributes is None else [name for name in attributes.split(",") if name]
        copy_to_store(run, to, out, alias, names, target, k, model, prepared, verify=verify, as_json=as_json)
        return
    if in_processes(nproc):
        return
    from adi.exporting.export import export as export_run
    from adi.exporting.export import planned_size

    settings, first = {"target": target, "k": k, "exact_below": exact_below}, is_first()
    if first and not as_json:
        planned = planned_size(run, settings, model=model, prepared=prepared)
        say(
            f"{out}: {planned.items:,} items of {planned.domains} domains × {planned.dim} numbers: "
            f"{size(planned.bytes)} of vectors."
        )
    with progress_bar() if first else nullcontext(False) as progress:
        info = export_run(
            run,
            Path(out),
            settings=settings,
            bid=bid,
            model=model,
            prepared=prepared,
            verify=verify,
            progress=progress,
        )
    if not first:
        return
    if as_json:
        say_json(info.model_dump(mode="json"))
        return
    table = plain_table(None, "domain")
    for column in ("items", "index", "recall", "vectors off by", *(["recall with bids"] if bid else [])):
        table.add_column(column, justify="right")
    for name, domain in info.domains.items():
        recall, difference = f"{domain.parity.recall:.4f}", f"{domain.parity.vectors:.1e}"
        with_bids = [f"{min(domain.bids.recalls):.4f}"] if domain.bids else []
        table.add_row(name, f"{domain.items:,}", domain.kind, recall, difference, *with_bids)
    say(table)
    for line in other_data(info.unknown, prepared, info.model):
        say(line)
    say(
        f"Wrote {out}, version {info.version}. Next: adi retrieve {out} --domain {next(iter(info.domains))} --user USER"
    )


def size(count: float) -> str:
    """Format a number of bytes, such as ``3.4 MB``."""
    for unit in ("bytes", "KB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def retrieve(
    path: Annotated[Path, typer.Argument(help="Folder of a bundle, or of a complete run.")],
    domain: Annotated[str, typer.Option(help="Domain whose corpus is searched.")],
    user: Annotated[str | None, typer.Option(help="Id of the user.")] = None,
    history: Annotated[
        str | None,
        typer.Option(help="Item ids, oldest first, such as 3,99: a new user's history, or in place of a known one's."),
    ] = None,
    context: Annotated[
        list[str] | None, typer.Option(help="Context feature, such as device=mobile; repeatable.")
    ] = None,
    k: Annotated[int, typer.Option("-k", help="Number of items.")] = 10,
    exclude: Annotated[str | None, typer.Option(help="Item ids to leave out, such as 3,99.")] = None,
    exclude_seen: ExcludeSeen = None,
    condition: Condition = None,
    bid: Bid = None,
    bid_weight: BidWeight = 0.0,
    model: ModelPath = None,
    prepared: Prepared = None,
    as_json: AsJson = False,
) -> None:
    """Show a user's top k in a domain.

    A run is searched exactly, a bundle through its index.

    Example: [bold]adi retrieve bundle --domain search --user 1 -k 5[/]
    """
    from adi.cli.settings import pairs

    top = _open(path, bid, model, prepared).retrieve(
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
        items = [{"item": item, "score": score} for item, score in zip(top.ids, top.scores, strict=True)]
        say_json({"domain": top.domain, "user": user, "items": items, "ignored": list(top.ignored)})
        return
    who = "a new user" if user is None else f"user {user}"
    if top.items:
        table = plain_table(f"{domain}, {who}", "rank")
        table.add_column("item", overflow="fold", max_width=60)
        table.add_column("score", justify="right")
        for rank, (item, score) in enumerate(zip(top.ids, top.scores, strict=True), 1):
            table.add_row(str(rank), item, f"{score:.4f}")
        say(table)
    else:
        which = " that the filter allows" if condition else ""
        say(f"Nothing to retrieve: {who} has had every item of {domain}{which}.")
    if top.ignored:
        say(f"Not in the data, ignored: {', '.join(top.ignored)}")


def retrieve_all(
    path: Annotated[Path, typer.Argument(help="Folder of a bundle, or of a complete run.")],
    out: Annotated[
        Path, typer.Option("--out", help="NAME.parquet, or a folder of such files, in which the same command goes on.")
    ],
    users: Annotated[
        Path | None, typer.Option(help="Text file of user ids, one per line.", show_default="every user")
    ] = None,
    domains: Annotated[
        str | None, typer.Option(help="Names of domains, such as search,feed.", show_default="all")
    ] = None,
    k: Annotated[int, typer.Option("-k", help="Number of items.")] = 10,
    exclude_seen: ExcludeSeen = None,
    condition: Condition = None,
    bid: Bid = None,
    bid_weight: BidWeight = 0.0,
    part: Annotated[
        str, typer.Option(help="Of a folder: the part to write, such as 2/8 on the second of eight machines.")
    ] = "1/1",
    model: ModelPath = None,
    prepared: Prepared = None,
    verify: Verify = True,
    as_json: AsJson = False,
) -> None:
    """Write the top k of many users as Parquet: a row for each domain and user, with the lists items and scores.

    Example: [bold]adi retrieve-all bundle -k 100 --out top.parquet[/]
    """
    from adi.retrieval.retrieve_all import retrieve_all as write_all

    user_ids = None if users is None else _lines(users)
    with progress_bar() as progress:
        rows = write_all(
            _open(path, bid, model, prepared, verify=verify),
            out,
            users=user_ids,
            domains=None if domains is None else _ids(domains),
            k=k,
            exclude_seen=exclude_seen,
            filter=condition,
            bid_weight=bid_weight,
            part=_part(part),
            progress=progress,
        )
    if as_json:
        say_json({"out": str(out), "rows": rows})
    else:
        say(f"Wrote {out}: {rows:,} rows.")


def _part(text: str) -> tuple[int, int]:
    """Parse ``2/8``."""
    number, slash, of = text.partition("/")
    if not (slash and number.isascii() and number.isdecimal() and of.isascii() and of.isdecimal()):
        raise ArgumentError("part", f"'{text}' is not of the form 2/8.")
    return int(number), int(of)


def _open(
    path: Path, bid: str | None, model: str | None, prepared: Path | None, *, verify: bool = False
) -> "Retriever":
    """Open a run or a bundle; sentences on a run that is used on another dataset go to standard error."""
    from adi.features.unknown import unknown_values
    from adi.retrieval.retriever import Retriever

    retriever = Retriever(path, bid=bid, model=model, prepared=prepared, verify=verify)
    for line in other_data(unknown_values(retriever.dataset), prepared, retriever.engine.about()["model"]):
        LOG.message(line)
    return retriever


def _ids(text: str) -> list[str]:
    return [item for item in text.split(",") if item]


def _lines(path: Path) -> list[str]:
    """The lines of a text file that are not empty."""
    try:
        return [line for line in path.read_text(encoding="utf-8").splitlines() if line]
    except UnicodeDecodeError as error:
        raise AdiError(f"{path}: not readable as text: {error}. Save it as UTF-8.") from None
