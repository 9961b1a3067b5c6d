"""Creates a project's virtual environment from its dependency files. Standard library only, Python >= 3.11.

`python -m workbench.inside.environment DEPENDENCIES VENV [--python X.Y] [--system-site-packages] [--apart NAMES]`: run
inside an image build, and by the local engine on this machine. All dependency files count, in one resolution; what uv
says about a conflict is the last thing printed, with exit code 1.
"""

import argparse
import ast
import configparser
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workbench.inside.uv import (
    KERNEL,
    InputError,
    InstallError,
    install,
    interpreter,
    normal,
    pip,
    say,
    uv,
    uv_program,
)

FOLDERS = ("", "binder", ".binder")
"""Where dependency files may lie, below the project."""
BUILD_FOLDER = Path("share", "workbench", "build")
"""Below the environment: the project's build requirements, so that it can be installed live without a network."""
DEFAULT_BUILD = {"requires": ["setuptools>=64"], "build-backend": "setuptools.build_meta:__legacy__"}
"""What PEP 517 says of a project without a `[build-system]` table."""
POETRY_BUILD = {"requires": ["poetry-core>=1.0"], "build-backend": "poetry.core.masonry.api"}
LOCAL_SOURCES = ("editable", "directory", "virtual", "path")
LOCAL = re.compile(r"(?:[^\s@]+\s*@\s*)?(?:file:|\.{1,2}(?:[/\\\[]|$)|[/~])")
"""A requirement that is a folder or file of the project, which is not here: `.`, `./lib`, `name @ file:…`."""
OPTION = re.compile(r"(?P<flag>--?[a-z-]+)(?:\s*=\s*|\s+|(?<=^-[erc]))(?P<value>.+)")

HOOKS = """
import importlib, json, pathlib, sys
backend, output, wanted = sys.argv[1:]
module, _, attribute = backend.partition(":")
hooks = importlib.import_module(module)
for name in filter(None, attribute.split(".")):
    hooks = getattr(hooks, name)
found = {"requires": []}
if hasattr(hooks, "get_requires_for_build_editable"):
    found["requires"] = hooks.get_requires_for_build_editable()
if wanted == "metadata":
    folder = hooks.prepare_metadata_for_build_wheel(output)
    found["metadata"] = (pathlib.Path(output) / folder / "METADATA").read_text(encoding="utf-8")
pathlib.Path(output, "found.json").write_text(json.dumps(found), encoding="utf-8")
"""
"""Runs in the environment's interpreter, which has the build requirements on its path (PEP 517, PEP 660)."""


@dataclass(slots=True)
class Inputs:
    """What is to be installed. `arguments` go to `uv pip install`, relative to the copy of the dependency files."""

    locks: list[Path] = field(default_factory=list)
    arguments: list[str] = field(default_factory=list)
    extras: set[str] = field(default_factory=set)
    """Extras of the project itself that a line like `-e .[dev]` asks for."""
    plain: bool = False
    """Whether only what pip understands may be in `arguments`."""
    apart: tuple[str, ...] = ()
    """Normalised names of packages that are left out, whoever asks for them: each device brings its own."""


def main(argv: Sequence[str] | None = None) -> int:
    """Create the environment; returns the exit code."""
    parser = argparse.ArgumentParser(prog="environment", description="Create a project's virtual environment.")
    parser.add_argument("dependencies", type=Path, help="folder with nothing but the project's dependency files")
    parser.add_argument("venv", type=Path, help="the environment to create")
    parser.add_argument("--python", help="version or path of the interpreter")
    parser.add_argument("--system-site-packages", action="store_true", help="see the interpreter's own packages")
    parser.add_argument("--apart", default="", help="packages to leave out, separated by commas")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="workbench-") as scratch:
        work = Path(scratch, "project")
        shutil.copytree(options.dependencies, work) if options.dependencies.is_dir() else work.mkdir()
        try:
            apart = tuple(filter(None, options.apart.split(",")))
            create(work, options.venv.absolute(), options.python, system=options.system_site_packages, apart=apart)
        except InstallError:
            return 1
        except InputError as error:
            say(f"error: {error}")
            return 1
    return 0


