"""The commands abtest, abtest plan, abtest simulate and abtest estimate.

`adi abtest LOGS` is what is done every day, so that the group has a default command: words that begin with no command's
name are given to `analyze`. A folder of the name of a command is given as ./plan.
"""

from typing import Any

import typer

from adi.cli.abtest_analyze import analyze
from adi.cli.abtest_estimate import estimate
from adi.cli.abtest_plan import plan
from adi.cli.abtest_simulate import simulate
from adi.cli.command import Command, Commands, with_log_options

DEFAULT = "analyze"


class AnalyzeByDefault(Commands):
    """A group whose default command is `analyze`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, *ctx.help_option_names):
            args = [DEFAULT, *args]
        return super().parse_args(ctx, args)


abtest = typer.Typer(cls=AnalyzeByDefault, no_args_is_help=True, rich_markup_mode="rich")
for function in (analyze, plan, simulate, estimate):
    abtest.command(cls=Command)(with_log_options(function))


@abtest.callback()
def about() -> None:
    """Compare the arms of an experiment by what users did and advertisers paid.

    Example: [bold]adi abtest exposures --clicks clicks.parquet --charge price[/]

    It is short for [bold]adi abtest analyze[/], whose [bold]--help[/] has the options. Before the start,
    [bold]adi abtest plan[/] says how long to run; [bold]adi abtest simulate[/] tries an experiment on a simulated
    marketplace, and [bold]adi abtest estimate[/] estimates an arm from the log of another one.
    """
