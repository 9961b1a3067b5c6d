"""Reader of `docker/dockerutils.cfg`: text -> what it says of each image, in the words of our own configuration. Pure.

Variables stay as they are written, so that a file can be read, checked and migrated on any machine: see `settle`.
"""

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from configparser import ConfigParser, Error, InterpolationError
from dataclasses import dataclass, replace
from types import MappingProxyType

from workbench.errors import ConfigError
from workbench.images import flags
from workbench.images.flags import BUILD, RUN, FlagError, Grammar
from workbench.images.spec import RunSpec, Said
from workbench.model import Origin

FILE = "docker/dockerutils.cfg"
LISTS = ("run_image", "run-image")
"""Sections that name the synthetic images, and are none."""

_GRAMMARS = {
    **dict.fromkeys(("environment", "interactive", "gpu", "volumes", "ports", "args"), RUN),
    "build_args": BUILD,
}
_TEXTS = {
    "name": "name",
    "tag": "tag",
    "network": "network",
    "image_repo": "image-repo",
    "publication_tag": "publication-tag",
}
_SWITCHES = {"prefix": "prefix", "pull_FROM_on_force": "pull-from-on-force", "init": "init"}
_WORDS = {"cmd": "cmd", "pre_build_script": "pre-build-script", "post_build_script": "post-build-script"}
_DOCKED = "_docked"
_RUN_KEYS = (
    "environment",
    "interactive",
    "gpu",
    "volumes",
    "ports",
    "args",
    "network",
    "cmd",
    "init",
    "keep_container",
)
"""What dockerutils reads from `KEY_docked` when a remote engine runs the image."""
_KEYS = (*_GRAMMARS, *_TEXTS, *_SWITCHES, *_WORDS, "env", "keep_container")

Sections = Mapping[str, tuple[Said, ...]]


def read(text: str) -> Sections:
    """What is said of every image, by its section. Raises ConfigError with file and line for what it cannot mean."""
    parser = _parse(text)
    numbers = _line_numbers(text, parser)
    sections = {name: _lines(text, numbers, parser, name) for name in parser.sections()}
    variables = {line.raw: line for lines in sections.values() for line in lines if line.key == "env" and line.raw}
    for name, line in variables.items():
        if name not in sections:
            raise line.error(f"there is no section [{name}] with variables.", hint=f"Add it: [{name}] and NAME=VALUE.")
    found = {
        name: tuple(_section(lines, sections))
        for name, lines in sections.items()
        if name not in LISTS and name not in variables
    }
    for name in LISTS:
        _check_synthetic(sections.get(name, ()), found)
    return MappingProxyType(found)


@dataclass(frozen=True, slots=True)
class _Line:
    """One key of a section: its value, and where in the file it begins."""

    text: str
    section: str
    key: str
    raw: str
    number: int
    own: bool
    """Whether it stands in the section itself, not in `[DEFAULT]`."""

    def of(self, word: str) -> int:
        """The line that a word of the value stands on: values may go on over several."""
        for number, line in enumerate(self.text.split("\n")[self.number - 1 :], self.number):
            if word in line:
                return number
        return self.number

    def origin(self, word: str) -> Origin:
        return Origin("dockerutils.cfg", f"{FILE}:{self.of(word)}")

    def error(self, why: str, word: str = "", hint: str = "") -> ConfigError:
        return ConfigError(f"{FILE}:{self.of(word)}: {why}", hint or "Correct or remove it.")


def _parse(text: str) -> ConfigParser:
    parser = ConfigParser()
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # keys keep their case, as dockerutils reads them
    try:
        parser.read_string(text)
    except Error as error:
        line = getattr(error, "lineno", None) or getattr(error, "errors", [(1, "")])[0][0]
        raise ConfigError(
            f"{FILE}:{line}: not a valid configuration file.", "Correct this line, then run the same command again."
        ) from error
    return parser


def _line_numbers(text: str, parser: ConfigParser) -> dict[tuple[str, str], int]:
    """(section, key) -> line."""
    section, found = "", dict[tuple[str, str], int]()
    for number, line in enumerate(text.split("\n"), 1):
        header = re.match(r"\s*\[(?P<name>.+)\]", line)
        if header and (parser.has_section(header["name"]) or header["name"] == parser.default_section):
            section = header["name"]
        elif key := re.match(r"\s*(?P<key>[^\s#;=:][^=:]*?)\s*[=:]", line):
            found.setdefault((section, key["key"]), number)
    return found


def _lines(text: str, numbers: Mapping[tuple[str, str], int], parser: ConfigParser, section: str) -> tuple[_Line, ...]:
    found = []
    for key in parser.options(section):
        own = (section, key) in numbers
        number = numbers.get((section, key)) or numbers.get((parser.default_section, key), 1)
        line = _Line(text, section, key, "", number, own)
        try:
            found.append(replace(line, raw=parser.get(section, key).strip()))
        except InterpolationError as error:
            raise line.error("a % that stands for nothing.", "%", "Write %% for a percent sign.") from error
    return tuple(found)