def create(work: Path, venv: Path, python: str | None, *, system: bool = False, apart: tuple[str, ...] = ()) -> None:
    """Create `venv` from the dependency files in `work`, a copy that this changes. InstallError, InputError."""
    arguments = ["venv", "--quiet", str(venv), *(["--python", python] if python else [])]
    uv(work, *arguments, *(["--system-site-packages"] if system else []))
    inputs = collect(work)
    inputs.plain, inputs.apart = system, apart
    pins = [pin for lock in inputs.locks for pin in install_lock(lock, venv, apart)]
    arguments = [*inputs.arguments, *project_arguments(work, venv, inputs)]
    if pins:
        arguments += ["--constraints", listed(work / "workbench-constraints.txt", pins)]
    if system:
        # uv would install what the interpreter already has once more; pip sees it. It cannot leave packages out:
        # those of the devices then only hide the ones here.
        install(work, venv, "pip")
        pip(work, venv, *arguments, *KERNEL)
    else:
        if apart:
            arguments += ["--excludes", listed(work / "workbench-apart.txt", apart)]
        install(work, venv, *arguments, *KERNEL)


def listed(file: Path, lines: Iterable[str]) -> str:
    """A requirements file with these lines; returns its path."""
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(file)


def collect(work: Path) -> Inputs:
    """Find the dependency files in `work`; lines that name the project's own folders are taken out of them."""
    inputs = Inputs()
    for folder in (work / name for name in FOLDERS):
        inputs.locks += [folder / name for name in ("uv.lock", "pylock.toml") if (folder / name).exists()]
        requirements = folder / "requirements.txt"
        if requirements.exists():
            take_out_local(requirements, inputs.extras, set())
            inputs.arguments += ["-r", str(requirements.relative_to(work))]
            if "--extra-index-url" in requirements.read_text(encoding="utf-8", errors="replace"):
                # The file was written for pip, which looks into all indexes.
                os.environ.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")
    return inputs


def take_out_local(file: Path, extras: set[str], seen: set[Path]) -> None:
    """Rewrite a requirements file without the lines that name local folders, and the files that it includes."""
    if file in seen or not file.exists():
        return
    seen.add(file)
    kept = []
    for line in file.read_text(encoding="utf-8-sig").splitlines():
        flag, value = option(line)
        if flag in ("-r", "--requirement", "-c", "--constraint"):
            take_out_local((file.parent / value).resolve(), extras, seen)
        if (flag in ("", "-e", "--editable")) and LOCAL.match(value):
            say(f"note: {file.name}: {value!r} is the project's own; it is installed live when the server starts")
            extras |= own_extras(value)
        else:
            kept.append(line)
    file.write_text("\n".join(kept) + "\n", encoding="utf-8")


def option(line: str) -> tuple[str, str]:
    """A line of a requirements file as (flag, value); the flag is empty for a plain requirement."""
    text = re.sub(r"(^|\s)#.*", "", line).strip()
    match = OPTION.fullmatch(text)
    return (match["flag"], match["value"].strip()) if match else ("", text)


def own_extras(value: str) -> set[str]:
    """The extras in `.[a,b]`."""
    match = re.fullmatch(r"\./?\[([^\]]+)\]", value)
    return {name.strip() for name in match[1].split(",")} if match else set()


def install_lock(lock: Path, venv: Path, apart: tuple[str, ...] = ()) -> list[str]:
    """Install what a lock file pins, but for `apart`; returns the pins, which hold for everything that comes after."""
    say(f"Installing {lock.name}")
    if lock.name == "uv.lock" and not apart:
        sync(lock, venv)
    else:
        lock = exported(lock, apart) if lock.name == "uv.lock" else lock
        without(lock, apart)
        install(lock.parent, venv, "-r", lock.name)
    frozen = subprocess.run(
        [uv_program(), "pip", "freeze", "--python", str(interpreter(venv))], capture_output=True, text=True, check=True
    )
    return [line for line in frozen.stdout.splitlines() if line and not line.startswith("-e ")]


def sync(lock: Path, venv: Path) -> None:
    """`uv sync` of everything in `uv.lock` but the project and its neighbours, which are not here."""
    skipped = [part for name in neighbours(lock) for part in ("--no-install-package", name)]
    arguments = ["sync", "--frozen", "--inexact", "--no-install-project", "--compile-bytecode"]
    env = {"UV_PROJECT_ENVIRONMENT": str(venv), "UV_PYTHON_DOWNLOADS": "never"}
    uv(lock.parent, *arguments, *skipped, "--python", str(interpreter(venv)), env=env)


