"""What of a project stays on its own side: patterns as git and Docker have them, in the words of unison. Pure."""

import posixpath
import re
import string
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

ALWAYS = (
    *(".git", ".hg", ".svn", ".venv", "venv", "node_modules", "__pycache__", ".ipynb_checkpoints"),
    *("*.egg-info", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".tox", ".nox", ".DS_Store", ".unison.*"),
)
"""What belongs to one machine, or could not be changed on two: a repository, environments, caches."""
_PARTS = re.compile(
    r"(?P<into>(?<![^/])\*\*/)|(?P<all>(?<![^/])\*\*+$)|(?P<whole>(?<![^/])\*+(?![^/]))|(?P<star>\*+)|(?P<one>\?)"
    r"|\[(?P<none>[!^]?)(?P<of>\]?(?:\\.|\[:\w+:\]|[^\]\\])*)\]|\\(?P<escaped>.)|(?P<other>.)",
    re.DOTALL,
)
_MEMBERS = re.compile(r"\[:(?P<name>\w+):\]|\\?(?P<low>.)(?:-\\?(?P<high>.))?", re.DOTALL)
_NAMED = {
    "alpha": string.ascii_letters,
    "alnum": string.ascii_letters + string.digits,
    "digit": string.digits,
    "lower": string.ascii_lowercase,
    "upper": string.ascii_uppercase,
    "xdigit": string.hexdigits,
    "punct": string.punctuation,
    "space": string.whitespace,
    "blank": " \t",
}
"""The sets of characters that have a name."""
_EVERYTHING = ("*", "**", "**/*")


@dataclass(frozen=True, slots=True)
class Pattern:
    """One line as a regular expression of whole paths. `back`: what it matches takes part after all."""

    expression: str
    back: bool = False


def read(lines: Iterable[str], folder: str = "") -> list[Pattern]:
    """The patterns of a .gitignore that lies in `folder` (in POSIX form, empty for the project's own)."""
    found: list[Pattern] = []
    for line in lines:
        if line.startswith("!") and line.strip().strip("!/") in _EVERYTHING:
            # Nothing that was said before counts. `!*/`, which unison cannot tell, is taken for that too.
            found.clear()
        elif pattern := _pattern(line, folder):
            found.append(pattern)
    return found


def of_docker(lines: Iterable[str]) -> list[Pattern]:
    """Those of a .dockerignore, all of which begin at the top."""
    bare = (line.strip() for line in lines if not line.startswith("#"))
    marked = (("!" if line.startswith("!") else "", line.removeprefix("!").strip()) for line in bare)
    paths = ((mark, posixpath.normpath(f"/{pattern}").lstrip("/")) for mark, pattern in marked if pattern)
    return read(f"{mark}/{pattern}" for mark, pattern in paths if pattern)


def arguments(patterns: Iterable[Pattern]) -> tuple[str, ...]:
    """The words by which unison is told."""
    told = dict.fromkeys((("-ignorenot" if each.back else "-ignore"), f"Regex {each.expression}") for each in patterns)
    return tuple(word for pair in told for word in pair)


def _pattern(line: str, folder: str) -> Pattern | None:
    text = re.sub(r"(?<!\\)\s+$", "", line.partition("\0")[0].rstrip("\r\n"))
    if not text or text.startswith("#"):
        return None
    back = text.startswith("!")
    text = text[1:] if back else text
    # unison cannot tell folders from files: `data/` leaves out a file of that name too.
    text = text.removesuffix("/")
    at_top = "/" in text
    text = text.lstrip("/")
    if not text or (back and _of_one_machine(text)):
        return None
    above = f"{_literal(folder)}/" if folder else ""
    anywhere = "" if at_top else "(.*/)?"
    try:
        return Pattern(f"{above}{anywhere}{_expression(text)}", back)
    except ValueError:
        return None


def _of_one_machine(pattern: str) -> bool:
    """Whether it would have a part in what never has one. unison has what is taken back win, wherever it is said."""
    name = pattern.rpartition("/")[2]
    return any(fnmatchcase(each, name) for each in ALWAYS)


def _expression(pattern: str) -> str:
    def one(match: re.Match[str]) -> str:
        if match["into"]:
            return "(.*/)?"
        # Never of nothing: that is the project itself.
        if match["all"] or match["whole"]:
            return ".+" if match["all"] else "[^/]+"
        if match["star"] or match["one"]:
            return "[^/]*" if match["star"] else "[^/]"
        if match["of"] is not None:
            return _set(match["of"], none=bool(match["none"]))
        return _literal(match["escaped"] or match["other"])

    return _PARTS.sub(one, pattern)


def _set(text: str, *, none: bool) -> str:
    """One character of those that are named in brackets, or none of them. Raises ValueError where nothing can match."""
    members: set[str] = set()
    for match in _MEMBERS.finditer(text):
        if name := match["name"]:
            if name not in _NAMED:
                raise ValueError(f"no set of that name: {name}")
            members.update(_NAMED[name])
        else:
            low = ord(match["low"])
            last = min(max(low, ord(match["high"] or match["low"])), 0x7E)
            members.update(chr(each) for each in range(low, last + 1))
    members.discard("/")
    if none:
        members.add("/")
    if not members:
        raise ValueError(f"an empty set: {text}")
    if members == {"^"}:
        return _one("^")
    # In brackets unison knows no backslash: what has a meaning there stands where it has none.
    plain = "".join(sorted(members - set("]^-")))
    return f"[{'^' * none}{']' * (']' in members)}{plain}{'^' * ('^' in members)}{'-' * ('-' in members)}]"


def _literal(text: str) -> str:
    """Text as itself."""
    return "".join(_one(each) for each in text)


def _one(character: str) -> str:
    # Spaces at the end would be lost; before anything else, a backslash is an error.
    if character in " \t\r\f\v":
        return f"[{character}]"
    return f"\\{character}" if character in ".^$*+?()[{|\\" else character
