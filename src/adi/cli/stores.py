"""The part of the command export that copies items into a vector store."""

from collections.abc import Sequence
from pathlib import Path

from adi.cli.progress import progress_bar
from adi.cli.show import plain_table, say, say_json

UNVERIFIED = {
    "parquet": "The files were read again and searched in full.",
    "vespa": "The feed was read again and searched in full; the recall of a Vespa that has it is not known.",
}


def copy_to_store(
    run: Path,
    to: str,
    out: str,
    alias: str,
    attributes: Sequence[str] | None,
    target: float,
    k: int,
    model: str | None,
    prepared: Path | None,
    *,
    verify: bool,
    as_json: bool,
) -> None:
    """Copy a run's items into a store, and show what a search there finds."""
    from adi.stores.copy import copy_items

    with progress_bar() as progress:
        copied = copy_items(
            run,
            to,
            out,
            alias=alias,
            attributes=attributes,
            target=target,
            k=k,
            model=model,
            prepared=prepared,
            verify=verify,
            progress=progress,
        )
    if as_json:
        say_json(copied.model_dump(mode="json"))
        return
    with_effort = any(domain.effort for domain in copied.domains.values())  # else the store scans
    table = plain_table(None, "domain")
    for column in ("items", f"recall@{k}", *(["ef"] if with_effort else [])):
        table.add_column(column, justify="right")
    for name, domain in copied.domains.items():
        effort = [f"{domain.effort}"] if with_effort else []
        table.add_row(name, f"{domain.items:,}", f"{domain.recall:.4f}", *effort)
    say(table)
    if copied.equal_lengths:
        say(f"Vectors have {copied.dim} numbers: the last is 0 in a query, and scores are those of the run.")
    if to in UNVERIFIED:
        say(UNVERIFIED[to])
    if copied.has_trends:
        say("Lists of this store are by taste alone: trends need the counters that adi serve keeps.")
    if copied.has_blend:
        say("Lists of this store are without the blend's added scores; blend=false trains a run without them.")
    say(f"Wrote {out}." if to in UNVERIFIED else f"Wrote {copied.name} to {out}, for which {alias} stands there.")