def _section(lines: Iterable[_Line], sections: Mapping[str, tuple[_Line, ...]]) -> Iterator[Said]:
    """What a section says, and what it says instead for a remote engine."""
    plain = {line.key: line for line in lines if _known(line) == line.key}
    docked = {_known(line): line for line in lines if line.key not in plain}
    usual = [said for line in plain.values() for said in _key(line, sections)]
    yield from usual
    if docked:
        remote = [said for key, line in {**plain, **docked}.items() for said in _key(replace(line, key=key), sections)]
        yield from _instead(usual, remote)


def _known(line: _Line) -> str:
    """The key, without the suffix of the variant for remote engines. Raises ConfigError for one that nobody knows."""
    plain = line.key.removesuffix(_DOCKED)
    if line.key in _KEYS or (plain in _RUN_KEYS and plain != line.key):
        return plain
    if line.key == "synthetic_images":
        raise line.error("synthetic_images belongs into [run_image].", line.key, "Move the line there.")
    near = difflib.get_close_matches(line.key, _KEYS, 1)
    raise line.error(f"{line.key!r} is not a setting.", hint=f"Did you mean {near[0]!r}?" if near else "")


def _instead(usual: Iterable[Said], remote: Iterable[Said]) -> Iterator[Said]:
    """What is said in the place of the usual; where nothing is, that a thing has no value any more."""
    before, after = _by_key(usual), _by_key(remote)
    for key, said in {**before, **after}.items():
        now = after.get(key, [])
        if [each.value for each in now] == [each.value for each in before.get(key, ())]:
            continue
        yield from (replace(each, docked=True) for each in now or [replace(said[0], value=_nothing(said[0]))])


def _by_key(all_said: Iterable[Said]) -> dict[str, list[Said]]:
    found: dict[str, list[Said]] = {}
    for said in all_said:
        found.setdefault(said.key, []).append(said)
    return found


def _nothing(said: Said) -> object:
    """The value of a key that says nothing."""
    if isinstance(said.value, bool):
        return getattr(RunSpec(), said.key)
    return type(said.value)()


def _key(line: _Line, sections: Mapping[str, tuple[_Line, ...]]) -> list[Said]:
    """What one key says."""
    key, raw = line.key, line.raw
    if not raw or key == "keep_container":
        return []
    if key == "env":
        return [Said("env", {each.key: each.raw}, each.origin("")) for each in sections[raw] if each.own]
    if key == "interactive" and raw == "-e":  # as dockerutils documents it
        return [Said("interactive", True, line.origin(""))]
    if key in _GRAMMARS or (key in ("network", "init") and raw.startswith("-")):
        return _flags(line, _GRAMMARS.get(key, RUN))
    if name := _SWITCHES.get(key):
        return [Said(name, _switch(line), line.origin(""))]
    if name := _WORDS.get(key):
        return [Said(name, _words(line), line.origin(""))]
    # The documentation of dockerutils itself has a publication_tag that ends with a quote.
    text = raw.strip('"') if key == "publication_tag" else raw
    return [Said(_TEXTS[key], text, line.origin(""))]


def _flags(line: _Line, grammar: Grammar) -> list[Said]:
    try:
        return [Said(key, value, line.origin(word)) for key, value, word in flags.read(line.raw, grammar)]
    except FlagError as error:
        raise line.error(str(error), error.word, error.hint) from error


def _switch(line: _Line) -> bool:
    if line.raw.lower() in ("true", "t", "yes", "on", "1"):
        return True
    if line.raw.lower() in ("false", "f", "no", "off", "0"):
        return False
    raise line.error(f"{line.raw!r} is neither True nor False.", line.raw)


def _words(line: _Line) -> list[str]:
    """A command's words; `["a", "b"]`, as a Dockerfile writes them, too."""
    if line.raw.startswith("["):
        try:
            found = json.loads(line.raw)
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, list) and all(isinstance(word, str) for word in found):
            return found
    try:
        return flags.words(line.raw)
    except FlagError as error:
        raise line.error(str(error), error.word) from error


def _check_synthetic(lines: Iterable[_Line], found: Sections) -> None:
    """A synthetic image needs a section that names what it is made from."""
    for line in lines:
        if line.key == "synthetic_images":
            for name in filter(None, (each.strip() for each in line.raw.split(","))):
                if not any(said.key == "name" for said in found.get(name, ())):
                    raise line.error(
                        f"the synthetic image {name!r} has no name.", name, f"Add name=FOLDER under [{name}]."
                    )
        elif line.own:
            raise line.error(f"{line.key!r} is not a setting of [{line.section}].", line.key)
