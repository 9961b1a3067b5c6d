"""Reader of `docker/dockerutils.cfg`: text -> typed values in the words of our own configuration. Pure.

The docker options inside its values are split into words and understood one by one; no shell ever sees them, and
one that is not understood is an error. Variables are replaced after the splitting, so that a value never turns
into further options.
"""

import csv
import difflib
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from configparser import ConfigParser, Error
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

from workbench.errors import ConfigError

FILE = "docker/dockerutils.cfg"


@dataclass(frozen=True, slots=True)
class Variables:
    """What `{project_root}`, `{user}`, `{project}`, `{home}`, and `$NAME` stand for."""

    project_root: str
    user: str
    project: str
    home: str
    environ: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Value:
    """One value of a section: `env` and `pass-env` (name -> value), `mounts` (a table as in `[tool.workbench]`),
    `ports`, `network`, `device`, `privileged`, `cap-add`, `devices`, `memory`, `cpus`, `shm-size`, `interactive`,
    `cmd` (words), `name`, `tag`, `prefix`, `pull`, and the build and publication settings as text.

    `reads` are the variables of the user's environment that became part of it.
    """

    name: str
    value: object
    line: int
    reads: tuple[str, ...] = ()


Sections = Mapping[str, tuple[Value, ...]]

_SWITCHES = {
    "--privileged": ("privileged", True),
    "--interactive": ("interactive", True),
    "--tty": ("interactive", True),
    "--detach": ("interactive", False),
    "-d": ("interactive", False),
    "--init": None,
    "--rm": None,
}
"""Options without a value, and what they say; None: what a workbench does anyway."""

_OPTIONS = {
    "-e": "env",
    "--env": "env",
    "-v": "volume",
    "--volume": "volume",
    "--mount": "mount",
    "-p": "ports",
    "--publish": "ports",
    "--network": "network",
    "--net": "network",
    "--cap-add": "cap-add",
    "--device": "devices",
    "--gpus": "gpus",
    "--runtime": "runtime",
    "--shm-size": "shm-size",
    "-m": "memory",
    "--memory": "memory",
    "--cpus": "cpus",
}

_FLAG_KEYS = ("environment", "volumes", "ports", "gpu", "interactive", "args")
_TEXT_KEYS = {
    "name": "name",
    "tag": "tag",
    "image_repo": "image-repo",
    "publication_tag": "publication-tag",
    "pre_build_script": "pre-build-script",
    "post_build_script": "post-build-script",
}
_SWITCH_KEYS = {"prefix": "prefix", "pull_FROM_on_force": "pull", "synthetic_images": None}
_KEYS = (*_FLAG_KEYS, *_TEXT_KEYS, *_SWITCH_KEYS, "network", "cmd", "init", "keep_container")


def read(text: str, variables: Variables) -> Sections:
    """Every section of a `dockerutils.cfg`, by name. Raises ConfigError with file and line for what it cannot mean."""
    parser = ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # keys keep their case, as dockerutils reads them
    try:
        parser.read_string(text)
    except Error as error:
        line = getattr(error, "lineno", None) or getattr(error, "errors", [(1, "")])[0][0]
        raise ConfigError(f"{FILE}:{line}: not a valid configuration file.", "Correct this line.") from error
    numbers = _line_numbers(text)
    found: dict[str, tuple[Value, ...]] = {}
    for section in parser.sections():
        values: list[Value] = []
        for key, raw in parser.items(section):
            line = numbers.get((section, key)) or numbers.get((parser.default_section, key), 1)
            values += _key(key, raw.strip(), _Line(text, line, variables))
        found[section] = tuple(values)
    return MappingProxyType(found)


@dataclass(frozen=True, slots=True)
class _Line:
    """Where in the file a key begins, for messages, and what its variables stand for."""

    text: str
    number: int
    variables: Variables

    def of(self, word: str) -> int:
        """The line that a word of the value stands on: values may go on over several."""
        for number, line in enumerate(self.text.splitlines()[self.number - 1 :], self.number):
            if word in line:
                return number
        return self.number

    def error(self, why: str, word: str = "", hint: str = "") -> ConfigError:
        return ConfigError(f"{FILE}:{self.of(word)}: {why}", hint or "Correct or remove it.")

    def expand(self, word: str) -> tuple[str, tuple[str, ...]]:
        """The word with its variables replaced, and the names of those that came from the environment."""
        reads: list[str] = []

        def replace(match: re.Match[str]) -> str:
            own, name = match["own"], match["plain"] or match["braced"]
            if own:
                return str(getattr(self.variables, own))
            if name is None:  # `$$`
                return "$"
            if name not in self.variables.environ:
                raise self.error(f"${name} is not set.", match[0], f"Set it: export {name}=…, or take it out.")
            reads.append(name)
            return self.variables.environ[name]

        return _VARIABLE.sub(replace, word), tuple(reads)


