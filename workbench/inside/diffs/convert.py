"""A notebook's text turned into its reviewable copies: a script, a page, the images of the page."""

from collections.abc import Mapping
from dataclasses import dataclass

from workbench.inside.diffs.notebook import Unreadable, read
from workbench.inside.diffs.quick import quick_imports

with quick_imports():
    from workbench.inside.diffs import page, script

__all__ = ["Converted", "Unreadable", "convert"]


@dataclass(frozen=True, slots=True)
class Converted:
    """What is written beside a notebook."""

    script: str
    """Jupytext's percent format, which is Python for a notebook in Python."""
    page: str
    """HTML that runs nothing and loads nothing but pictures of this machine."""
    images: Mapping[str, bytes]
    """By file name, `<hash of the content>.<ending>`: the page refers to them as `NAME_files/<file name>`."""


def convert(content: bytes, name: str) -> Converted:
    """The copies of a notebook: `content` is the text of its file, `name` the file's name without `.ipynb`.

    Equal content gives equal copies. Raises Unreadable for what is not a notebook.
    """
    notebook = read(content)
    text, images = page.render(notebook, name)
    return Converted(script.render(notebook), text, images)
