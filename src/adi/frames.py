"""Results as Arrow tables, and as HTML for notebooks.

Every result of the public API with rows has `to_frame()`, a `pyarrow.Table`. It is a pandas frame by ``.to_pandas()``
and a polars frame by ``polars.from_arrow(...)``; neither package has to be installed.
"""

from html import escape

import pyarrow as pa


def html_of(frame: pa.Table) -> str:
    """The frame as an HTML table, numbers with four decimals."""
    head = "".join(f"<th>{escape(name)}</th>" for name in frame.column_names)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(_shown(value))}</td>' for value in row.values())}</tr>"
        for row in frame.to_pylist()
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _shown(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.4f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
