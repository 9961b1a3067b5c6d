"""What was printed, as it looks on a terminal."""

import re
from collections.abc import Callable

from nbconvert.filters.ansi import ansi2html

from workbench.inside.diffs.noise import quiet

HEAD, TAIL = 40_000, 10_000
"""How many characters of a long text are shown of its beginning and of its end."""
_OVERWRITTEN = re.compile(r"^[^\n]*\r(?=[^\r\n])", re.MULTILINE)
_COMMAND = re.compile(r"\x1b(?:\][^\x07\x1b\n]*(?:\x07|\x1b\\)|[()#][0-9A-Za-z]|[=>78DEHMc])")
_COLOUR = re.compile(r'style="color: (rgb\([\d,]+\))"')
"""Of the many colours of a terminal, one that was chosen without a background: the style sheet makes it readable."""
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def html(text: str, quieted: Callable[[str], str] = quiet) -> str:
    """The text in `<pre>`, its colours as classes; the middle of a long one is left out, and it is said how much."""
    head, middle, tail = shortened(settled(text))
    head, tail = quieted(head), quieted(tail)
    if not middle:
        return _pre(head)
    lines = middle.count("\n")
    left_out = f"{lines:,} lines ({len(middle):,} characters)" if lines else f"{len(middle):,} characters"
    return f'{_pre(head)}\n<p class="left-out">{left_out} left out</p>\n{_pre(tail)}'


def settled(text: str) -> str:
    """The text after carriage returns have done their work: of a progress bar, its last state."""
    text = text.replace("\r\n", "\n")
    if "\r" in text:
        text = _OVERWRITTEN.sub("", text).replace("\r", "")
    return _COMMAND.sub("", text) if "\x1b" in text else text


def shortened(text: str) -> tuple[str, str, str]:
    """A text in its beginning, its middle that is left out (empty for a text that is not long), and its end."""
    if len(text) <= (HEAD + TAIL) * 1.2:
        return text, "", ""
    first = text.rfind("\n", HEAD // 2, HEAD) + 1 or HEAD
    last = text.find("\n", len(text) - TAIL, len(text) - TAIL // 2) + 1 or len(text) - TAIL
    return text[:first], text[first:last], text[last:]


def _pre(text: str) -> str:
    coloured = _COLOUR.sub(r'style="--c: \1"', str(ansi2html(text)))  # type: ignore[no-untyped-call]
    return f"<pre>\n{_CONTROL.sub('', coloured).rstrip()}\n</pre>"