_VARIABLE = re.compile(
    r"\{(?P<own>project_root|user|project|home)\}|\$(?:\$|(?P<plain>[A-Za-z_]\w*)|\{(?P<braced>[A-Za-z_]\w*)\})"
)
_STRANGE = re.compile(r"(?<!\$)\{(?!(?:project_root|user|project|home)\})\w*\}")


def _line_numbers(text: str) -> dict[tuple[str, str], int]:
    """(section, key) -> line."""
    section, found = "", {}
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\[(?P<name>.+)\]", line):
            section = header["name"]
        elif key := re.match(r"(?P<key>[^\s#;:=][^:=]*?)\s*[:=]", line):
            found[section, key["key"]] = number
    return found


def _key(key: str, raw: str, line: _Line) -> list[Value]:
    plain = key.removesuffix("_docked")  # the variant for remote engines says the same things
    if plain not in _KEYS:
        near = difflib.get_close_matches(key, _KEYS, 1)
        raise line.error(f"{key!r} is not a setting.", hint=f"Did you mean {near[0]!r}?" if near else "")
    if plain != key or not raw or plain in ("init", "keep_container"):
        return []
    if key == "interactive" and raw == "-e":  # as dockerutils documents it
        return [Value("interactive", True, line.number)]
    if key in _FLAG_KEYS or (key == "network" and raw.startswith("-")):
        return _flags(raw, line)
    if key == "synthetic_images":
        return [Value("synthetic-images", tuple(name.strip() for name in raw.split(",")), line.number)]
    if name := _SWITCH_KEYS.get(key):
        return [Value(name, _switch(raw, line), line.number)]
    if key == "cmd":
        words = [line.expand(word) for word in _words(raw, line)]
        reads = tuple(name for _, names in words for name in names)
        return [Value("cmd", tuple(word for word, _ in words), line.number, reads)]
    if key == "network":
        value, reads = line.expand(raw)
        return [Value("network", value, line.number, reads)]
    return [Value(_TEXT_KEYS[key], raw, line.number)]


def _switch(raw: str, line: _Line) -> bool:
    if raw.lower() in ("true", "t", "yes", "on", "1"):
        return True
    if raw.lower() in ("false", "f", "no", "off", "0"):
        return False
    raise line.error(f"{raw!r} is neither True nor False.", raw)


def _words(raw: str, line: _Line) -> list[str]:
    try:
        return shlex.split(raw)
    except ValueError as error:
        raise line.error(f"a quote is not closed: {raw}") from error


def _flags(raw: str, line: _Line) -> list[Value]:
    """The typed values of docker options such as `-e A=b -v /x:/y --privileged`."""
    found: list[Value] = []
    words = iter(_words(raw, line))
    for word in words:
        for flag, value in _split(word, words, line):
            at = line.of(value or word)
            if value is None:
                said = _SWITCHES[flag]
                found += [Value(*said, at)] if said else []
            else:
                found += _option(_OPTIONS[flag], value, line, at)
    return found


def _split(word: str, rest: Iterator[str], line: _Line) -> list[tuple[str, str | None]]:
    """One word as (flag, value) pairs: `--a=b`, `--a b`, `-a b`, `-ab`, and bundles such as `-it`."""
    name, equals, value = word.partition("=")
    if word in _SWITCHES:
        return [(word, None)]
    if re.fullmatch(r"-[itd]+", word):
        return [({"i": "--interactive", "t": "--tty", "d": "-d"}[letter], None) for letter in word[1:]]
    if name in _OPTIONS and equals and name.startswith("--"):
        return [(name, value)]
    if word in _OPTIONS:
        value_word = next(rest, None)
        if value_word is None:
            raise line.error(f"{word} has no value.", word)
        return [(word, value_word)]
    if word[:2] in _OPTIONS and not word.startswith("--"):
        return [(word[:2], word[2:])]
    known = (*_OPTIONS, *_SWITCHES)
    near = difflib.get_close_matches(name, known, 1)
    raise line.error(
        f"the docker option {word!r} is not understood.",
        word,
        f"Did you mean {near[0]!r}?" if near else f"Take it out. Understood are: {' '.join(known)}",
    )


