"""Columns of an item table by which people see an item: its title, and the URL of its picture."""

from collections.abc import Collection, Iterable

from adi.guessing.profiles import Column, TableProfile
from adi.guessing.roles import words_of

TITLES = "title name headline caption label"
IMAGES = "image img picture pic photo thumbnail thumb poster cover icon"
"""The nouns of each, the most specific first."""

OF_ADDRESSES = frozenset({"url", "uri", "link", "src", "href", "address"})
"""Words that can follow the noun of a picture."""


def guess_display(table: TableProfile, keys: Collection[str]) -> dict[str, str]:
    """The columns of a title and of a picture, as far as a table has them, by their keys in ``display``."""
    texts = [column for column in table.columns.values() if column.form == "text" and column.name not in keys]
    titles = [column for column in texts if not column.low.startswith("http")]
    images = [column for column in texts if column.low.startswith(("http://", "https://"))]
    columns = {"title": _named(titles, TITLES), "image": _named(images, IMAGES)}
    return {key: column.name for key, column in columns.items() if column is not None}


def _named(columns: Iterable[Column], nouns: str) -> Column | None:
    """The column whose name ends with the first of the nouns."""
    known = nouns.split()
    ranked = [(known.index(noun), column) for column in columns if (noun := _noun(column.name)) in known]
    return min(ranked, key=lambda pair: pair[0])[1] if ranked else None


def _noun(name: str) -> str:
    """The last word of a name, apart from words for an address: ``imageUrl`` → image."""
    words = words_of(name)
    while len(words) > 1 and words[-1] in OF_ADDRESSES:
        words.pop()
    return words[-1] if words else ""
