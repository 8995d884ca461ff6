"""The lines that a training leaves on the screen."""

from io import StringIO

import pytest
from rich.console import Console
from rich.progress import Progress

from adi.cli.epochs import Epochs


def metrics(recalls: dict[str, float | None], mean: float) -> dict:
    return {"domains": {name: {"recall@50": value} for name, value in recalls.items()}, "mean": {"recall@50": mean}}


def lines_of(width: int, *epochs: tuple[dict[str, float | None], float, bool], steps: int = 3) -> list[str]:
    console = Console(file=StringIO(), width=width)
    shown = Epochs(Progress(console=console, transient=True))
    for number, (recalls, mean, best) in enumerate(epochs, 1):
        for step in range(1, steps + 1):
            shown.step(epoch=number, step=step, steps=steps, loss=7.0 - step, samples_per_second=12345.6)
        shown.validated(epoch=number, metrics=metrics(recalls, mean), best=best)
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined]


def test_epochs_are_rows_of_a_table_by_domain() -> None:
    lines = lines_of(80, ({"a": 0.5, "long name": 0.25}, 0.375, True), ({"a": None, "long name": 0.125}, 0.125, False))
    assert lines == [
        "                            validation recall@50",
        "epoch    loss  samples/s    mean       a  long name",
        "    1  4.0000     12,346  0.3750  0.5000     0.2500  best",
        "    2  4.0000     12,346  0.1250       –     0.1250",
    ]


@pytest.mark.parametrize(("width", "by_domain"), [(76, False), (77, False), (78, True)])
def test_domains_that_do_not_fit_leave_their_mean_alone(width: int, by_domain: bool) -> None:
    recalls = dict.fromkeys(["one", "two", "three", "four", "five"], 0.5)
    above, head, line = lines_of(width, (recalls, 0.5, True))
    if by_domain:
        assert head.split()[4:] == list(recalls)
        assert max(map(len, (above, head, line))) == width
    else:
        assert above.endswith("validation recall@50, mean of 5 domains")
        assert (head.split()[3:], line.split()[3:]) == (["mean"], ["0.5000", "best"])


def test_an_epoch_that_was_resumed_at_its_end_has_no_loss_to_show() -> None:
    assert lines_of(80, ({"a": 0.5}, 0.5, True), steps=0)[2].split() == ["1", "–", "–", "0.5000", "0.5000", "best"]


def test_a_bar_begins_anew_with_each_epoch() -> None:
    shown = Epochs(Progress(console=Console(file=StringIO(), width=80)))
    (task,) = shown.progress.tasks
    shown.step(epoch=1, step=9, steps=9, loss=1.0, samples_per_second=1.0)
    assert (task.description, task.completed, task.visible) == ("validating epoch 1", 9, True)
    shown.validated(epoch=1, metrics=metrics({"a": 0.5}, 0.5), best=True)
    assert not task.visible
    shown.step(epoch=2, step=1, steps=9, loss=1.0, samples_per_second=1.0)
    assert (task.description, task.completed, task.total, task.visible) == ("epoch 2", 1, 9, True)
