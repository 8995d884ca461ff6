"""The documentation site: `make docs` builds it into docs/_build/html, with every warning an error."""

import sys
from importlib.metadata import version as version_of
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "adi"
copyright = "the authors of adi"  # noqa: A001 (Sphinx's name)
release = version = version_of("adi-retrieval")
html_title = f"adi {release}"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "reference_pages",
    "spreads",
    "tutorials",
]
exclude_patterns = ["_build", "_ext"]
default_role = "code"  # docstrings have single backticks around names

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = False

myst_heading_anchors = 4
myst_links_external_new_tab = False

autodoc_typehints = "description"
autodoc_member_order = "bysource"
napoleon_numpy_docstring = False
napoleon_use_rtype = False
