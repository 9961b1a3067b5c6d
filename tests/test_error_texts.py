"""Every error says what happened, as a sentence, and what to do next."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import workbench

PACKAGE = Path(workbench.__file__).parent
SOURCES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(PACKAGE.rglob("*.py"))}
# Their callers say it again, with the next step; what was called off has none.
PASSED_ON = {"ready.py", "engines/images.py", "engines/registries.py", "handle.py", "cancel.py"}


def named(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def tree() -> set[str]:
    """The names of the classes of the error tree."""
    classes = [node for source in SOURCES.values() for node in ast.walk(source) if isinstance(node, ast.ClassDef)]
    found = {"WorkbenchError"}
    while more := {each.name for each in classes if found & set(map(named, each.bases))} - found:
        found |= more
    return found


ERRORS = tree()


def made(path: Path) -> Iterator[ast.Call]:
    """The calls that make an error."""
    for node in ast.walk(SOURCES[path]):
        if isinstance(node, ast.Call) and named(node.func) in ERRORS:
            yield node


# What runs inside has errors of its own.
WITH_ERRORS = [path for path in SOURCES if "inside" not in path.relative_to(PACKAGE).parts and any(made(path))]


@pytest.mark.parametrize("path", WITH_ERRORS, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_an_error_says_what_to_do_next(path: Path) -> None:
    for call in made(path):
        message, *rest = call.args
        where = f"{path}:{call.lineno}"
        last = message.values[-1] if isinstance(message, ast.JoinedStr) else message
        if isinstance(last, ast.Constant):
            assert str(last.value).endswith((".", "?")), where
        if path.relative_to(PACKAGE).as_posix() not in PASSED_ON:
            hint = rest[0] if rest else None
            assert hint is not None and not (isinstance(hint, ast.Constant) and not hint.value), where


def test_the_tree_is_found() -> None:
    assert {"ConfigError", "PortTaken", "Lost"} <= ERRORS and len(WITH_ERRORS) > 50
