"""Results that are computed one ahead, while the caller works on the one before."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Argument = TypeVar("Argument")
Result = TypeVar("Result")


def one_ahead(function: Callable[[Argument], Result], arguments: Iterable[Argument]) -> Iterator[Result]:
    """Yield ``function(argument)`` of each argument in order; the next is computed in a thread meanwhile.

    An exception of the function is raised where its result would be yielded.

    Example:
        >>> list(one_ahead(abs, [-1, 2, -3]))
        [1, 2, 3]
    """
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="one-ahead") as pool:
        pending = None
        for argument in arguments:
            done, pending = pending, pool.submit(function, argument)
            if done is not None:
                yield done.result()
        if pending is not None:
            yield pending.result()
