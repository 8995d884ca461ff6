"""The public data sets that ``adi dataset`` knows, by name."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from adi.errors import AdiError, suggestion
from adi.sources.complete_journey import complete_journey
from adi.sources.globo import globo_news
from adi.sources.movielens import movielens_1m
from adi.sources.xmrec import xmrec_wsdm22


@dataclass(frozen=True)
class Source:
    """How a data set is converted, what it is, and if its domain column can be chosen."""

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
    name: str, source: Path, out: Path, *, domain_column: str | None = None, values: Sequence[str] | None = None
) -> None:
    """Convert the data set `name`, published in the folder `source`, into tables and a schema in the new folder `out`.

    `domain_column` and `values` choose another domain, for a data set that offers it. Raises `AdiError` for an unknown
    name, a choice that is not offered or half made, files that are missing or unreadable, and an `out` that is taken.
    """
    if name not in SOURCES:
        raise AdiError(f"'{name}': no such data set ({', '.join(SOURCES)}).{suggestion(name, SOURCES)}")
    choice: dict[str, object] = {}
    if domain_column is not None:
        if values is None:
            raise AdiError(
                f"--domain {domain_column}: its values to keep are missing. Add --values, as in --values 1,3."
            )
        choice["domain_column"] = domain_column
    if values is not None:
        choice["values"] = values
    if choice and not SOURCES[name].domain_choice:
        offering = ", ".join(other for other, entry in SOURCES.items() if entry.domain_choice)
        raise AdiError(f"--domain and --values: '{name}' has its domains fixed; only {offering} offers the choice.")
    SOURCES[name].function(source, out, **choice)
