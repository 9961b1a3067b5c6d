"""What the lines of a `.dockerignore` leave out, as Docker of today reads them. Pure: texts in, yes or no out."""

import posixpath
import re
from dataclasses import dataclass

_WILD = re.compile(r"[*?\[\\]")
_PARTS = re.compile(r"(?P<folders>\*\*/?)|(?P<star>\*)|(?P<one>\?)|\\(?P<escaped>.)|(?P<other>.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Rule:
    """One line. `back`: it begins with `!` and takes back in what it matches."""

    pattern: str
    matches: re.Pattern[str]
    back: bool = False


def read(text: str) -> tuple[Rule, ...]:
    """The rules of a `.dockerignore`, in order."""
    # Only what begins a line begins a comment: a name with a # can follow spaces.
    lines = (line for line in text.removeprefix("\ufeff").split("\n") if not line.startswith("#"))
    return tuple(rule for line in lines if (rule := _rule(line.strip())))


def leaves_out(rules: tuple[Rule, ...], path: str) -> bool:
    """Whether a path in POSIX form, relative to the context, is left out. The last rule for it or a parent counts."""
    out = False
    around = [path]
    while parent := posixpath.dirname(around[-1]):
        around.append(parent)
    for rule in rules:
        if rule.back == out and any(rule.matches.fullmatch(each) for each in around):
            out = not rule.back
    return out


def may_take_back(rules: tuple[Rule, ...], folder: str) -> bool:
    """Whether something in a folder that is left out can be taken back in."""
    return any(
        rule.back and (_WILD.search(rule.pattern) or f"{rule.pattern}/".startswith(f"{folder}/")) for rule in rules
    )


def _rule(line: str) -> Rule | None:
    back = line.startswith("!")
    pattern = line.removeprefix("!").strip()
    if not pattern:
        return None
    pattern = posixpath.normpath(pattern).lstrip("/")
    try:
        compiled = re.compile(_expression(pattern), re.DOTALL)
    except re.error:
        # The builder will say what is wrong with it.
        compiled = re.compile(re.escape(pattern))
    return Rule(pattern, compiled, back)


def _expression(pattern: str) -> str:
    """A pattern as a regular expression; a class such as `[^a-c]` means the same in both."""

    def one(match: re.Match[str]) -> str:
        if match["folders"]:
            return ".*" if match.end() == len(pattern) else "(?:.*/)?"
        if match["star"] or match["one"]:
            return "[^/]*" if match["star"] else "[^/]"
        other = match["other"]
        return other if other and other in "[]^-" else re.escape(other or match["escaped"])

    return _PARTS.sub(one, pattern)
