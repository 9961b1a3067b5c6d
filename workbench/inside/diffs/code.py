"""Code with its syntax in colours: one line of HTML for each line of code."""

import re
from functools import cache
from html import escape

from pygments import highlight  # type: ignore[import-untyped]
from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]
from pygments.lexer import Lexer  # type: ignore[import-untyped]
from pygments.lexers import get_lexer_by_name  # type: ignore[import-untyped]
from pygments.util import ClassNotFound  # type: ignore[import-untyped]

from workbench.inside.diffs.fragment import Fragment, remembered
from workbench.inside.diffs.words import words

MAGICS = {
    **{name: name for name in words("bash cython html javascript latex markdown perl r ruby sql")},
    **{"sh": "bash", "!": "bash", "js": "javascript", "svg": "xml"},
}
"""Magic of a cell -> the language of the rest of the cell."""
LONG = 200_000
"""Code of more characters than this is no longer coloured."""
_CELL_MAGIC = re.compile(r"(\s*%%(!|\w*)[^\n]*)\n")


@remembered
def cell(source: str, language: str) -> Fragment:
    """The code of a cell in `<pre>`."""
    magic = _CELL_MAGIC.match(source) if language == "python" else None
    if not magic:
        return _pre(coloured(source, language))
    rest = coloured(source[magic.end() :], MAGICS.get(magic[2].lower(), language))
    return _pre(f'<span class="nd">{escape(magic[1])}</span>\n{rest}')


def coloured(source: str, language: str) -> str:
    """Code as HTML; plain for a language that is not known."""
    lexer = _lexer(language) if len(source) <= LONG else None
    if lexer is None:
        return escape(source)
    return str(highlight(source, lexer, _FORMATTER)).rstrip("\n")


_FORMATTER = HtmlFormatter(nowrap=True)


@cache
def _lexer(language: str) -> Lexer | None:
    try:
        return get_lexer_by_name(language, stripnl=False)
    except ClassNotFound:
        return None


def _pre(lines: str) -> Fragment:
    return Fragment(f"<pre>\n{lines}\n</pre>")
