"""The tables of settings in a project's TOML, and the lines of their keys."""

import re
from collections.abc import Iterator
from typing import Any

from workbench import dependencies
from workbench.errors import ConfigError
from workbench.model import DependencyFile, Project

Table = tuple[DependencyFile, tuple[str, ...], dict[str, Any]]
"""A table of settings: its file, its path in that file, and its content."""


def tables(project: Project) -> Iterator[Table]:
    """Each table of settings that is there: `[tool.workbench]` of `pyproject.toml`, and `workbench.toml`."""
    for file in project.dependencies:
        if file.name != "pyproject.toml":
            continue
        table: Any = dependencies.parse_toml(file).get("tool", {})
        table = table.get("workbench") if isinstance(table, dict) else None
        if table is not None:
            yield file, ("tool", "workbench"), _table(file, table)
    if (project.root / "workbench.toml").is_file():
        file = dependencies.read_file(project.root, project.root / "workbench.toml")
        yield file, (), dependencies.parse_toml(file)


def line_of(text: str, path: tuple[str, ...]) -> int:
    """The line of a TOML text on which the key `path` is set, or its table begins; 1 when it cannot be told."""
    table: tuple[str, ...] = ()
    lines: dict[tuple[str, ...], int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[\[?([^\[\]]+)\]\]?\s*(?:#.*)?$", line):
            table = _keys(header[1])
            lines.setdefault(table, number)
        elif key := re.match(r"""\s*((?:[\w.-]|"[^"]*"|'[^']*'|\s*\.\s*)+?)\s*=""", line):
            keys = (*table, *_keys(key[1]))
            for length in range(len(table) + 1, len(keys) + 1):
                lines.setdefault(keys[:length], number)
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


def _keys(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in re.findall(r"""[\w-]+|"[^"]*"|'[^']*'""", dotted))


def _table(file: DependencyFile, table: object) -> dict[str, Any]:
    if isinstance(table, dict):
        return table
    line = line_of(file.content.decode("utf-8-sig"), ("tool", "workbench"))
    raise ConfigError(f"{file.name}:{line}: tool.workbench is not a table.", "Write [tool.workbench] above its keys.")
