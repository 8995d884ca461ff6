"""Cells of tables with a mean and its spread, or with a share alone, have a class; other cells have none."""

import sys
from pathlib import Path

from docutils import nodes
from docutils.utils import new_document

sys.path.insert(0, str(Path(__file__).parents[1] / "docs" / "_ext"))

from spreads import mark


def test_cells_with_a_spread_or_a_share_are_marked() -> None:
    document = new_document("page")
    texts = ["adi-se", "0.771 ± 0.002", "0.771", "+0.003 (-0.001 to +0.006)", "5.13 %", "5 % of users"]
    document += [nodes.entry("", nodes.paragraph(text=text)) for text in texts]
    mark(document)
    assert [cell["classes"] for cell in document.findall(nodes.entry)] == [[], ["spread"], [], [], ["spread"], []]