def _option(name: str, raw: str, line: _Line, at: int) -> list[Value]:
    value, reads = line.expand(raw)
    if name in ("volume", "mount") and (strange := _STRANGE.search(raw)):
        raise line.error(f"{strange[0]} stands for nothing.", strange[0], "Use project_root, user, project or home.")
    reader = _READERS.get(name) or partial(_as_is, name)
    try:
        found = list(reader(value))
        # What the container could read a variable's value from, without anybody having been asked for it.
        hidden = any(key not in ("env", "pass-env", "mounts") for key, _ in found)
        hidden = hidden or (name in ("volume", "mount") and "$" in _target(reader(raw)))
    except ValueError as error:
        raise line.error(f"{raw}: {error}", raw) from error
    if reads and hidden:
        raise line.error(f"{raw}: a variable of your environment cannot stand here.", raw)
    return [Value(key, each, at, reads) for key, each in found]


def _as_is(name: str, value: str) -> Iterable[tuple[str, object]]:
    return [(name, value)]


def _target(mounts: Iterable[tuple[str, object]]) -> str:
    return "".join(str(table["target"]) for _, table in mounts if isinstance(table, dict))


def _env(value: str) -> Iterable[tuple[str, object]]:
    name, equals, text = value.partition("=")
    if name == "NVIDIA_VISIBLE_DEVICES" and equals:
        return [("device", _device(text))]
    return [("env", {name: text})] if equals else [("pass-env", [name])]


def _volume(value: str) -> Iterable[tuple[str, object]]:
    parts = value.split(":")
    options = parts.pop().split(",") if len(parts) > 2 and not parts[-1].startswith("/") else []
    if strange := set(options) - {"ro", "rw", "z", "Z", "cached", "delegated", "consistent"}:
        raise ValueError(f"{min(strange)!r} is no option of a volume")
    if len(parts) < 2:
        raise ValueError("a volume is SOURCE:TARGET")
    source, target = ":".join(parts[:-1]), parts[-1]
    kind = "bind" if re.match(r"[/.~]", source) else "volume"  # Docker's own rule
    return [("mounts", {"source": source, "target": target, "type": kind, "read-only": "ro" in options})]


_MOUNT_KEYS = {"src": "source", "dst": "target", "destination": "target", "ro": "read-only", "readonly": "read-only"}


def _mount(value: str) -> Iterable[tuple[str, object]]:
    table: dict[str, object] = {"type": "volume", "read-only": False}
    for field in next(csv.reader([value])):
        key, equals, text = field.partition("=")
        key = _MOUNT_KEYS.get(key, key)
        if key == "read-only":
            table[key] = not equals or text.lower() in ("true", "1")
        elif key in ("type", "source", "target"):
            table[key] = text
        elif key not in ("consistency", "bind-propagation"):
            raise ValueError(f"{key!r} is no part of a mount")
    if table["type"] not in ("bind", "volume") or "source" not in table or "target" not in table:
        raise ValueError("a mount needs type=bind or type=volume, a source and a target")
    return [("mounts", table)]


def _gpus(value: str) -> Iterable[tuple[str, object]]:
    text = value.strip('"')
    if ids := re.fullmatch(r"(?:\"?device=)([\w,-]+)\"?", text):
        return [("device", _device(ids[1]))]
    if re.fullmatch(r"all|\d+", text):
        return [("device", "gpu" if text != "0" else "cpu")]
    raise ValueError("a request for GPUs is all, or device=0,1")


def _runtime(value: str) -> Iterable[tuple[str, object]]:
    if value == "nvidia":
        return [("device", "gpu")]
    if value == "runc":
        return []
    raise ValueError("only the runtime nvidia is known")


def _device(visible: str) -> str:
    """Our device for a value of NVIDIA_VISIBLE_DEVICES."""
    if visible in ("", "none", "void"):
        return "cpu"
    return "gpu" if visible == "all" else f"gpu:{visible}"


_READERS: Mapping[str, Callable[[str], Iterable[tuple[str, object]]]] = {
    "env": _env,
    "volume": _volume,
    "mount": _mount,
    "gpus": _gpus,
    "runtime": _runtime,
}
