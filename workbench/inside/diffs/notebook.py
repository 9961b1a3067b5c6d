"""A notebook as read from its file: only what a reader would review, so that nothing else can get into a copy."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

NEWEST = 4
"""The format of notebooks that we know; older ones are turned into it."""


LARGEST_SOURCE = 1_000_000
"""Characters of a cell's source that are read."""
_EMBEDDED = re.compile(r"data:(image/[a-z+]+);base64,([A-Za-z0-9+/=]{200,})")


class Unreadable(Exception):
    """The text is no notebook. The message is one sentence for a person."""


@dataclass(frozen=True, slots=True)
class Output:
    """What a code cell left behind."""

    kind: Literal["stdout", "stderr", "error", "data"]
    text: str = ""
    """What was printed, or the traceback, with its ANSI codes."""
    data: Mapping[str, Any] = ()  # type: ignore[assignment]
    """Of kind `data`: MIME type -> text (images in base64), or a JSON value for types that are JSON."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell, without identity, counts and metadata."""

    kind: Literal["code", "markdown", "raw"]
    source: str
    attachments: tuple[tuple[str, str, str], ...] = ()
    """Name, MIME type, content in base64."""
    outputs: tuple[Output, ...] = ()


@dataclass(frozen=True, slots=True)
class Notebook:
    """A whole notebook."""

    language: str
    """Of its code cells, in lower case; `python` when the notebook does not say."""
    cells: tuple[Cell, ...]


def read(content: bytes) -> Notebook:
    """The notebook in the text of a file. Raises Unreadable."""
    raw = _json(content)
    if not isinstance(raw, dict) or not isinstance(raw.get("cells", raw.get("worksheets")), list):
        raise Unreadable("The file has no cells, so it is not a notebook.")
    version = raw.get("nbformat", NEWEST)
    if not isinstance(version, int) or version > NEWEST:
        raise Unreadable(f"The notebook has format {version!r}; formats up to {NEWEST} can be read.")
    if version < NEWEST:
        raw = _upgraded(raw)
    cells = tuple(_cell(each) for each in raw["cells"] if isinstance(each, dict))
    return Notebook(_language(raw.get("metadata")), cells)


def _json(content: bytes) -> Any:
    try:
        return json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise Unreadable("The file is not UTF-8 text.") from None
    except ValueError as error:
        raise Unreadable(f"The file is not JSON: {error}.") from None
    except RecursionError:
        raise Unreadable("The file is JSON that is nested too deeply for a notebook.") from None


def _upgraded(raw: dict[str, Any]) -> dict[str, Any]:
    """A notebook of an old format in the new one."""
    import nbformat

    try:
        old = nbformat.reader.reads(json.dumps(raw))  # type: ignore[no-untyped-call]
        return dict(nbformat.convert(old, NEWEST))  # type: ignore[no-untyped-call]
    except (nbformat.ValidationError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise Unreadable(
            f"The notebook has the old format {raw['nbformat']} and breaks its rules: {error!r}."
        ) from None


def _language(metadata: object) -> str:
    for section, key in (("language_info", "name"), ("kernelspec", "language")):
        found = _dict(_dict(metadata).get(section)).get(key)
        if isinstance(found, str) and found:
            return "python" if found.lower().startswith("ipython") else found.lower()
    return "python"


def _cell(raw: dict[str, Any]) -> Cell:
    kind = raw.get("cell_type")
    source = _lines(_text(raw.get("source")))
    if kind == "code":
        outputs = raw.get("outputs")
        return Cell("code", _cut(source), (), tuple(_outputs(outputs if isinstance(outputs, list) else [])))
    if kind != "markdown":
        return Cell("raw", _cut(source))
    attached = [
        (name, mime, _text(content))
        for name, bundle in _dict(raw.get("attachments")).items()
        for mime, content in _dict(bundle).items()
    ]
    return Cell("markdown", _cut(_detached(source, attached)), tuple(attached))


def _detached(source: str, attached: list[tuple[str, str, str]]) -> str:
    """Markdown with its images as attachments: nobody reviews thousands of letters that stand for one."""

    def move(match: re.Match[str]) -> str:
        name = hashlib.sha256(match[2].encode()).hexdigest()[:16]
        attached.append((name, match[1], match[2]))
        return f"attachment:{name}"

    return _EMBEDDED.sub(move, source)


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _cut(source: str) -> str:
    left_out = len(source) - LARGEST_SOURCE
    return source if left_out <= 0 else f"{source[:LARGEST_SOURCE]}\n# {left_out:,} characters left out"


def _outputs(raw: list[Any]) -> Iterator[Output]:
    """The outputs, with what was printed in one go as one: how it was cut into pieces is a matter of time."""
    for printed, group in groupby(filter(lambda each: isinstance(each, dict), raw), key=_is_stream):
        if printed:
            yield from _streams(list(group))
        else:
            yield from map(_output, group)


def _is_stream(raw: dict[str, Any]) -> bool:
    return raw.get("output_type") == "stream"


def _streams(raw: list[dict[str, Any]]) -> Iterator[Output]:
    for kind in ("stdout", "stderr"):
        text = "".join(_text(each.get("text")) for each in raw if (each.get("name") == "stderr") == (kind == "stderr"))
        if text:
            yield Output(kind, text)


def _output(raw: dict[str, Any]) -> Output:
    if raw.get("output_type") == "error":
        lines = raw.get("traceback")
        text = "\n".join(map(_text, lines)) if isinstance(lines, list) else ""
        return Output("error", text or f"{_text(raw.get('ename'))}: {_text(raw.get('evalue'))}")
    return Output("data", data={mime: _data(mime, value) for mime, value in _dict(raw.get("data")).items()})


def _data(mime: str, value: object) -> object:
    return value if mime.endswith("json") else _text(value)


def _text(value: object) -> str:
    """Text that may be stored in lines, without what no file of text can hold."""
    if isinstance(value, list):
        value = "".join(part for part in value if isinstance(part, str))
    if not isinstance(value, str):
        return ""
    if not value.isascii():
        value = value.encode("utf-8", "replace").decode()  # half of a surrogate pair
    return value.replace("\0", "�")


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
