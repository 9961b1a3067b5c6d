"""Markdown as Jupyter understands it, as safe HTML."""

import re
from html import escape
from typing import Any

from mistune import HTMLRenderer
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

from workbench.inside.diffs import clean, code
from workbench.inside.diffs.fragment import Fragment, remembered

LONG = 200_000
"""Markdown of more characters than this is shown as it is written."""
_TAG = re.compile(r"<[^>]*>")


@remembered
def html(source: str, folder: str, attachments: clean.Attachments = ()) -> Fragment:
    """Markdown as HTML. `folder` is how the page refers to the folder of its images."""
    if len(source) > LONG:
        return Fragment(f"<pre>\n{escape(source)}\n</pre>")
    rendered = MarkdownWithMath(renderer=_Renderer(escape=False)).render(source)
    return clean.markdown(rendered, folder, attachments)


class _Renderer(IPythonRenderer):
    """Formulas as their source, since what could set them is a script; code in our colours."""

    def heading(self, text: str, level: int, **attributes: Any) -> str:
        place = _TAG.sub("", text).strip().replace(" ", "-")
        return f'<h{level} id="{escape(place)}">{text}</h{level}>\n'

    def block_code(self, code_: str, info: str | None = None) -> str:
        return f"<pre>{code.coloured(code_, (info or 'text').split()[0])}</pre>\n"

    def image(self, text: str, url: str, title: str | None = None) -> str:
        # Past the parent's: it makes attachments part of the page, and gives up where one is missing.
        return str(HTMLRenderer.image(self, text, url, title))

    def block_math(self, body: str) -> str:
        return _formula(body, "math display")

    def inline_math(self, body: str) -> str:
        return _formula(body, "math")

    def latex_environment(self, name: str, body: str) -> str:
        return _formula(f"\\begin{{{name}}}{body}\\end{{{name}}}", "math display")


def _formula(source: str, kind: str) -> str:
    return f'<code class="{kind}">{escape(source.strip())}</code>'
