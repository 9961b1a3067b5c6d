"""HTML of outputs and of markdown, written anew so that it cannot run, load or cover anything.

Nothing of what comes in is passed on. It is taken apart into text and tags, and written from a short list of tags
and attributes, all text escaped, all values quoted, everything closed that was opened. None of the tags on the list
makes a browser read what follows in another way (as SVG, as raw text, as a template), so what is text here is text
there, however broken the nesting. A filter of a parsed tree (bleach, which is no longer developed) promises less and
takes eight times as long, and the page's Content-Security-Policy would stop what both let through.
"""

import re
from collections.abc import Callable
from html import escape, unescape
from urllib.parse import unquote

from workbench.inside.diffs import images, style, urls
from workbench.inside.diffs.fragment import Fragment, remembered
from workbench.inside.diffs.noise import quiet
from workbench.inside.diffs.words import words

LIMIT = 400_000
"""So many characters of an output are written; then it is said how much of it is left."""
DEEP = 200
"""Elements within elements; browsers, too, stop somewhere."""
TAGS = words(
    "a abbr b blockquote br caption center cite code col colgroup dd del details dfn div dl dt em figcaption figure "
    "h1 h2 h3 h4 h5 h6 hr i img ins kbd li mark meter ol p pre progress q rp rt ruby s samp section small span strike "
    "strong sub summary sup table tbody td tfoot th thead tr tt u ul var wbr"
)
ATTRIBUTES = words(
    "align alt colspan dir height hidden high lang low max min open optimum reversed rowspan scope span start title "
    "valign value width"
)
CLASSES = re.compile(r"[a-z]{1,2}[a-z0-9]?|dataframe|math|display|task-list-item")
"""What the page's own style sheet has for content: highlighting, tables, formulas, lists of tasks."""
WITHOUT_CONTENT = words("br col hr img wbr")
ACTIVE = words("script iframe object embed applet audio video canvas button select textarea")
SKIPPED = ACTIVE - {"embed"} | words("style svg title template noscript noembed noframes xmp plaintext")
"""What is left out with all that it encloses."""
SEEN = words("hr img meter progress")
OWN_LINE = words(
    "blockquote caption dd details div dl dt figure h1 h2 h3 h4 h5 h6 hr li ol p pre section summary table tbody td "
    "tfoot th thead tr ul"
)
STRUCTURE = words("table thead tbody tfoot tr ul ol dl colgroup")
"""Between their parts white space means nothing."""
_BEGIN = re.compile(r"<[a-zA-Z/!?]")
_MARKUP = re.compile(
    r"<!--.*?(?:-->|\Z)"
    r"|<(?P<end>/?)(?P<name>[a-zA-Z][^\s/>]*+)(?P<rest>(?:[^=>]++|=\s*+(?:\"[^\"]*+\"|'[^']*+')?+)*+)>"
    r"|<[!?/][^>]*+>",
    re.DOTALL,
)
_ATTRIBUTE = re.compile(r"([^\s=/>\"'<]++)(?:\s*+=\s*+(?:\"([^\"]*+)\"|'([^']*+)'|([^\s>]++)))?+")
_DATA = re.compile(r"\s*data:(image/[a-z+]+)(?:;charset=[\w-]+)?;base64,", re.IGNORECASE)

Attachments = tuple[tuple[str, str, str], ...]


@remembered
def output(source: str, folder: str) -> Fragment:
    """The HTML of an output. `folder` is how the page refers to the folder of its images."""
    return _Writer(folder, (), quiet).write(source)


def markdown(source: str, folder: str, attachments: Attachments) -> Fragment:
    """The HTML that markdown became; names of places in it stay, as people link to them."""
    return _Writer(folder, attachments, None).write(source)


