"""A class for the cells of tables with a mean and its spread, such as 0.771 ± 0.002, so that these stay on one line."""

from typing import TYPE_CHECKING

from docutils import nodes  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from sphinx.application import Sphinx


def setup(app: "Sphinx") -> dict[str, bool]:
    app.connect("doctree-read", lambda app, doctree: mark(doctree))
    return {"parallel_read_safe": True}


def mark(doctree: nodes.document) -> None:
    for cell in doctree.findall(nodes.entry):
        if " ± " in cell.astext():
            cell["classes"].append("spread")
