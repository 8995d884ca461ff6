"""Ways to divide embedding tables among several processes."""

from typing import Literal

Sharding = Literal["auto", "row_wise", "table_wise"]
"""row_wise: the rows of each table among all processes; table_wise: each table is in one process; auto: TorchRec's
planner chooses one of both for each table."""
