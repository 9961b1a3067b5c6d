"""What of a project stays on its own side: patterns as git and Docker have them, in the words of unison. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

ALWAYS = (
    *(".git", ".hg", ".svn", ".venv", "venv", "node_modules", "__pycache__", ".ipynb_checkpoints"),
    *("*.egg-info", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".tox", ".nox", ".DS_Store", ".unison.*"),
)
"""What belongs to one machine, or could not be changed on two: a repository, environments, caches."""
_PARTS = re.compile(
    r"(?P<into>\*\*/)|(?P<all>\*+\*)|(?P<star>\*)|(?P<one>\?)|(?P<of>\[!?\]?[^\]]*\])|\\(?P<escaped>.)|(?P<other>.)",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Pattern:
    """One line as a regular expression of whole paths. `back`: what it matches takes part after all."""

    expression: str
    back: bool = False


def read(lines: Iterable[str], folder: str = "") -> list[Pattern]:
    """The patterns of a .gitignore that lies in `folder` (in POSIX form, empty for the project's own)."""
    return [found for line in lines if (found := _pattern(line, folder))]


def of_docker(lines: Iterable[str]) -> list[Pattern]:
    """Those of a .dockerignore, all of which begin at the top."""
    bare = (line.strip() for line in lines if not line.startswith("#"))
    marked = (("!" if line.startswith("!") else "", line.removeprefix("!").strip("/")) for line in bare)
    return read(f"{mark}/{pattern}" for mark, pattern in marked if pattern)


def arguments(patterns: Iterable[Pattern]) -> tuple[str, ...]:
    """The words by which unison is told."""
    told = dict.fromkeys((("-ignorenot" if each.back else "-ignore"), f"Regex {each.expression}") for each in patterns)
    return tuple(word for pair in told for word in pair)


def _pattern(line: str, folder: str) -> Pattern | None:
    text = re.sub(r"(?<!\\)\s+$", "", line.rstrip("\r\n"))
    if not text or text.startswith("#"):
        return None
    back = text.startswith("!")
    text = text[1:] if back else text
    # unison cannot tell folders from files: `data/` leaves out a file of that name too.
    text = text.removesuffix("/")
    at_top = "/" in text
    text = text.lstrip("/")
    if not text or (text in (".", "**") and back):
        return None
    above = f"{_literal(folder)}/" if folder else ""
    anywhere = "" if at_top else "(.*/)?"
    return Pattern(f"{above}{anywhere}{_expression(text)}", back)


def _expression(pattern: str) -> str:
    def one(match: re.Match[str]) -> str:
        if match["into"]:
            return "(.*/)?"
        if match["all"]:
            return ".*"
        if match["star"] or match["one"]:
            return "[^/]*" if match["star"] else "[^/]"
        if match["of"]:
            return match["of"].replace("[!", "[^", 1)
        return _literal(match["escaped"] or match["other"])

    return _PARTS.sub(one, pattern)


def _literal(text: str) -> str:
    """Text as itself; what is no plain character is any one character, which leaves out a little more at most."""
    return "".join(_one(each) for each in text)


def _one(character: str) -> str:
    if character.isalnum() and character.isascii():
        return character
    return f"\\{character}" if character in ".^$*+?()[]{}|\\" else character
