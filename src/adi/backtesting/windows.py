"""Windows of a walk forward: stretches of equal length, one after the other, up to the end of the log."""

from dataclasses import dataclass
from datetime import datetime

from adi.durations import MICROSECONDS, in_log_time
from adi.errors import AdiError, ArgumentError
from adi.moments import Moment, from_log_time, to_log_time
from adi.preparation.span import Span

STEPS = tuple(
    size * MICROSECONDS[unit] for size, unit in ((1, "s"), (10, "s"), (1, "m"), (5, "m"), (15, "m"), (1, "h"))
)
"""The end of the log is rounded up to a multiple of one of these, the largest that is a twelfth of a window or less."""


@dataclass(frozen=True)
class Window:
    """The test rows from `start` on and before `stop`, in the unit of the log; windows are numbered from 1."""

    number: int
    start: Moment
    stop: Moment

    @property
    def key(self) -> str:
        """The name of the window's folder."""
        return f"window-{self.number}"

    @property
    def between(self) -> tuple[float, float]:
        """Start and stop in the unit of the log's time."""
        return to_log_time(self.start), to_log_time(self.stop)

    @property
    def label(self) -> str:
        """The start for the head of a column: ``10-04 15:00``, or the number."""
        return text_of(self.start)[5:] if isinstance(self.start, datetime) else text_of(self.start)


def text_of(moment: Moment) -> str:
    """A moment as text: ``2017-10-04 15:00``, with seconds where it has any, or the number."""
    if isinstance(moment, datetime):
        return moment.isoformat(sep=" ", timespec="auto" if moment.second or moment.microsecond else "minutes")
    return str(moment)


def windows_of(
    span: Span, every: int | float | str, count: int, until: int | float | str | Moment | None
) -> tuple[Window, ...]:
    """The last `count` windows of length `every` before `until`, or before the end of the log.

    The end of a log of timestamps is rounded up (`STEPS`), so that windows begin at round times.

    Raises `ArgumentError` for a length or a moment that does not fit the log, and where windows lie outside of it.
    """
    if count < 1:
        raise ArgumentError("windows", f"{count}; give 1 or more.")
    length = _length(every, span)
    end = _end(span, length) if until is None else _moment(until, span)
    starts = [end - (count - number) * length for number in range(count)]
    shown_last = text_of(from_log_time(span.last, span.time))
    if starts[0] <= span.first:
        raise ArgumentError(
            "windows",
            f"{count} of {every} begin at {text_of(from_log_time(starts[0], span.time))}, and the log begins at "
            f"{text_of(from_log_time(span.first, span.time))} and ends at {shown_last}: no row is left to train on. "
            "Give fewer windows, or shorter ones.",
        )
    if starts[-1] > span.last:
        raise ArgumentError(
            "until",
            f"{until}: the last window begins at {text_of(from_log_time(starts[-1], span.time))}, after the end of "
            f"the log at {shown_last}. Give an earlier moment.",
        )
    cuts = [from_log_time(cut, span.time) for cut in (*starts, end)]
    return tuple(Window(number + 1, *cuts[number : number + 2]) for number in range(count))


def _length(every: int | float | str, span: Span) -> int | float:
    """The length of a window in the unit of the log's time."""
    if isinstance(every, str) and span.time == "number":
        every = _number(every)
    try:
        length = in_log_time(every, span.time, name="every")
    except AdiError as error:
        raise ArgumentError("every", str(error).removeprefix("every: ")) from None
    except ValueError as error:
        raise ArgumentError("every", f"{error}.") from None
    if not length > 0:
        raise ArgumentError("every", f"{every}; give a length above 0, such as {_example(span)}.")
    return length


def _number(text: str) -> int | float | str:
    """The number in a text, or the text if it is none."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _example(span: Span) -> str:
    return "3h" if span.time == "timestamp" else "3600"


def _end(span: Span, length: int | float) -> int | float:
    """The first moment after the log, rounded up."""
    if span.time == "number":
        return span.last + 1
    step = max((step for step in STEPS if step * 12 <= length), default=1)
    return (int(span.last) // step + 1) * step


def _moment(until: int | float | str | Moment, span: Span) -> int | float:
    """`until` in the unit of the log's time."""
    moment: object = until
    if isinstance(until, str):
        try:
            moment = _number(until) if span.time == "number" else datetime.fromisoformat(until)
        except ValueError:
            moment = until
    if isinstance(moment, str) or isinstance(moment, int | float) != (span.time == "number"):
        wanted = "number" if span.time == "number" else "date or a time, such as 2017-10-04T12:00:00"
        raise ArgumentError("until", f"'{until}' does not fit the log's time. Give a {wanted}.")
    return to_log_time(moment)  # type: ignore[arg-type]
