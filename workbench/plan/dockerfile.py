"""What a Dockerfile says of the images it starts from, and of its stages. Pure: text in, names out."""

import re
from collections.abc import Iterator, Mapping

_LINE = re.compile(r"[ \t]*(?P<word>FROM|ARG)[ \t]+(?P<rest>\S.*)", re.IGNORECASE)
_FROM = re.compile(r"(?:--\S+[ \t]+)*(?P<image>\S+)(?:[ \t]+AS[ \t]+(?P<stage>\S+))?[ \t]*", re.IGNORECASE)
_VARIABLE = re.compile(r"\$(?:\{(?P<braced>\w+)(?::-(?P<default>[^}]*))?\}|(?P<plain>\w+))", re.ASCII)


def stages(dockerfile: bytes) -> tuple[str, ...]:
    """The names of its stages, in order, as written."""
    return tuple(stage for _, stage in _froms(dockerfile, {}) if stage)


def bases(dockerfile: bytes, args: Mapping[str, str]) -> tuple[str, ...]:
    """The images that its stages start from, with `args` and its own defaults in their place; each once.

    Not those that are stages of its own, `scratch`, or of a variable that nothing gives a value to.
    """
    found: dict[str, None] = {}
    own = {"scratch"}
    for image, stage in _froms(dockerfile, args):
        if image and image.lower() not in own:
            found[image] = None
        own.add(stage.lower())
    return tuple(found)


def _froms(dockerfile: bytes, args: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Image and stage of each FROM; empty where there is none. An ARG counts before the first one only."""
    values: dict[str, str] = {}
    begun = False
    for line in dockerfile.decode("utf-8", "replace").splitlines():
        match = _LINE.fullmatch(line)
        if match and match["word"].upper() == "FROM" and (words := _FROM.fullmatch(match["rest"])):
            begun = True
            yield _replaced(words["image"], values), words["stage"] or ""
        elif match and match["word"].upper() == "ARG" and not begun:
            name, equals, default = match["rest"].strip().partition("=")
            if equals or name in args:
                values[name] = args.get(name, _replaced(default.strip("\"'"), values))


def _replaced(text: str, values: Mapping[str, str]) -> str:
    """A text with its variables replaced; empty when one has no value."""
    lacking: list[str] = []

    def one(match: re.Match[str]) -> str:
        name, default = match["braced"] or match["plain"], match["default"]
        value = values.get(name) or default
        if value is None:
            lacking.append(name)
        return value or ""

    made = _VARIABLE.sub(one, text)
    return "" if lacking else made
