"""A collection of a server: published when it is whole, and removed if anything fails."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Protocol, TypeVar

from adi.errors import AdiError


class Collection(Protocol):
    """A collection with a name, which an alias may stand for."""

    name: str

    def publish(self, alias: str) -> None:
        """Let an alias name this collection, in one step if it named another."""
        ...

    def drop(self) -> None: ...


Own = TypeVar("Own", bound=Collection)


@contextmanager
def published(collection: Own, alias: str, server: str, refusals: tuple[type[Exception], ...]) -> Iterator[Own]:
    """Publish a collection when the block ends, or drop it if the block fails.

    Raises `AdiError` in place of the server's `refusals`.
    """
    try:
        yield collection
        collection.publish(alias)
    except BaseException as error:
        with suppress(*refusals):  # a failing removal must not hide the error that brought us here
            collection.drop()
        if isinstance(error, refusals):
            raise AdiError(f"{server}: refused ({reason_of(error)}). Nothing was published.") from None
        raise


def reason_of(error: BaseException) -> str:
    """The text of an error in one line."""
    return " ".join(str(error).split())
