"""Where settings come from: `dockerutils.cfg`, the project's TOML, the environment, the command line."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from workbench import toml
from workbench.errors import ConfigError
from workbench.model import DependencyFile, Origin, Project
from workbench.schema import BY_NAME, OPTIONS, Option, nearest
from workbench.values import Place

if TYPE_CHECKING:
    from workbench.images.places import Variables
    from workbench.images.spec import Said

DOCKERUTILS = "docker/dockerutils.cfg"
OLD_DIFFS = ("RESERO_JUPYTER_DIFFS", "DOCKER_DS_DIFFS")
"""Variables of dockerutils: anything but a word for no turns diffs on."""
_NO = ("0", "false", "no", "off", "no_diffs")
_FLAGS = {"mounts": "--mount", "services": "--with"}
"""Flags that are not called as their setting."""
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


def notebook_image(project: Project, place: Place) -> list[Given]:
    """What `[notebook]` of `docker/dockerutils.cfg` and `[tool.workbench.images.notebook]` say of the workbench."""
    section = _notebook(project)
    if not section:
        return []
    variables = _variables(project, place)
    found = [given for said in section if (given := _from_image(said, place, variables))]
    image = _configured_image(section)
    return [*found, Given("image", image.value, image.origin, place)] if image else found


def unused(project: Project, place: Place) -> tuple[str, ...]:
    """Sentences about what is said of the image `notebook`, and what a workbench does not do."""
    section = _notebook(project)
    quiet = {
        "interactive",
        "init",
        "pull-from-on-force",
        *(("name", "tag", "prefix") if _configured_image(section) else ()),
    }
    return tuple(
        f"{said.origin}: {said.key} is not used by run-notebook."
        for said in section
        if said.key not in quiet and not said.docked and not _from_image(said, place, _variables(project, place))
    )


def project_file(project: Project, place: Place) -> list[Given]:
    """`[tool.workbench]` of `pyproject.toml`, or `workbench.toml`. Raises ConfigError for both, and unknown keys."""
    found: list[Given] = []
    for file, path, table in toml.tables(project):
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
        origin = Origin("flag", _FLAGS.get(name, f"--{name}"))
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


def _from_table(file: DependencyFile, path: tuple[str, ...], value: object, place: Place) -> Iterator[Given]:
    """One key of a table of settings, checked; each variable of `env` by itself, so that each has its line."""
    text = file.content.decode("utf-8-sig")
    where = f"{file.name}:{toml.line_of(text, path)}"
    option = BY_NAME.get(path[-1])
    if option is None or not option.file:
        known = [option.name for option in OPTIONS if option.file]
        raise ConfigError(f"{where}: `{path[-1]}` is not a setting.", nearest(path[-1], known))
    if not option.used:
        return
    try:
        option.check(value)
    except ValueError as error:
        raise _wrong(where, option, error) from error
    given = Given(option.name, value, Origin("file", where), place)
    if isinstance(value, dict) and option.many:
        for key, each in value.items():
            origin = Origin("file", f"{file.name}:{toml.line_of(text, (*path, key))}")
            yield replace(given, value={key: each}, origin=origin)
    else:
        yield given


def _wrong(where: str, option: Option, error: ValueError) -> ConfigError:
    return ConfigError(
        f"{where}: `{option.name}`: {str(error).rstrip('.')}.",
        f"Correct or remove it. `{option.name}`: {option.help}",
    )


def _notebook(project: Project) -> tuple["Said", ...]:
    """What is said of the image `notebook`; nothing is imported where nothing is said of any image."""
    if (project.root / DOCKERUTILS).is_file() or any("images" in table for _, _, table in toml.tables(project)):
        from workbench.images import catalogue

        return catalogue.said(project).get("notebook", ())
    return ()


def _variables(project: Project, place: Place) -> "Variables":
    from workbench.images.catalogue import variables

    return variables(project, place)


def _from_image(said: "Said", place: Place, variables: "Variables") -> Given | None:
    """One thing said of the image in the words of a workbench; None for what a workbench does not take from there."""
    from workbench.images.settle import expanded

    if said.docked:
        return None
    name = "host-network" if said.key == "network" and said.value == "host" else said.key
    if name not in BY_NAME or name == "images":
        return None
    made = expanded(said, variables)
    given = Given(name, made.value, said.origin, place, made.reads)
    if name == "host-network":
        return replace(given, value=True)
    if name == "devices" and isinstance(made.value, list):
        return replace(given, value=[_plain_device(each) for each in made.value])
    return replace(given, name="pass-env") if name == "env" and made.reads else given


def _plain_device(value: str) -> str:
    """`/dev/x` for `/dev/x:/dev/x`: a device keeps its own name here."""
    source, _, target = value.partition(":")
    return source if source == target else value


def _configured_image(section: Iterable["Said"]) -> "Said | None":
    """The image of a configuration-only section: `name`, `tag` and `prefix=False`."""
    said = {each.key: each for each in section if not each.docked}
    prefix = said.get("prefix")
    if prefix is None or prefix.value:
        return None
    if not {"name", "tag"} <= said.keys():
        raise ConfigError(
            f"{prefix.origin}: prefix=False needs a name and a tag.",
            "Name the whole image: name = quay.io/team/image, and tag = latest.",
        )
    return replace(said["name"], value=f"{said['name'].value}:{said['tag'].value}")
