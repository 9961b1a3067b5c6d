"""Markdown from values."""

import re
from collections.abc import Sequence
from typing import Any


class Missing(Exception):
    """Something that people use has no words."""


def need(found: Any, what: str) -> Any:
    if not found:
        raise Missing(f"{what} has no words of its own: nobody could read what it is for.")
    return found


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def block(language: str, text: str) -> str:
    return f"```{language}\n{text}\n```"


def escape(text: str) -> str:
    """Words of a terminal as Markdown: nothing in them is a mark but backticks, and no bar ends a cell."""
    outside = re.split(r"(`[^`]*`)", text)
    return "".join(
        part.replace("|", "\\|") if part.startswith("`") else re.sub(r"([*_<>\[\]|])", r"\\\1", part)
        for part in outside
    )


def line(text: str) -> str:
    return " ".join(text.split())


def slug(path: str) -> str:
    return path.replace(" ", "-")
