"""`docker/dockerutils.cfg` said again in the project's TOML, which means the same and gives the same plans."""

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from workbench import files, toml
from workbench.errors import ConfigError
from workbench.images import catalogue, cfg, table
from workbench.images.settle import KEYS
from workbench.images.spec import Said
from workbench.model import Project


@dataclass(frozen=True, slots=True)
class Migration:
    """What to add to which file. `tables` are the headers of the tables in `text`."""

    file: Path
    text: str
    tables: tuple[str, ...]


def plan(project: Project) -> Migration:
    """What to add to the project's TOML. Raises ConfigError where there is nothing to say, or something in the way."""
    sections = catalogue.dockerutils(project)
    if not any(sections.values()):
        raise ConfigError(f"{cfg.FILE} is not there, or says nothing.", "There is nothing to migrate.")
    for said in map(table.read, toml.tables(project)):
        for name in [name for name in sections if said.get(name)]:
            raise ConfigError(
                f"{said[name][0].origin}: the image {name!r} is configured here already.",
                f"Take what you want from `workbench config migrate --print`, and remove {cfg.FILE}.",
            )
    own = project.root / "workbench.toml"
    file = own if own.exists() or not (project.root / "pyproject.toml").exists() else project.root / "pyproject.toml"
    path = ("images",) if file == own else ("tool", "workbench", "images")
    tables = {_header(*path, name): written(said) for name, said in sections.items() if said}
    return Migration(file, "\n".join(f"{header}\n{text}" for header, text in tables.items()), tuple(tables))


def apply(migration: Migration) -> None:
    """Add the text to its file, whole or not at all. Raises ConfigError where that would be no valid TOML."""
    before = migration.file.read_bytes() if migration.file.exists() else b""
    gap = "" if not before else "\n" if before.endswith(b"\n") else "\n\n"
    added = gap + migration.text
    after = before + (added.replace("\n", "\r\n") if b"\r\n" in before else added).encode()
    try:
        tomllib.loads(after.decode("utf-8-sig"))
    except ValueError as error:
        raise ConfigError(
            f"{migration.file.name}: tables cannot be added at its end: {error}.",
            "Put them where they belong yourself: workbench config migrate --print",
        ) from error
    files.replace(migration.file.resolve(), after)


def written(all_said: Iterable[Said]) -> str:
    """The keys of an image's table, as TOML."""
    lines: dict[str, object] = {}
    docked: dict[str, object] = {}
    for said in all_said:
        into = docked if said.docked else lines
        into[said.key] = _joined(into.get(said.key), said.value) if KEYS[said.key].many else said.value
    return "".join(_lines(lines, ())) + "".join(_lines(docked, ("docked",)))


def _joined(before: object, value: object) -> object:
    if isinstance(value, dict):
        return {**(before if isinstance(before, dict) else {}), **value}
    return [*(before if isinstance(before, list) else []), *(value if isinstance(value, list) else [value])]


def _lines(values: Mapping[str, object], path: tuple[str, ...]) -> Iterator[str]:
    for key, value in values.items():
        yield f"{'.'.join(map(_key, (*path, key)))} = {_value(value)}\n"


def _header(*path: str) -> str:
    return f"[{'.'.join(map(_key, path))}]"


def _key(name: str) -> str:
    return name if re.fullmatch(r"[\w-]+", name, re.ASCII) else _text(name)


def _text(text: str) -> str:
    """A basic string: TOML's escapes are JSON's, but for DEL, which has to be one."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: object) -> str:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(name)} = {_value(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    return str(value)
