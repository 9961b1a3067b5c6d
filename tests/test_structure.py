"""The rooms of the house keep their doors: who may import whom, who may touch what."""

import ast
import sys
from pathlib import Path

import pytest

import workbench

PACKAGE = Path(workbench.__file__).parent
MODULES = {path.relative_to(PACKAGE.parent).with_suffix("").as_posix().replace("/", "."): path
           for path in PACKAGE.rglob("*.py")}  # fmt: skip


def imports(path: Path) -> set[str]:
    """Every module that a file imports, at its top or late."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def inside(room: str) -> list[str]:
    return sorted(name for name in MODULES if name == room or name.startswith(f"{room}."))


RULES = [
    (
        "workbench.plan",
        ("workbench.engines", "workbench.process", "workbench.state", "os", "time", "random", "secrets"),
    ),
    ("workbench.engines", ("workbench.cli", "workbench.notebook", "workbench.flow")),
    ("workbench.review", ("workbench.cli", "workbench.engines", "workbench.notebook", "workbench.flow")),
]


@pytest.mark.parametrize(("room", "forbidden"), RULES, ids=[rule[0] for rule in RULES])
def test_a_room_does_not_import_what_it_must_not(room, forbidden):
    assert inside(room)
    wrong = {
        (name, imported)
        for name in inside(room)
        for imported in imports(MODULES[name])
        if imported.startswith(tuple(f"{each}." for each in forbidden)) or imported in forbidden
    }
    assert not wrong


def test_what_runs_inside_imports_nothing_of_the_rest():
    wrong = {
        (name, imported)
        for name in inside("workbench.inside")
        for imported in imports(MODULES[name])
        if imported.startswith("workbench") and not imported.startswith("workbench.inside") and imported != "workbench"
    }
    assert not wrong


NOTEBOOK = inside("workbench.notebook")
KERNEL = ["workbench.__init__", *NOTEBOOK]
"""What runs in kernels, whatever their Python and packages."""


@pytest.mark.parametrize("name", KERNEL)
def test_what_runs_in_kernels_needs_no_package(name):
    early = {module.partition(".")[0] for module in _early(MODULES[name])}
    assert early - {"workbench"} <= sys.stdlib_module_names


@pytest.mark.parametrize("name", NOTEBOOK)
def test_what_runs_in_kernels_imports_nothing_of_the_rest(name):
    ours = {module for module in imports(MODULES[name]) if module.startswith("workbench")}
    assert all(f"{module}.".startswith("workbench.notebook.") for module in ours)


@pytest.mark.parametrize("name", KERNEL)
def test_what_runs_in_kernels_is_python_3_9(name):
    source = MODULES[name].read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 9))
    # Not evaluated then, annotations may be written as later versions have them.
    assert "from __future__ import annotations" in source or "|" not in source


@pytest.mark.parametrize(
    ("module", "door"),
    [
        ("docker", {"workbench.engines.sdk"}),
        ("subprocess", {"workbench.process"}),
        ("anywidget", {"workbench.notebook.widget"}),
    ],
)
def test_one_door_to_each_outside_thing(module, door):
    users = {
        name
        for name, path in MODULES.items()
        if not name.startswith("workbench.inside")
        and any(each == module or each.startswith(f"{module}.") for each in imports(path))
    }
    assert users <= door


def test_there_is_no_import_cycle():
    graph = {
        name: {each for each in imports(path) if each in MODULES and each != name} for name, path in MODULES.items()
    }
    top_level = {name: {each for each in graph[name] if each in _early(MODULES[name])} for name in graph}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, f"cycle: {' -> '.join((*trail, name))}"
        if name not in done:
            for each in top_level[name]:
                visit(each, (*trail, name))
            done.add(name)

    for name in top_level:
        visit(name, ())
    assert done == set(MODULES)


def _early(path: Path) -> set[str]:
    """Imports at the top of a module, outside functions and type checking."""
    found: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found
