"""A prepared dataset, opened: arrays mapped from disk, the rows of each part, and the history of each row."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa

from adi.data.arrays import Array, checked_offsets, read_array
from adi.data.attributes import attribute_files
from adi.data.clicks import ClickLog
from adi.data.coding import Codes, Coding, Recoding
from adi.data.corpora import Corpora
from adi.data.entity_ids import EntityIds
from adi.data.histories import Histories
from adi.data.manifest import REMEDY, UNSEEN_ROW, Manifest, check_dataset, read_manifest, with_validation_rows
from adi.data.parquet_rows import rows_of
from adi.data.queries import Queries
from adi.data.ranges import count_below, ranges
from adi.errors import AdiError, suggestion

Part = Literal["train", "validation", "test"]

Known = Literal["frozen", "live"]
"""The rows that a query knows: ``frozen``, of training and validation alone; ``live``, all rows before its moment."""


class Dataset:
    """A folder that `adi prepare` wrote. Arrays stay on disk and are read through the page cache.

        dataset = adi.Dataset("prepared")
        dataset.manifest.by_domain, dataset.users.key(0)

    Users, items and domains are numbers; `users` and `items` map them to ids, `domains` to names. With `all_rows`,
    validation rows count as training rows: the dataset of a refit. Raises `AdiError` if the folder is not a prepared
    dataset, and where a file of it is missing or of another size; `verify` compares every byte.

    Codes of features are those of `coding`: the dataset's own, or with a `recoding` that of the run which reads it
    (`adi.features.recoding`). `manifest.features` and `manifest.trend` are then the run's, and `domain_codes` (D,) has
    the position of each domain among the run's.
    """

    def __init__(self, folder: str | Path, recoding: Recoding | None = None, *, all_rows: bool = False) -> None:
        self.folder, self.all_rows = Path(folder), all_rows
        manifest = self._stored = read_manifest(self.folder)
        check_dataset(self.folder, manifest, digests=False)
        self.coding = Coding(self.folder, manifest) if recoding is None else recoding.coding
        self.is_recoded = recoding is not None
        self.recoded: Mapping[str, Codes] = {} if recoding is None else recoding.codes
        of_coding = {"features": self.coding.features, "trend": self.coding.manifest.trend}
        self.manifest: Manifest = manifest.model_copy(update=of_coding)
        self.domains = self.manifest.domains
        self.domain_codes: Array = np.array([self.coding.domains.index(name) for name in self.domains])
        self._clicks: dict[Known, ClickLog] = {}
        self._context = [feature.name for feature in self.manifest.side("context")]
        self._log, self._log_context = self._columns("interactions", "held_out")
        self.user_offsets = self.offsets("interactions/user_offsets", manifest.users, len(self._log["user"]))
        if all_rows:
            self._held_out = np.flatnonzero(self._log["held_out"])
            self._log["held_out"] = np.broadcast_to(np.int8(0), self._log["held_out"].shape)
            self.manifest = with_validation_rows(self.manifest)

    def verify(self) -> None:
        """Compare every file with its digest. Raises `AdiError` for damage, and for data that has no digests."""
        check_dataset(self.folder, self._stored, digests=True)

    @cached_property
    def _test_columns(self) -> tuple[dict[str, Array], dict[str, Codes]]:
        """The columns of the test rows, opened when first used: a bundle has none."""
        columns, context = self._columns("test", "before")
        rows_of_user = np.diff(self.user_offsets)[columns["user"]]
        if ((columns["before"] < 0) | (columns["before"] > rows_of_user)).any():
            raise AdiError(f"{self.folder / 'test' / 'before.npy'}: damaged, with more rows than users have. {REMEDY}")
        return columns, context

    @property
    def _test(self) -> dict[str, Array]:
        return self._test_columns[0]

    def _columns(self, part: str, extra: str) -> tuple[dict[str, Array], dict[str, Codes]]:
        """The columns that both parts have with the `extra` one of this part, and those of the context."""
        names = ["user", "item", "domain", extra] + (["time"] if self.manifest.time is not None else [])
        columns = {name: self.array(f"{part}/{name}") for name in names}
        return columns, {name: self.codes(f"{part}/context_{name}") for name in self._context}

    def array(self, name: str) -> Array:
        """An array of the folder, as it is stored: ``corpus/item``."""
        path = self.folder / f"{name}.npy"
        try:
            return read_array(path)
        except FileNotFoundError:
            raise AdiError(f"{path}: the file is missing from the prepared dataset. Prepare it again.") from None

    def offsets(self, name: str, count: int, length: int) -> Array:
        """The offsets (count + 1,) of that many slices of an array of `length`; raises `AdiError` for others."""
        return checked_offsets(self.array(name), count, length, self.folder / f"{name}.npy")

    def codes(self, name: str) -> Codes:
        """The codes of an array of the folder, by `coding`: ``interactions/context_device``."""
        return self.recoded[name] if name in self.recoded else self.array(name)

    @property
    def num_rows(self) -> int:
        """The number of training and validation rows."""
        return len(self._log["user"])

    def rows(self, part: Part) -> Array:
        """The row numbers of a part. Training and validation share one numbering, the test has its own."""
        if part == "test":
            return np.arange(len(self._test["user"]))
        return np.flatnonzero(self._log["held_out"] == (part == "validation"))

    def is_training(self, rows: Array) -> Array:
        """Whether each of the rows, of training or validation, is a training row."""
        training: Array = self._log["held_out"][rows] == 0
        return training

    def targets(self, part: Part, rows: Array) -> tuple[Array, Array, Array]:
        """Users, items and domains of rows, (n,) each."""
        columns = self._test if part == "test" else self._log
        return columns["user"][rows], columns["item"][rows].astype(np.int64), columns["domain"][rows].astype(np.int64)

    def times(self, part: Part) -> Array:
        """The time of every row of the numbering of a part, in the log's unit; only for a log with time."""
        return self.array(f"{'test' if part == 'test' else 'interactions'}/time")

    def queries(
        self,
        part: Part,
        rows: Array,
        *,
        causal: bool = True,
        lookback: int | None = None,
        known: Known = "frozen",
    ) -> Queries:
        """The rows as requests, with what was known when each happened.

        The history is what the user did earlier, never the row itself: for a test row also the validation rows, for
        others the training rows only; and if all rows are `known` ``live``, every row before the moment. In a log
        without time, and with ``causal=False``, it is everything else that the user did in training and validation. At
        most `lookback` rows are read for each history.
        """
        columns = self._test if part == "test" else self._log
        users, domains = columns["user"][rows], columns["domain"][rows].astype(np.int64)
        context_columns = self._test_columns[1] if part == "test" else self._log_context
        context = {name: codes[rows] for name, codes in context_columns.items()}
        moments = None if self.manifest.time is None else columns["time"][rows]
        if known == "live" and moments is not None and causal:
            histories = self._histories_before(users, moments, lookback)
        else:
            histories = self._histories_in(part, rows, users, causal=causal, lookback=lookback)
        return Queries(users, domains, histories, context, moments, self.clicks(known))

    def clicks(self, known: Known) -> ClickLog | None:
        """The clicks by time, for counters; None if the schema asks for no trends, and in a bundle, which has counters
        of its own.

        Where all test rows are later than the others, ``frozen`` counters stop at the first of them.
        """
        manifest = self.manifest
        if manifest.trend is None or not (self.folder / "trends").is_dir():
            return None
        if known not in self._clicks:
            has_test, until = True, None
            if known == "frozen" and (self.folder / "trends" / "known").is_dir():
                has_test = False
            elif known == "frozen":
                until = self._test["time"].min()
            self._clicks[known] = ClickLog(
                self.folder / "trends" / ("all" if has_test else "known"),
                manifest.trend,
                manifest.items,
                len(self.domains),
                has_test=has_test,
                until=until,
            )
        return self._clicks[known]

    def clickers(self, rows: Array, *, in_test: bool, last: int, with_test: bool) -> Queries:
        """The users of clicks, of one domain, with their `last` items before the click.

        `rows` count on from the log's rows to those of the test, all of which are `in_test` or none; histories hold
        rows of the test `with_test` alone.
        """
        part: Part = "test" if in_test else "train"
        rows = rows - in_test * self.num_rows
        queries = self.queries(part, rows, lookback=last, known="live" if with_test else "frozen")
        if not with_test:
            begin = np.maximum(self.user_offsets[queries.users], rows - last)
            queries = replace(queries, histories=self._histories(begin, rows, exclude=None, with_held_out=True))
        return queries

    def _histories_before(self, users: Array, moments: Array, lookback: int | None) -> Histories:
        """The rows of each user before a moment, of whatever part."""
        log = self._timeline
        begin, stop = log["user_offsets"][users], log["user_offsets"][users + 1]
        end = begin + count_below(log["time"], begin, stop, moments)
        if lookback is not None:
            begin = np.maximum(begin, end - lookback)
        positions, offsets = ranges(begin, end)
        return Histories(log["item"][positions], log["domain"][positions], offsets)

    @cached_property
    def _timeline(self) -> dict[str, Array]:
        """The rows of all parts by user and time."""
        columns = {name: self.array(f"timeline/{name}") for name in ("item", "domain", "time")}
        offsets = self.offsets("timeline/user_offsets", self.manifest.users, len(columns["item"]))
        return columns | {"user_offsets": offsets}

    def _histories_in(self, part: Part, rows: Array, users: Array, *, causal: bool, lookback: int | None) -> Histories:
        """The histories of rows from training and validation; see `queries`."""
        columns = self._test if part == "test" else self._log
        begin, stop = self.user_offsets[users], self.user_offsets[users + 1]
        causal = causal and self.manifest.time is not None
        excluded = None if part == "test" else rows  # test rows are not among the rows of histories
        if causal:
            end = begin + columns["before"][rows] if part == "test" else rows
            if lookback is not None:
                begin = np.maximum(begin, end - lookback)
        else:
            end = stop
            if lookback is not None:  # the newest rows, or those from the row itself on where it is older
                size = lookback + (excluded is not None)
                begin = np.maximum(begin, stop - size if excluded is None else np.minimum(excluded, stop - size))
                end = np.minimum(stop, begin + size)
        return self._histories(begin, end, exclude=None if causal else excluded, with_held_out=part == "test")

    def _histories(self, begin: Array, end: Array, *, exclude: Array | None, with_held_out: bool) -> Histories:
        positions, offsets = ranges(begin, end)
        keep = np.ones(len(positions), dtype=bool) if with_held_out else self._log["held_out"][positions] == 0
        if exclude is not None:
            keep &= positions != np.repeat(exclude, np.diff(offsets))
        kept = np.concatenate([[0], np.cumsum(keep)])
        positions = positions[keep]
        return Histories(self._log["item"][positions], self._log["domain"][positions], kept[offsets])

    def latest(self, users: Array, domains: Array, context: Mapping[str, Array]) -> Queries:
        """Requests made at the end of the log, with the users' complete histories."""
        return self.at_end(Queries(users, domains, self.histories(users), context))

    def at_end(self, queries: Queries) -> Queries:
        """Queries that know all clicks by time of training and validation; unchanged if the data has no trends."""
        clicks = self.clicks("frozen")
        if clicks is None:
            return queries
        return replace(queries, moments=np.full(len(queries), clicks.end), clicks=clicks)

    def histories(self, users: Array) -> Histories:
        """All rows of each user in the log; an empty history for the user -1."""
        begin = self.user_offsets[users]
        end = np.where(users < 0, begin, self.user_offsets[users + 1])
        positions, offsets = ranges(begin, end)
        return Histories(self._log["item"][positions], self._log["domain"][positions], offsets)

    def known_positives(self, users: Array, domains: Array) -> tuple[Array, Array]:
        """Items that each user took in a domain in training: items (T,) and offsets (n + 1,)."""
        positions, offsets = ranges(self.user_offsets[users], self.user_offsets[users + 1])
        keep = self._log["domain"][positions] == np.repeat(domains.astype(np.int32), np.diff(offsets))
        keep &= self._log["held_out"][positions] == 0
        kept = np.flatnonzero(keep)
        return self._log["item"][positions[kept]].astype(np.int64), np.searchsorted(kept, offsets)

    @cached_property
    def corpora(self) -> Corpora:
        """The items of each domain."""
        cuts = self.offsets("corpus/offsets", len(self.domains), len(self.array("corpus/item")))[1:-1]
        item, count, eligible = (np.split(self.array(f"corpus/{name}"), cuts) for name in ("item", "count", "eligible"))
        if self.all_rows:
            _, items, domains = self.targets("train", self._held_out)
            for domain, corpus in enumerate(item):
                positions = np.searchsorted(corpus, items[domains == domain].astype(corpus.dtype))
                count[domain] = count[domain] + np.bincount(positions, minlength=len(corpus))
        return Corpora(item, count, eligible)

    def candidates(self, rows: Array) -> tuple[Array, Array] | None:
        """The candidates of test rows: items (T,) and offsets (n + 1,); None if the split gives none."""
        if not self.manifest.candidates:
            return None
        items, offsets = self._candidates
        positions, cuts = ranges(offsets[rows], offsets[rows + 1])
        return items[positions].astype(np.int64), cuts

    @cached_property
    def _candidates(self) -> tuple[Array, Array]:
        """The candidates of all test rows: items and offsets."""
        items = self.array("candidates/item")
        return items, self.offsets("candidates/offsets", len(self._test["user"]), len(items))

    def feature(self, side: str, name: str) -> Codes:
        """An array of a feature of users or items; `adi.features` says which arrays each kind has.

        An id that only validation rows have is unseen, except with `all_rows`; a run knows which ids it has seen.
        """
        codes = self.codes(f"features/{side}/{name}")
        held_out = self.held_out_ids(name)
        if self.all_rows or self.is_recoded or not len(held_out):
            return codes
        array: Array = np.array(codes[:])
        array[held_out] = UNSEEN_ROW
        return array

    def held_out_ids(self, name: str) -> Array:
        """The users or items whose ids only validation rows have, of a feature of kind id."""
        path = self.folder / "held_out_ids" / f"{name}.npy"
        return read_array(path) if path.exists() else np.empty(0, dtype=np.int64)

    def attributes(self, domain: int, columns: Sequence[str] | None = None) -> pa.Table:
        """The items' attributes in a domain, all or the named ones: one row for each item, in the order of numbers.

        Raises `AdiError` for an attribute that does not exist, and if the dataset was prepared by a version of adi that
        did not keep attributes.
        """
        files = attribute_files(self.folder / "attributes", domain)
        for name in columns or ():
            if name not in files:
                known = f"{suggestion(name, files)} Attributes: {', '.join(files)}."
                raise AdiError(f"{self.folder}: items have no attribute '{name}'.{known}")
        names = list(files) if columns is None else columns
        return pa.table({name: files[name].read([name])[name] for name in names})

    def attributes_schema(self, domain: int) -> pa.Schema:
        """Names and types of the items' attributes in a domain. Raises `AdiError` as `attributes` does."""
        files = attribute_files(self.folder / "attributes", domain)
        return pa.schema([file.schema_arrow.field(name) for name, file in files.items()])

    def attributes_of(self, domain: int, items: Array) -> pa.Table:
        """The attributes of some items in a domain, one row for each of `items`, in their order.

        Only the row groups that hold them are read. Raises `AdiError` as `attributes` does.
        """
        files = attribute_files(self.folder / "attributes", domain)
        tables = {id(file): rows_of(file, items) for file in files.values()}
        return pa.table({name: tables[id(file)][name] for name, file in files.items()})

    @cached_property
    def users(self) -> EntityIds:
        """The ids of users by number."""
        return EntityIds(self.folder / "entities" / "user.arrow")

    @cached_property
    def items(self) -> EntityIds:
        """The ids of items by number."""
        return EntityIds(self.folder / "entities" / "item.arrow")
