"""Where settings come from: `dockerutils.cfg`, the project's TOML, the environment, the command line."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from workbench import dependencies
from workbench.errors import ConfigError
from workbench.model import DependencyFile, Origin, Project
from workbench.schema import BY_NAME, OPTIONS, Option, nearest
from workbench.values import Place

if TYPE_CHECKING:
    from workbench import legacy

DOCKERUTILS = "docker/dockerutils.cfg"
OLD_DIFFS = ("RESERO_JUPYTER_DIFFS", "DOCKER_DS_DIFFS")
"""Variables of dockerutils: anything but a word for no turns diffs on."""
_NO = ("0", "false", "no", "off", "no_diffs")
_INSIDE = ("port", "classic", "device", "diffs")
"""Settings whose variables Workbench itself sets for its server, where they mean that server."""


@dataclass(frozen=True, slots=True)
class Given:
    """One value as it was given; `reads` names variables of the user's environment that are part of it."""

    name: str
    value: object
    origin: Origin
    place: Place
    reads: tuple[str, ...] = ()

    @property
    def option(self) -> Option:
        """What is known of the setting."""
        return BY_NAME[self.name]

    def read(self) -> Any:
        """The value for `model.Settings`. Raises ConfigError with its origin."""
        try:
            return self.option.read(self.value, self.place)
        except ValueError as error:
            raise _wrong(self.origin.where, self.option, error) from error


def dockerutils(project: Project, place: Place) -> list[Given]:
    """What `[notebook]` of `docker/dockerutils.cfg` says of the workbench."""
    section = _notebook(project, place)
    found = [given for value in section if (given := _from_legacy(value, place))]
    image = _configured_image(section)
    return [*found, Given("image", image.value, _legacy_origin(image), place)] if image else found


def unused(project: Project, place: Place) -> tuple[str, ...]:
    """Sentences about what `[notebook]` says and a workbench does not do."""
    section = _notebook(project, place)
    quiet = {"interactive", "pull", *(("name", "tag", "prefix") if _configured_image(section) else ())}
    return tuple(
        f"{_legacy_origin(value)}: {value.name} is not used by run-notebook."
        for value in section
        if value.name not in quiet and not _from_legacy(value, place)
    )


def project_file(project: Project, place: Place) -> list[Given]:
    """`[tool.workbench]` of `pyproject.toml`, or `workbench.toml`. Raises ConfigError for both, and unknown keys."""
    found: list[Given] = []
    for file, path, table in _tables(project):
        if found:
            raise ConfigError(
                f"{file.name} and [tool.workbench] of pyproject.toml both configure this project.",
                "Keep one: move everything into pyproject.toml, and remove workbench.toml.",
            )
        for key, value in table.items():
            found += _from_table(file, (*path, key), value, place)
    return found


def environment(environ: Mapping[str, str], place: Place) -> list[Given]:
    """The variables `WORKBENCH_<NAME>`, and those of dockerutils. Empty ones say nothing."""
    found = [
        Given("diffs", environ[name].lower() not in _NO, Origin("environment", name), place)
        for name in OLD_DIFFS
        if environ.get(name)
    ]
    inside = "WORKBENCH_RUN" in environ
    return found + [
        Given(option.name, environ[option.variable], Origin("environment", option.variable), place)
        for option in OPTIONS
        if option.environment and option.used and environ.get(option.variable)
        if not (inside and option.name in _INSIDE)
    ]


def command_line(flags: Mapping[str, object], place: Place) -> list[Given]:
    """The flags of a command, by the names of their settings; None says nothing."""
    found: list[Given] = []
    for field, value in flags.items():
        name = field.replace("_", "-")
        origin = Origin("flag", "--mount" if name == "mounts" else f"--{name}")
        known = [option.name for option in OPTIONS if option.used and option.flag]
        if name not in known:
            raise ConfigError(f"{origin} is not an option.", nearest(name, known))
        if value is None:
            continue
        if name == "env" and isinstance(value, list | tuple):
            # `--env NAME` takes the value over, unseen: it travels with what is handed over in private.
            bare = [word for word in value if "=" not in word]
            found.append(Given("pass-env", bare, origin, place))
            value = [word for word in value if "=" in word]
        found.append(Given(name, value, origin, place))
    # A file of variables goes under those that are given one by one.
    return sorted(found, key=lambda given: given.name != "env-file")


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