def exported(lock: Path, apart: tuple[str, ...]) -> Path:
    """`uv.lock` as a `pylock.toml`, without `apart` and what only they need: `uv sync` would install the latter."""
    found = lock.with_name("pylock.workbench.toml")
    skipped = [part for name in neighbours(lock) for part in ("--no-emit-package", name)]
    pruned = [part for name in apart for part in ("--prune", name)]
    arguments = ["export", "--quiet", "--frozen", "--no-emit-project", "--format", "pylock.toml", "-o", found.name]
    uv(lock.parent, *arguments, *skipped, *pruned)
    return found


def neighbours(lock: Path) -> list[str]:
    """The packages of a `uv.lock` that are folders: the project and its neighbours. InputError for a lonely lock."""
    if not (lock.parent / "pyproject.toml").exists():
        raise InputError(f"{lock.name} can be read only with its pyproject.toml beside it.")
    packages = read_toml(lock).get("package", [])
    return [package["name"] for package in packages if set(package.get("source", {})) & set(LOCAL_SOURCES)]


def without(lock: Path, apart: tuple[str, ...]) -> None:
    """Take the packages that are folders (the project itself), and those that are `apart`, out of a `pylock.toml`."""
    head, *texts = re.split(r"(?m)^(?=\[\[packages\]\])", lock.read_text(encoding="utf-8"))
    packages = [(text, tomllib.loads(text)["packages"][0]) for text in texts]
    kept = [text for text, package in packages if "directory" not in package and normal(package["name"]) not in apart]
    lock.write_text("".join([head, *kept]), encoding="utf-8")


def project_arguments(work: Path, venv: Path, inputs: Inputs) -> list[str]:
    """What the project's own metadata adds to `uv pip install`, for each place where it may lie."""
    arguments: list[str] = []
    for folder in (work / name for name in FOLDERS):
        files = [name for name in ("pyproject.toml", "setup.py", "setup.cfg") if (folder / name).exists()]
        if not files:
            continue
        data = read_toml(folder / files[0]) if files[0] == "pyproject.toml" else {}
        static = "project" in data and "dependencies" not in data["project"].get("dynamic", [])
        poetry = "poetry" in data.get("tool", {})
        dynamic = "project" in data and not static
        buildable = "build-system" in data or poetry or dynamic or files != ["pyproject.toml"]
        found = build_hooks(folder, data, venv, metadata=not static) if buildable else None
        if static:
            arguments += static_arguments(folder, data, inputs, work)
        elif buildable:
            arguments += required(found["metadata"], inputs.extras) if found else literal_requirements(folder)
    return arguments


def static_arguments(folder: Path, data: Mapping[str, Any], inputs: Inputs, work: Path) -> list[str]:
    """`[project] dependencies`: by uv, which knows its own sources, unless some of these are folders of the project."""
    optional = data["project"].get("optional-dependencies", {})
    extras = sorted(inputs.extras & optional.keys())
    local = local_names(data)
    locked = any(lock.parent == folder for lock in inputs.locks)
    if not (local or locked or inputs.plain):
        file = str((folder / "pyproject.toml").relative_to(work))
        return ["-r", file, *(part for extra in extras for part in ("--extra", extra))]
    texts = [*data["project"].get("dependencies", []), *(text for extra in extras for text in optional[extra])]
    for name in sorted(local):
        say(f"note: {name!r} is a folder of the project; it is not part of the environment")
    return [text for text in texts if normal(text) not in local]


def local_names(data: Mapping[str, Any]) -> set[str]:
    """Names in `[tool.uv.sources]` that stand for folders."""
    sources = data.get("tool", {}).get("uv", {}).get("sources", {})
    return {
        normal(name)
        for name, source in sources.items()
        if any({"path", "workspace"} & entry.keys() for entry in (source if isinstance(source, list) else [source]))
    }


def build_hooks(folder: Path, data: Mapping[str, Any], venv: Path, *, metadata: bool) -> dict[str, Any] | None:
    """Install the build requirements and ask the backend what else it needs, and for the metadata if `metadata`.

    The project's source is not here, so a backend may refuse: then None, and the live install completes it.
    """
    usual = POETRY_BUILD if "poetry" in data.get("tool", {}) else DEFAULT_BUILD
    system = {**usual, **data.get("build-system", {})}
    target = venv / BUILD_FOLDER
    say("Installing what the project needs to be built")
    install(folder, venv, "--target", str(target), *system["requires"])
    make_stubs(folder, data)
    found = ask_backend(folder, venv, system["build-backend"], metadata=metadata)
    # Some backends name the project's own dependencies here; those are in the environment.
    own = {normal(text) for text in [*system["requires"], *data.get("project", {}).get("dependencies", [])]}
    more = [text for text in (found or {}).get("requires", []) if normal(text) not in own]
    if more:
        install(folder, venv, "--target", str(target), *more)
    return found


