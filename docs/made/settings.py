"""Every setting, and the keys of every table."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints, is_typeddict

from made.commands import programs
from made.text import need, table
from workbench import schema, tables

PAGES = Path(__file__).parents[1]
CODE = re.compile(r"^```.*?^```|`[^`\n]+`", re.DOTALL | re.MULTILINE)
"""What a page sets as code."""

TABLES: Sequence[tuple[str, type, str]] = (
    ("[tool.workbench.cpu], [tool.workbench.gpu]", tables.DeviceTable, "how-to/gpu.md"),
    ("a table of mounts", tables.MountTable, "how-to/configure.md"),
    ("[tool.workbench.services.NAME]", tables.ServiceTable, "how-to/services.md"),
    ("[tool.workbench.services.NAME.web]", tables.WebTable, "how-to/services.md"),
    ("[tool.workbench.sync]", tables.SyncTable, "how-to/docks-sync.md"),
    ("[tool.workbench.toolchain]", tables.ToolchainTable, "how-to/toolchain.md"),
    ("[tool.workbench.images.NAME]", tables.ImageTable, "how-to/images.md"),
)
"""The tables of the configuration, and the page that says what each of their keys does."""


def settings() -> str:
    """Every setting, and the keys of every table."""
    parts = []
    for option in schema.OPTIONS:
        rows = [("type", f"`{_type(option.type)}`")]
        if option.default is not None:
            rows.append(("default", f"`{_toml(_size(schema.plain(option.default)))}`"))
        rows.append(("in `pyproject.toml`", f"`{option.name}` of `[tool.workbench]`" if option.file else "no"))
        rows.append(("variable", f"`{option.variable}`" if option.environment else "none"))
        rows.append(("flag", ", ".join(f"`{flag}`" for flag in _flags(option)) or "none"))
        parts.append(f"### {option.name}\n\n{need(option.help, option.name)}\n\n{table(('', ''), rows)}")
    parts.append("## Tables")
    for title, shape, page in TABLES:
        said = " ".join(CODE.findall((PAGES / page).read_text(encoding="utf-8")))
        keys = get_type_hints(shape)
        for key in keys:
            need(re.search(rf"(?<![\w-]){re.escape(key)}(?![\w-])", said), f"{key} of {title}, in {page}")
        rows = [(f"`{key}`", f"`{_type(kind)}`") for key, kind in keys.items()]
        heading = title if title.startswith("a ") else f"`{title}`"
        parts.append(f"### {heading}\n\n[What they mean](../{page}).\n\n{table(('key', 'type'), rows)}")
    return "\n\n".join(parts)


def _flags(option: schema.Option) -> list[str]:
    """The flags of `run-notebook` that set an option."""
    if not option.flag:
        return []
    run = next(command for name, command in programs() if name == "run-notebook")
    named = {flag for each in run.params if each.name == option.field for flag in (*each.opts, *each.secondary_opts)}
    return sorted(named, key=lambda flag: (flag.count("-"), flag))


def _type(kind: Any) -> str:
    """A type as it would be said of TOML."""
    names = {str: "text", int: "integer", float: "number", bool: "true or false"}
    if kind in names:
        return names[kind]
    if is_typeddict(kind):
        return "table"
    if isinstance(kind, UnionType):
        return " or ".join(_type(each) for each in get_args(kind))
    origin, inside = get_origin(kind), get_args(kind)
    if origin in (list, dict):
        return f"{'list' if origin is list else 'table'} of {_type(inside[-1])}"
    # Literal, or Required and its like around a type.
    return " or ".join(_toml(each) if isinstance(each, str) else _type(each) for each in inside)


def _size(value: object) -> object:
    """Whole gigabytes as one writes them."""
    return f"{value >> 30}g" if isinstance(value, int) and value and value % (1 << 30) == 0 else value


def _toml(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
