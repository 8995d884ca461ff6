"""A class for cells of tables that stay on one line: a mean with its spread (0.771 ± 0.002), a share alone (5.13 %)."""

import re
from typing import TYPE_CHECKING

from docutils import nodes  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from sphinx.application import Sphinx

SHARE = re.compile(r"[-+]?[\d.,]+ %")


def setup(app: "Sphinx") -> dict[str, bool]:
    app.connect("doctree-read", lambda app, doctree: mark(doctree))
    return {"parallel_read_safe": True}


def mark(doctree: nodes.document) -> None:
    for cell in doctree.findall(nodes.entry):
        text = cell.astext()
        if " ± " in text or SHARE.fullmatch(text):
            cell["classes"].append("spread")