def ask_backend(folder: Path, venv: Path, backend: str, *, metadata: bool) -> dict[str, Any] | None:
    """Run `HOOKS`; None when the backend raises, which is told only as far as a person needs it."""
    build = venv / BUILD_FOLDER
    env = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(build), str(folder)]),
        "PATH": os.pathsep.join([str(build / "bin"), os.environ.get("PATH", os.defpath)]),
        "SETUPTOOLS_SCM_PRETEND_VERSION": "0",
        "PDM_BUILD_SCM_VERSION": "0",
        "PBR_VERSION": "0",
    }
    with tempfile.TemporaryDirectory() as output:
        wanted = "metadata" if metadata else "requires"
        argv = [str(interpreter(venv)), "-c", HOOKS, backend, output, wanted]
        done = subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, check=False)
        result = Path(output, "found.json")
        if done.returncode == 0 and result.exists():
            found: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
            return found
    last = done.stderr.strip().rpartition("\n")[2]
    say(f"note: {backend.partition(':')[0]} wants to see the project's source, which is not part of this: {last}")
    return None


def literal_requirements(folder: Path) -> list[str]:
    """`install_requires` where `setup.cfg` or `setup.py` has it as plain text; the live install adds the rest."""
    config = configparser.ConfigParser(interpolation=None)
    try:
        config.read(folder / "setup.cfg", encoding="utf-8")
        script = folder / "setup.py"
        tree = ast.parse(script.read_bytes()) if script.exists() else ast.Module([], [])
    except (configparser.Error, SyntaxError) as error:
        raise InputError(f"setup.cfg or setup.py cannot be read: {error}.") from error
    lines = config.get("options", "install_requires", fallback="").splitlines()
    found = [line.strip() for line in lines if line.strip() and not line.startswith("file:")]
    assigned = (node for node in tree.body if isinstance(node, ast.Assign))
    named = {name.id: node.value for node in assigned for name in node.targets if isinstance(name, ast.Name)}
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "install_requires":
            value = named.get(node.value.id) if isinstance(node.value, ast.Name) else node.value
            if isinstance(value, ast.List | ast.Tuple):
                found += [str(item.value) for item in value.elts if isinstance(item, ast.Constant)]
    if not found:
        say("note: what the project needs is installed when the server starts")
    return found


def make_stubs(folder: Path, data: Mapping[str, Any]) -> None:
    """Put empty stand-ins where backends want to see a read-me or a package before they tell the dependencies."""
    poetry = data.get("tool", {}).get("poetry", {})
    readme = data.get("project", {}).get("readme") or poetry.get("readme") or []
    readme = readme.get("file", []) if isinstance(readme, dict) else readme
    wanted = ["README.md", "README.rst", "README.txt", *([readme] if isinstance(readme, str) else readme)]
    project = data.get("project", {}).get("name") or poetry.get("name")
    for entry in poetry.get("packages", [{"include": project}] if project else []):
        package = normal(entry["include"].split("/")[0]).replace("-", "_")
        wanted.append(f"{entry.get('from', '.')}/{package}/__init__.py")
    for file in (folder / name for name in wanted):
        if file.resolve().is_relative_to(folder.resolve()) and not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()


def required(metadata: str, extras: set[str]) -> Iterator[str]:
    """The requirements in a METADATA text that apply with these extras. Other markers stay, for uv."""
    for line in metadata.splitlines():
        if not line:
            return
        if line.startswith("Requires-Dist:"):
            text = line.partition(":")[2].strip()
            extra = re.search(r"""\s*(?:;|\band)\s*\(?extra\s*==\s*["']([^"']+)["']\)?""", text)
            if not extra:
                yield text
            elif extra[1] in extras:
                yield text.replace(extra[0], "")


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file's content; InputError when it is broken."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path.name} cannot be read: {error}.") from error


if __name__ == "__main__":
    sys.exit(main())
