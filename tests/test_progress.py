"""The lines that a training leaves on the screen."""

from io import StringIO

import pytest
from rich.console import Console
from rich.progress import Progress

from adi.progress import progress_bar, reporting
from adi.runs.metrics import Metrics
from adi.training.progress import Epochs, epochs


def metrics(recalls: dict[str, float | None], mean: float) -> Metrics:
    domains = {name: {"recall@50": value} for name, value in recalls.items()}
    means = {"recall@50": mean, "ndcg@50": mean / 3}
    return Metrics(part="validation", against="corpus", history="earlier", ks=(50,), domains=domains, mean=means)


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
        "                            validation, lists of 50: recall by domain",
        "epoch    loss  samples/s    ndcg  recall       a  long name",
        "    1  4.0000     12,346  0.1250  0.3750  0.5000     0.2500  best",
        "    2  4.0000     12,346  0.0417  0.1250       –     0.1250",
    ]


@pytest.mark.parametrize(("width", "by_domain"), [(84, False), (85, False), (86, True)])
def test_domains_that_do_not_fit_leave_their_mean_alone(width: int, by_domain: bool) -> None:
    recalls = dict.fromkeys(["one", "two", "three", "four", "five"], 0.5)
    above, head, line = lines_of(width, (recalls, 0.5, True))
    if by_domain:
        assert head.split()[5:] == list(recalls)
        assert max(map(len, (above, head, line))) == width
    else:
        assert above.endswith("validation, lists of 50: mean of 5 domains")
        assert (head.split()[3:], line.split()[3:]) == (["ndcg", "recall"], ["0.1667", "0.5000", "best"])


def test_an_epoch_that_was_resumed_at_its_end_has_no_loss_to_show() -> None:
    assert lines_of(80, ({"a": 0.5}, 0.5, True), steps=0)[2].split() == [
        "1",
        "–",
        "–",
        "0.1667",
        "0.5000",
        "0.5000",
        "best",
    ]


def test_a_bar_begins_anew_with_each_epoch() -> None:
    shown = Epochs(Progress(console=Console(file=StringIO(), width=80)))
    (task,) = shown.progress.tasks
    shown.step(epoch=1, step=9, steps=9, loss=1.0, samples_per_second=1.0)
    assert (task.description, task.completed, task.visible) == ("validating epoch 1", 9, True)
    shown.validated(epoch=1, metrics=metrics({"a": 0.5}, 0.5), best=True)
    assert not task.visible
    shown.step(epoch=2, step=1, steps=9, loss=1.0, samples_per_second=1.0)
    assert (task.description, task.completed, task.total, task.visible) == ("epoch 2", 1, 9, True)


def test_a_refit_is_announced_and_has_no_validation() -> None:
    console = Console(file=StringIO(), width=80)
    shown = Epochs(Progress(console=console))
    shown.refitting(epochs=2)
    shown.step(epoch=4, step=9, steps=9, loss=1.0, samples_per_second=1.0)
    assert [task.description for task in shown.progress.tasks] == ["epoch 4"]
    assert "refit on training and validation rows, epochs: 2" in console.file.getvalue()  # type: ignore[attr-defined]


def test_nothing_is_shown_where_standard_error_is_no_terminal(capsys) -> None:
    with reporting(True) as report:
        report("ranking", 1, 3)
    with epochs(True) as observer:
        assert observer is None
    assert capsys.readouterr().err == ""


def test_bars_are_shown_in_a_terminal_unless_they_are_not_wanted(monkeypatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # what rich takes for a terminal
    for wanted in (True, False):
        with epochs(wanted) as observer:
            assert (observer is not None) == wanted


def test_a_function_is_reported_to_in_place_of_bars() -> None:
    calls = []
    with reporting(lambda *call: calls.append(call)) as report:
        report("ranking", 1, 3)
    assert calls == [("ranking", 1, 3)]


def test_a_bar_has_the_name_of_its_stage() -> None:
    console = Console(file=StringIO(), width=80, force_terminal=True)
    with progress_bar(console) as report:
        report("ranking", 1, 3)
    assert "ranking" in console.file.getvalue()  # type: ignore[attr-defined]
