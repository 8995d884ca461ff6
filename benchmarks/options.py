"""Options that several benchmarks have, and the parsing of lists of sizes."""

import re
from pathlib import Path
from typing import Annotated

import typer

from adi.cli.screen import ERR
from adi.errors import ArgumentError

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Rounds = Annotated[int, typer.Option(min=1, help="Rounds, in each of which every row of the table takes its turn.")]
Steps = Annotated[int, typer.Option(min=1, help="Steps in each round.")]
Threads = Annotated[int, typer.Option(min=1, help="Threads of torch.")]
BatchSize = Annotated[int, typer.Option(min=16, help="Samples in a batch.")]
Uniform = Annotated[int, typer.Option(min=0, help="Negatives from each domain's corpus, beside those of the batch.")]
MarketFolder = Annotated[Path, typer.Option(help="Keeps the bundle, of 1 GB by default, for the next call.")]
Items = Annotated[int, typer.Option(min=1000, help="Items in each domain.")]
Domains = Annotated[int, typer.Option(min=1, help="Domains.")]
Dim = Annotated[int, typer.Option(min=2, help="Dimension of the vectors.")]
K = Annotated[int, typer.Option("-k", min=1, max=1000, help="Items of each request.")]
Calls = Annotated[int, typer.Option(min=1, help="Requests in each round.")]
Device = Annotated[str, typer.Option(help="Where steps run: cpu, cuda, or cuda:N. Skipped where there is no such GPU.")]


def whole_numbers(parameter: str, text: str, example: str, minimum: int) -> list[int]:
    """Whole numbers of at least `minimum`, separated by commas; raises `ArgumentError` for any other text."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdecimal() and int(part) >= minimum for part in parts):
        raise ArgumentError(
            parameter, f"'{text}' is not of the form {example}, in whole numbers of at least {minimum:,}."
        )
    return [int(part) for part in parts]


def pairs(parameter: str, text: str, example: str) -> list[tuple[int, int]]:
    """Pairs such as 512x1536, separated by commas; raises `ArgumentError` for any other text."""
    matches = [re.fullmatch(r"\s*([1-9][0-9]*)x([1-9][0-9]*)\s*", part) for part in text.split(",")]
    if None in matches:
        raise ArgumentError(parameter, f"'{text}' is not of the form {example}, in whole numbers of at least 1.")
    return [(int(match[1]), int(match[2])) for match in matches if match is not None]


def skip_without_gpu(device: str) -> bool:
    """Whether `device` is a GPU that is not there, in which case a line on standard error says so."""
    from adi.training.device import missing_gpu  # imports torch, which most of the benchmarks' processes do without

    reason = missing_gpu(device)
    if reason is not None:
        ERR.print(f"skipped: {reason}.")
    return reason is not None
