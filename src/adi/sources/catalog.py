"""The public data sets of ``adi dataset``, by name."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from adi.errors import ArgumentError, suggestion
from adi.sources.complete_journey import complete_journey
from adi.sources.globo import globo_news
from adi.sources.movielens import movielens_1m
from adi.sources.xmrec import xmrec_wsdm22


@dataclass(frozen=True)
class Source:
    """A data set: the function that converts it, a description, and whether its domain column can be chosen."""

    function: Callable[..., None]
    description: str
    domain_choice: bool = False


SOURCES: dict[str, Source] = {
    "xmrec-wsdm22": Source(xmrec_wsdm22, "purchases in several markets, ids only, with candidates (WSDM Cup 2022)"),
    "globo-news": Source(globo_news, "clicks on news in October 2017, with time and context", domain_choice=True),
    "complete-journey": Source(complete_journey, "a year of grocery purchases by promotion channel, all features"),
    "movielens-1m": Source(movielens_1m, "a million ratings of films, domains by age, user and film features"),
}


def convert(
    name: str,
    source: str | Path,
    out: str | Path,
    *,
    domain: str | None = None,
    values: Sequence[str] | None = None,
) -> None:
    """Convert a public data set into tables and a schema.

        adi.convert("xmrec-wsdm22", "downloads/xmrec", "tables")

    Args:
        name: the data set, one of `SOURCES`; docs/datasets.md says where to get each.
        source: the folder with the published files.
        out: the folder to write, which must be empty or not exist.
        domain: the column that is the domain, for a data set that offers the choice. Needs `values`.
        values: the values of that column to keep, each of which becomes a domain.

    Raises:
        ArgumentError: for an unknown name, and for a choice that the data set does not offer or that is incomplete.
        AdiError: for files that are missing or cannot be read, and for an `out` that is not free.
    """
    if name not in SOURCES:
        raise ArgumentError("name", f"'{name}' is not a data set ({', '.join(SOURCES)}).{suggestion(name, SOURCES)}")
    choice: dict[str, object] = {}
    if domain is not None:
        if values is None:
            raise ArgumentError("domain", f"{domain}, without the values to keep. Give values, such as 1 and 3.")
        choice["domain_column"] = domain
    if values is not None:
        choice["values"] = values
    if choice and not SOURCES[name].domain_choice:
        offering = ", ".join(other for other, entry in SOURCES.items() if entry.domain_choice)
        raise ArgumentError(
            "domain" if domain else "values", f"the domains of '{name}' are fixed; only {offering} offers a choice."
        )
    SOURCES[name].function(Path(source), Path(out), **choice)
