"""A folder of top-k lists: files of one request, which several processes write and which goes on where it stopped.

``_request.json`` says of what the lists are. A file ``domain=NAME/NUMBER.parquet`` has the lists of `USERS_PER_FILE`
users; it is complete or absent.
"""

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from pathlib import Path
from urllib.parse import quote

from pydantic import ValidationError

from adi.data.arrays import Array
from adi.data.folder import new_file
from adi.errors import ArgumentError
from adi.strict import Strict, describe

REQUEST = "_request.json"
"""Readers of Parquet pass over names that begin so."""
USERS_PER_FILE = 1 << 16


class ListsRequest(Strict):
    """The request of a folder's lists.

    It has the `source` that answers (`adi.retrieval.engine.Engine.source`), a digest of the users' numbers, and the
    arguments of `adi.retrieve_all`.
    """

    source: dict[str, str | None]
    users: str
    users_per_file: int
    domains: tuple[str, ...]
    k: int
    exclude_seen: bool
    filter: str | None
    bid_weight: float

    @classmethod
    def of(
        cls,
        source: dict[str, str | None],
        users: Array,
        domains: tuple[str, ...],
        k: int,
        exclude_seen: bool,
        condition: str | None,
        bid_weight: float,
    ) -> "ListsRequest":
        """The request of users given by their numbers (n,)."""
        return cls(
            source=source,
            users=blake2b(users.astype("<i8").tobytes(), digest_size=16).hexdigest(),
            users_per_file=USERS_PER_FILE,
            domains=domains,
            k=k,
            exclude_seen=exclude_seen,
            filter=condition,
            bid_weight=bid_weight,
        )


class ListFiles:
    """The files of a request for `num_users` users in a folder, which is made if it is missing.

    Raises `ArgumentError` for a folder with the lists of another request, or with anything else.
    """

    def __init__(self, folder: Path, request: ListsRequest, num_users: int) -> None:
        self.folder, self.request, self.num_users = folder, request, num_users
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ArgumentError("out", f"{folder}: cannot be made ({error.strerror}). Choose another path.") from None
        path, text = folder / REQUEST, request.model_dump_json(indent=1)
        if not path.exists():
            if any(not each.name.startswith(".") for each in folder.iterdir()):
                raise ArgumentError("out", f"{folder}: holds something else. Choose another folder.")
            with new_file(path) as unfinished:
                unfinished.write_text(text, encoding="utf-8")
        stored = path.read_bytes()
        if stored != text.encode():
            try:
                former = ListsRequest.model_validate_json(stored)
            except ValidationError as error:
                reason = describe(error, ListsRequest)
                raise ArgumentError(
                    "out", f"{path}: not a request that this adi wrote: {reason}. Choose another folder."
                ) from None
            differing = _differing(former.source, request.source)
            differing += _differing(former.model_dump(exclude={"source"}), request.model_dump(exclude={"source"}))
            raise ArgumentError(
                "out",
                f"{folder}: holds lists of another request, which differs in {', '.join(differing)}. "
                "Choose another folder.",
            )

    def missing(self, part: tuple[int, int]) -> Iterator[tuple[str, range, Path]]:
        """The files of the i-th of n parts that are not there: domain, positions of the users, path."""
        number, of = part
        per_file = self.request.users_per_file
        starts = range(0, self.num_users, per_file)
        files = [(name, start) for name in self.request.domains for start in starts]
        for name, start in files[number - 1 :: of]:
            path = self.folder / f"domain={quote(name, safe='')}" / f"{start // per_file:06}.parquet"
            if not path.exists():
                path.parent.mkdir(exist_ok=True)
                yield name, range(start, min(start + per_file, self.num_users)), path


def _differing(former: Mapping[str, object], current: Mapping[str, object]) -> list[str]:
    """The names whose values differ, and those that only one of both has."""
    return [name for name in {**former, **current} if former.get(name) != current.get(name)]
