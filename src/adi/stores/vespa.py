"""Items for Vespa: an application and its feed, in a folder. Vespa itself finds inner products by equal lengths."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import numpy as np
import orjson
import pyarrow as pa

from adi.data.arrays import Array
from adi.data.folder import new_folder
from adi.errors import ArgumentError
from adi.stores.records import records_of
from adi.stores.scan import best_of
from adi.stores.store import DOMAIN, ID, NUMBER, VECTOR, Answer, Items

FEED, BYTES_AT_ONCE = "feed", 1 << 22

SERVICES = """<?xml version="1.0" encoding="utf-8" ?>
<services version="1.0">
  <container id="default" version="1.0">
    <document-api/>
    <search/>
  </container>
  <content id="items" version="1.0">
    <min-redundancy>1</min-redundancy>
    <documents>
      <document type="{document}" mode="index"/>
    </documents>
  </content>
</services>
"""

SCHEMA = """schema {document} {{
  document {document} {{
{fields}
  }}
  rank-profile by_score {{
    inputs {{
      query(user) tensor<float>(x[{dim}])
    }}
    first-phase {{
      expression: closeness(field, {vector})
    }}
  }}
}}
"""

VECTOR_FIELD = """    field {name} type tensor<float>(x[{dim}]) {{
      indexing: attribute | index
      attribute {{
        distance-metric: dotproduct
      }}
    }}"""


class VespaFiles:
    """An application ``schemas/NAME.sd`` and ``services.xml``, and a file of documents for each domain."""

    efforts = (0,)

    def __init__(self, folder: Path, document: str) -> None:
        self.folder, self.document = folder, document

    def create(self, dim: int, attributes: pa.Schema) -> None:
        fields = [
            _field(NUMBER, "long", "attribute | summary"),
            _field(ID, "string", "attribute | summary"),
            _field(DOMAIN, "string", "attribute | summary", fast_search=True),
            VECTOR_FIELD.format(name=VECTOR, dim=dim),
            *(_field(field.name, _type(field), "attribute | summary") for field in attributes),
        ]
        for folder in (self.folder / "schemas", self.folder / FEED):
            folder.mkdir()
        text = SCHEMA.format(document=self.document, fields="\n".join(fields), dim=dim, vector=VECTOR)
        (self.folder / "schemas" / f"{self.document}.sd").write_text(text, encoding="utf-8")
        (self.folder / "services.xml").write_text(SERVICES.format(document=self.document), encoding="utf-8")

    def add(self, items: Items) -> None:
        with self._feed(items.domain).open("ab") as file:
            for row, record in enumerate(records_of(items.attributes)):
                number = items.first + row
                fields = {
                    NUMBER: number,
                    ID: items.ids[row],
                    DOMAIN: items.domain,
                    VECTOR: {"values": items.vectors[row]},
                    **record,
                }
                document = {"put": f"id:{self.document}:{self.document}::{number}", "fields": fields}
                file.write(orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE))

    def finish(self) -> None:
        return

    def search(self, domain: str, queries: Array, k: int, effort: int) -> list[Answer]:
        """Scan the documents of a domain."""
        return best_of(self._blocks(domain), queries, k)

    def _blocks(self, domain: str) -> Iterator[tuple[Sequence[str], Array]]:
        with self._feed(domain).open("rb") as file:
            while lines := file.readlines(BYTES_AT_ONCE):
                fields = [orjson.loads(line)["fields"] for line in lines]
                vectors = np.array([each[VECTOR]["values"] for each in fields], dtype=np.float32)
                yield [each[ID] for each in fields], vectors

    def _feed(self, domain: str) -> Path:
        return self.folder / FEED / f"{quote(domain, safe='')}.jsonl"


def _field(name: str, kind: str, indexing: str, *, fast_search: bool = False) -> str:
    attribute = "\n      attribute: fast-search" if fast_search else ""
    return f"    field {name} type {kind} {{\n      indexing: {indexing}{attribute}\n    }}"


def _type(field: pa.Field) -> str:
    """The type of a field for an attribute. Raises `ArgumentError` for one without such a type."""
    of, is_list = field.type, pa.types.is_list(field.type)
    if is_list:
        of = of.value_type
    if pa.types.is_boolean(of):
        kind = "bool"
    elif pa.types.is_integer(of):
        kind = "long"
    elif pa.types.is_floating(of) or pa.types.is_decimal(of):
        kind = "double"
    elif pa.types.is_string(of) or pa.types.is_large_string(of) or pa.types.is_temporal(of):
        kind = "string"
    else:
        raise ArgumentError(
            "attributes", f"'{field.name}' is a {field.type}, for which Vespa has no field. Name those to copy."
        )
    return f"array<{kind}>" if is_list else kind


@contextmanager
def vespa_files(out: str, alias: str, name: str) -> Iterator[VespaFiles]:
    """An application with documents called `alias` in the new folder `out`, or none if the block fails."""
    with new_folder(Path(out)) as folder:
        yield VespaFiles(folder, alias)