def _tables(project: Project) -> Iterator[tuple[DependencyFile, tuple[str, ...], dict[str, Any]]]:
    """Each table of settings that is there: its file, its path in that file, and its content."""
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


def _table(file: DependencyFile, table: object) -> dict[str, Any]:
    if isinstance(table, dict):
        return table
    line = line_of(file.content.decode(), ("tool", "workbench"))
    raise ConfigError(f"{file.name}:{line}: tool.workbench is not a table.", "Write [tool.workbench] above its keys.")


def _from_table(file: DependencyFile, path: tuple[str, ...], value: object, place: Place) -> Iterator[Given]:
    """One key of a table of settings, checked; each variable of `env` by itself, so that each has its line."""
    text = file.content.decode("utf-8-sig")
    where = f"{file.name}:{line_of(text, path)}"
    option = BY_NAME.get(path[-1])
    if option is None or not option.file:
        known = [option.name for option in OPTIONS if option.file]
        raise ConfigError(f"{where}: `{path[-1]}` is not a setting.", nearest(path[-1], known))
    try:
        option.check(value)
    except ValueError as error:
        raise _wrong(where, option, error) from error
    if not option.used:
        return
    given = Given(option.name, value, Origin("file", where), place)
    if isinstance(value, dict) and option.many:
        for key, each in value.items():
            origin = Origin("file", f"{file.name}:{line_of(text, (*path, key))}")
            yield replace(given, value={key: each}, origin=origin)
    else:
        yield given


def _wrong(where: str, option: Option, error: ValueError) -> ConfigError:
    return ConfigError(f"{where}: `{option.name}`: {error}.".replace("..", "."), f"`{option.name}`: {option.help}")


def _notebook(project: Project, place: Place) -> tuple["legacy.Value", ...]:
    path = project.root / DOCKERUTILS
    if not path.is_file():
        return ()
    import getpass

    from workbench import legacy

    file = dependencies.read_file(project.root, path)
    variables = legacy.Variables(
        project_root=str(project.root),
        user=place.environ.get("USER") or getpass.getuser(),
        project=project.root.name,
        home=str(place.home),
        environ=place.environ,
    )
    return legacy.read(file.content.decode("utf-8-sig", "replace"), variables).get("notebook", ())


def _legacy_origin(value: "legacy.Value") -> Origin:
    return Origin("dockerutils.cfg", f"{DOCKERUTILS}:{value.line}")


def _from_legacy(value: "legacy.Value", place: Place) -> Given | None:
    """One value of dockerutils in our terms; None for what a workbench does not take from there."""
    given = Given(value.name, value.value, _legacy_origin(value), place, value.reads)
    if value.name == "network" and value.value == "host":
        return replace(given, name="host-network", value=True)
    if value.name == "mounts":
        return replace(given, value=[value.value])
    if value.name in ("cap-add", "devices"):
        return replace(given, value=[_plain_device(str(value.value))])
    if value.name == "env" and value.reads:
        return replace(given, name="pass-env")
    return given if value.name in BY_NAME else None


def _plain_device(value: str) -> str:
    """`/dev/x` for `/dev/x:/dev/x`: a device keeps its own name here."""
    source, _, target = value.partition(":")
    return source if source == target else value


def _configured_image(section: Iterable["legacy.Value"]) -> "legacy.Value | None":
    """The image of a configuration-only section: `name`, `tag` and `prefix=False`."""
    said = {value.name: value for value in section}
    prefix = said.get("prefix")
    if prefix is None or prefix.value:
        return None
    if not {"name", "tag"} <= said.keys():
        raise ConfigError(
            f"{_legacy_origin(prefix)}: prefix=False needs a name and a tag.",
            "Name the whole image: name = quay.io/team/image, and tag = latest.",
        )
    name = said["name"]
    return replace(name, value=f"{name.value}:{said['tag'].value}")
