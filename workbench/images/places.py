"""What `{project_root}`, `$NAME` and their fellows stand for. Pure.

Variables are replaced in single, already separated values, so that what they stand for never becomes a further option.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

VOLUME_NAMES = ("project_root", "user", "project", "home")
PUBLICATION_NAMES = ("account", "region", "image", "tag", "user")

_VARIABLE = re.compile(
    r"\$\$|\$(?P<plain>[A-Za-z_]\w*)|\$\{(?P<braced>[A-Za-z_]\w*)\}|(?<!\$)\{(?P<own>\w*)\}", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Variables:
    """What variables stand for: `names` those in braces, such as `{home}`; `environ` is the user's environment."""

    names: Mapping[str, str]
    environ: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Expanded:
    """A value with its variables replaced. `reads` names those that came from the user's environment."""

    value: object
    reads: tuple[str, ...] = ()


def expand(value: object, variables: Variables) -> Expanded:
    """A text, a list or a table of texts with its variables replaced; other values stay as they are.

    `$$` is a dollar sign, and a `{word}` that stands for nothing is text like any other: see `check_names`. Raises
    ValueError for a variable that is not set.
    """
    reads: dict[str, None] = {}

    def one(match: re.Match[str]) -> str:
        own, name = match["own"], match["plain"] or match["braced"]
        if own is not None:
            return variables.names.get(own, match[0])
        if name is None:
            return "$"
        if name not in variables.environ:
            raise ValueError(f"${name} is not set in your environment (export it, or take it out)")
        reads[name] = None
        return variables.environ[name]

    def each(part: object) -> object:
        if isinstance(part, str):
            return _VARIABLE.sub(one, part)
        if isinstance(part, list | tuple):
            return [each(item) for item in part]
        return {key: each(item) for key, item in part.items()} if isinstance(part, Mapping) else part

    return Expanded(each(value), tuple(reads))


def check_names(text: str, names: Collection[str]) -> None:
    """Raise ValueError for a `{word}` that stands for nothing."""
    for match in _VARIABLE.finditer(text):
        if match["own"] is not None and match["own"] not in names:
            raise ValueError(f"{match[0]} stands for nothing: use {', '.join(names)}")
