"""Items as people know them: title and picture where the schema names such columns, and the id."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from adi.data.attributes import ORIGIN
from adi.data.dataset import Dataset
from adi.report.elements import Html, text


@dataclass(frozen=True)
class Item:
    """An item of the data: its id, and its title and the URL of its picture, if it has them."""

    id: str
    title: str | None = None
    image: str | None = None

    def shown(self, *, rank: int | None = None, hit: bool = False, domain: str | None = None) -> Html:
        """An element of a list: picture, title with the id below it, or the id alone; `hit` marks it."""
        picture = ""
        if self.image is not None and re.match(ORIGIN, self.image):
            address = text(self.image)
            picture = f'<img src="{address}" alt="" loading="lazy" decoding="async" referrerpolicy="no-referrer">'
        below = [self.id] if self.title else []
        below += [f"in {domain}"] if domain is not None else []
        small = f"<small>{text(', '.join(below))}</small>" if below else ""
        mark = '<span aria-hidden="true">★ </span><span class="heard">held out: </span>' if hit else ""
        number = "" if rank is None else f'<span class="rank">{rank}</span>'
        name = f'<span class="name">{mark}{text(self.title or self.id)}{small}</span>'
        return Html(f'<li class="shown{" hit" if hit else ""}">{number}{picture}{name}</li>')


def items_of(dataset: Dataset, domain: int, numbers: Iterable[int]) -> dict[int, Item]:
    """The items of some numbers in a domain, by number."""
    distinct = np.unique(np.fromiter(numbers, dtype=np.int64))
    ids, display = dataset.items.keys_of(distinct), dataset.manifest.display
    if display is None:
        return {number: Item(key) for number, key in zip(distinct.tolist(), ids, strict=True)}
    attributes = dataset.attributes_of(domain, distinct)
    columns: list[list[object]] = [
        [None] * len(distinct) if name is None else attributes[name].to_pylist()
        for name in (display.title, display.image)
    ]
    return {
        number: Item(*values) for number, *values in zip(distinct.tolist(), ids, *map(_as_text, columns), strict=True)
    }


def _as_text(values: list[object]) -> list[str | None]:
    return [None if value is None else str(value) for value in values]
