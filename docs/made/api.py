"""The public names of `workbench`, with their own methods and properties."""

import inspect
import re
from collections.abc import Callable, Iterator

import workbench
from made.text import block, line, need, table


def python() -> str:
    """The public names of `workbench`, with their own methods and properties."""
    return "\n\n".join(_public(name) for name in workbench.__all__)


def _public(name: str) -> str:
    thing = getattr(workbench, name)
    words = inspect.cleandoc(need(thing.__doc__, name))
    if not inspect.isclass(thing):
        return f"## {name}\n\n{block('python', f'workbench.{name}{_signature(thing)}')}\n\n{words}"
    parts = [f"## {name}", words]
    rows = [
        row for base in reversed(thing.__mro__) if base.__module__.startswith("workbench.") for row in _members(base)
    ]
    # What a class says itself stands in the place of what it inherits.
    if kept := {row[0]: row for row in rows}:
        parts.append(table(("", ""), [(f"`{row[1]}`", row[2]) for row in kept.values()]))
    return "\n\n".join(parts)


def _members(owner: type) -> Iterator[tuple[str, str, str]]:
    for name, member in vars(owner).items():
        if name.startswith("_") or not (inspect.isfunction(member) or isinstance(member, property)):
            continue
        words = line(inspect.cleandoc(need(member.__doc__, f"{owner.__name__}.{name}")))
        yield name, name if isinstance(member, property) else f"{name}{_signature(member)}", words


def _signature(function: Callable[..., object]) -> str:
    signature = inspect.signature(function)
    kept = [each for name, each in signature.parameters.items() if name != "self"]
    text = str(signature.replace(parameters=kept))
    return re.sub(r"'([A-Za-z_][\w.\[\], |]*)'", r"\1", text.replace("pathlib.", "").replace("typing.", ""))