class _Writer:
    """Writes one piece of HTML."""

    def __init__(self, folder: str, attachments: Attachments, change: Callable[[str], str] | None) -> None:
        self._folder = folder
        self._attachments = attachments
        self._change = change
        self._parts: list[str] = []
        self._length = 0
        self._open: list[str] = []
        self._rules: dict[tuple[str, str], str] = {}
        self._whole: set[str] = set()
        self._styled = ""
        self._tags: dict[str, str] = {}
        self._images: dict[str, bytes] = {}
        self._active = self._visible = False

    def write(self, source: str) -> Fragment:
        position = 0
        while position < len(source) and self._length < LIMIT:
            begin = _BEGIN.search(source, position, position + LIMIT)
            self._text(source[position : begin.start() if begin else position + LIMIT])
            position = self._markup(source, begin.start()) if begin else position + LIMIT
        for name in reversed(self._open):
            self._put(f"</{name}>")
        if len(source) > position:
            self._put(f'\n<p class="left-out">{len(source) - position:,} characters of HTML left out</p>')
        return Fragment("".join(self._parts).strip("\n"), self._images, self._active, self._visible)

    def _markup(self, source: str, position: int) -> int:
        """Write what a piece of markup stands for; returns where to read on."""
        self._length += 1  # even when nothing is written, so that there is an end to it
        match = _MARKUP.match(source, position)
        if not match:  # a tag that does not end
            self._text(source[position : position + LIMIT])
            return position + LIMIT
        return self._tag(match["name"].lower(), match, source) if match["name"] else match.end()

    def _put(self, text: str) -> None:
        self._parts.append(text)
        self._length += len(text)

    def _text(self, text: str) -> None:
        if text.isspace() and "pre" not in self._open:
            text = self._space(text)
        if not text:
            return
        text = unescape(text) if "&" in text else text
        self._visible = self._visible or not text.isspace()
        self._put(escape(self._change(text) if self._change else text, quote=False))

    def _space(self, text: str) -> str:
        """What is left of white space between tags."""
        if self._open and self._open[-1] in STRUCTURE:
            return ""
        return "" if self._parts and self._parts[-1].endswith("\n") else "\n" if "\n" in text else " "

    def _tag(self, name: str, match: re.Match[str], source: str) -> int:
        """Write a tag, or what stands for it; returns where to read on."""
        if match["end"]:
            self._end(name)
        elif name in SKIPPED:
            return self._skip(name, match, source)
        elif name == "input":
            self._box(_attributes(match["rest"]))
        elif name in TAGS and len(self._open) < DEEP:
            self._start(name, match["rest"])
        self._active = self._active or name in ACTIVE
        return match.end()

    def _start(self, name: str, rest: str) -> None:
        self._line(name)
        plain = name != "img" and not self._rules
        written = self._tags.get(name + rest) if plain else None
        if written is None:
            attributes = _attributes(rest)
            written = self._image(attributes) if name == "img" else f"<{name}{self._written(name, attributes)}>"
            if plain:
                self._tags[name + rest] = written
        self._put(written)
        self._visible = self._visible or name in SEEN
        if name not in WITHOUT_CONTENT:
            self._open.append(name)

    def _end(self, name: str) -> None:
        """Close an element, and first what was opened within it."""
        while name in self._open:
            last = self._open.pop()
            if last in STRUCTURE:
                self._line(last)
            self._put(f"</{last}>")
            if last == name:
                break

    def _line(self, name: str) -> None:
        """Parts of a page stand on lines of their own, so that a change is a change of few lines."""
        if name in OWN_LINE and self._parts and "pre" not in self._open and not self._parts[-1].endswith("\n"):
            self._put("\n")

    def _skip(self, name: str, match: re.Match[str], source: str) -> int:
        end = re.compile(rf"</{name}(?=[\s/>])[^>]*>?", re.IGNORECASE).search(source, match.end())
        inside = source[match.end() : end.start() if end else len(source)]
        self._active = self._active or name in ACTIVE
        if name == "style":
            self._rules |= style.rules(inside)
            self._whole |= {place for place, part in self._rules if part}
        elif name == "svg":
            self._drawing(match[0] + inside + "</svg>")
        elif name == "iframe":
            self._frame(_attributes(match["rest"]).get("src", ""))
        elif name in ("video", "audio"):
            self._note(f"{name}: run the notebook to see it")
        return end.end() if end else len(source)

    def _written(self, name: str, attributes: dict[str, str]) -> str:
        kept = {key: value for key, value in attributes.items() if key in ATTRIBUTES}
        if classes := " ".join(each for each in attributes.get("class", "").split() if CLASSES.fullmatch(each)):
            kept["class"] = classes
        if declared := self._style(name, attributes):
            kept["style"] = declared
        if not self._change and (place := attributes.get("id") or (name == "a" and attributes.get("name"))):
            kept["id"] = place
        if name == "a" and (address := urls.link(attributes.get("href", ""))):
            kept |= {"href": address, "rel": "noopener noreferrer"}
        return "".join(f' {key}="{escape(value)}"' if value else f" {key}" for key, value in kept.items())

    def _style(self, name: str, attributes: dict[str, str]) -> str:
        own, place = attributes.get("style", ""), attributes.get("id", "")
        if place in self._whole:
            self._styled = place
        found = (self._rules.get((self._styled, name)), self._rules.get((place, "")), style.declarations(own))
        return "; ".join(filter(None, found))

    def _image(self, attributes: dict[str, str]) -> str:
        source, name = attributes.get("src", ""), attributes.get("alt", "")
        address = urls.picture(source) or self._stored(source)
        if address:
            rest = self._written("img", attributes)
            return f'<img src="{escape(address)}"{rest}>' if name else f'<img src="{escape(address)}" alt=""{rest}>'
        label = " ".join(filter(None, ("image", name, f"({host})" if (host := urls.host(source)) else "")))
        return f'<span class="left-out">{escape(label)}</span>'

    def _stored(self, source: str) -> str | None:
        """An image that comes with the notebook, as a file."""
        if source.startswith("attachment:"):
            found = _attached(unquote(source.removeprefix("attachment:")), self._attachments)
        elif match := _DATA.match(source):
            found = images.from_base64(match[1].lower(), source[match.end() :])
        else:
            found = None
        return self._file(found) if found else None

    def _file(self, image: images.Image) -> str:
        self._images[image.name] = image.content
        return f"{self._folder}/{image.name}"

    def _drawing(self, text: str) -> None:
        if drawing := images.from_svg(text):
            self._put(f'<img src="{escape(self._file(drawing))}" alt="">')
            self._visible = True

    def _frame(self, source: str) -> None:
        if urls.host(source) and (address := urls.link(source)):
            written = escape(address)
            self._note("embedded page: ", f'<a href="{written}" rel="noopener noreferrer">{written}</a>')

    def _note(self, text: str, link: str = "") -> None:
        self._put(f'<span class="left-out">{escape(text)}{link}</span>')
        self._visible = True

    def _box(self, attributes: dict[str, str]) -> None:
        """A check box of a task list; other fields to fill in are of no use on paper."""
        if attributes.get("type") == "checkbox" and not self._change:
            self._put("☑ " if "checked" in attributes else "☐ ")


def _attributes(text: str) -> dict[str, str]:
    """Attributes by name in lower case; of two of one name, the first counts, as in a browser."""
    found: dict[str, str] = {}
    for name, double, single, bare in _ATTRIBUTE.findall(text):
        found.setdefault(name.lower(), unescape(double or single or bare))
    return found


def _attached(name: str, attachments: Attachments) -> images.Image | None:
    bundle = {mime: content for each, mime, content in attachments if each == name}
    made = (images.from_base64(mime, bundle[mime]) for mime in images.TYPES if mime in bundle)
    return next(filter(None, made), None)
