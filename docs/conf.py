"""Builds the documentation: `sphinx-build -W docs site`. Its pages are Markdown that reads well on its own."""

import sys
from pathlib import Path

from sphinx.application import Sphinx

# Of this checkout, whatever is installed.
sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

NAVIGATION = {
    "Begin": ("tutorial/quick-start", "tutorial/lessons"),
    "How to": (
        "how-to/use",
        "how-to/panel",
        "how-to/gpu",
        "how-to/diffs",
        "how-to/configure",
        "how-to/services",
        "how-to/toolchain",
        "how-to/images",
        "how-to/patterns",
        "how-to/docks",
        "how-to/docks-sync",
        "how-to/docks-cloud",
        "how-to/engines",
        "how-to/company-network",
        "how-to/vscode",
        "how-to/class",
        "how-to/from-dockerutils",
        "how-to/from-repo2docker",
    ),
    "Reference": ("reference/commands", "reference/configuration", "reference/protocol", "reference/python"),
    "Explanation": (
        "explanation/architecture",
        "explanation/security",
        "explanation/comparison",
        "explanation/performance",
        "explanation/design-notes",
    ),
    "Project": ("contributing", "changes"),
}
"""The pages, as the sidebar shows them."""

project = "Workbench"
copyright = "2026, the Workbench developers"
extensions = ["myst_parser"]
myst_heading_anchors = 4
nitpicky = True
html_theme = "furo"
html_title = "Workbench"
html_copy_source = False
html_show_sphinx = False


def setup(app: Sphinx) -> None:
    """Take part in the reading of pages."""
    app.connect("source-read", read)


def read(app: Sphinx, page: str, source: list[str]) -> None:
    """Fill in what comes from the code; the first page gets the navigation, which nobody reads in its own text."""
    from made import insert

    source[0] = insert(source[0])
    if page == "index":
        source[0] += "".join(f"\n{tree(title, pages)}\n" for title, pages in NAVIGATION.items())


def tree(title: str, pages: tuple[str, ...]) -> str:
    """A part of the navigation."""
    return "\n".join(("```{toctree}", ":hidden:", f":caption: {title}", "", *pages, "```"))
