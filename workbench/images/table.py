"""What `[tool.workbench.images.NAME]` says of an image, in the same pieces as `dockerutils.cfg`. Pure."""

from collections.abc import Iterator
from typing import Any

from workbench.errors import ConfigError
from workbench.images import flags
from workbench.images.settle import KEYS
from workbench.images.spec import Said
from workbench.model import Origin
from workbench.schema import BY_NAME
from workbench.toml import Table, line_of

COMMANDS = ("cmd", "pre-build-script", "post-build-script")
"""Keys whose text is split into words before anything is replaced in it."""


def read(table: Table) -> dict[str, tuple[Said, ...]]:
    """What a table of settings says of each image. Raises ConfigError, with file and line, for wrong keys and types."""
    file, path, content = table
    tables = content.get("images", {})
    where = _Where(file.name, file.content.decode("utf-8-sig"), (*path, "images"))
    if not isinstance(tables, dict):
        raise where.error("expected a table for each image", "Write [tool.workbench.images.NAME] above its keys.")
    return {name: tuple(_image(each, where.at(name), name)) for name, each in tables.items()}


class _Where:
    """A place in a TOML file."""

    def __init__(self, file: str, text: str, path: tuple[str, ...]) -> None:
        self._file, self._text, self._path = file, text, path

    def at(self, *path: str) -> "_Where":
        """A place below this one."""
        return _Where(self._file, self._text, (*self._path, *path))

    @property
    def origin(self) -> Origin:
        """It in messages, by its line."""
        return Origin("file", f"{self._file}:{line_of(self._text, self._path)}")

    def error(self, why: str, hint: str) -> ConfigError:
        """A failure here."""
        return ConfigError(f"{self.origin}: `{self._path[-1]}`: {why.rstrip('.')}.", hint)


def _image(table: object, where: _Where, name: str) -> Iterator[Said]:
    _check({name: {} if isinstance(table, dict) else table}, where)
    for key, value in table.items() if isinstance(table, dict) else ():
        if key == "docked" and isinstance(value, dict):
            for each, instead in value.items():
                _check({name: {key: {each: instead}}}, where.at(key, each))
                yield from _said(each, instead, where.at(key, each), docked=True)
        else:
            _check({name: {key: value}}, where.at(key))
            yield from _said(key, value, where.at(key), docked=False)


def _check(value: object, where: _Where) -> None:
    option = BY_NAME["images"]
    try:
        option.check(value)
    except ValueError as error:
        raise where.error(str(error), f"`images`: {option.help}") from error


def _said(key: str, value: Any, where: _Where, *, docked: bool) -> Iterator[Said]:
    """A key whose type is right; each item of a collection by itself."""
    if KEYS[key].many and isinstance(value, dict) and value:
        yield from (Said(key, {name: each}, where.at(name).origin, docked) for name, each in value.items())
    elif KEYS[key].many and value:
        yield from (Said(key, [each], where.origin, docked) for each in value)
    elif key in COMMANDS and isinstance(value, str):
        try:
            yield Said(key, flags.words(value), where.origin, docked)
        except flags.FlagError as error:
            raise where.error(str(error), "Close the quote, or write a list of words.") from error
    else:
        yield Said(key, value, where.origin, docked)
