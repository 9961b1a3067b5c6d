"""Docker's own options, as they stand in `dockerutils.cfg`, turned into values. Pure.

No shell ever sees them: they are split into words and understood one by one, and one that is not understood is an
error. Variables stay as they are written: see `places`.
"""

import csv
import difflib
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

Said = tuple[str, object]
"""A key of `[tool.workbench.images.NAME]`, and its value."""


class FlagError(ValueError):
    """An option that cannot be; `word` is what stands in the file."""

    def __init__(self, why: str, word: str, hint: str = "") -> None:
        super().__init__(why)
        self.word = word
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Grammar:
    """The options of one docker command: `switches` and what they say, `options` and how their value is read.

    `short` has the letters that may be bundled, as in `-it`, and the switch that each stands for.
    """

    switches: Mapping[str, Iterable[Said]]
    options: Mapping[str, Callable[[str], Iterable[Said]]]
    short: Mapping[str, str]


def words(raw: str) -> list[str]:
    """A text split into words as a shell would, and nothing else that a shell does."""
    try:
        return shlex.split(raw)
    except ValueError as error:
        raise FlagError(f"a quote is not closed: {raw}", raw.split("\n")[0]) from error


def read(raw: str, grammar: Grammar) -> list[tuple[str, object, str]]:
    """What options such as `-e A=b -v /x:/y --privileged` say: key, value, and the word that says it."""

    def said(flag: str, value: str) -> Iterable[Said]:
        if flag in grammar.switches:
            return [(key, each if value == "true" else not each) for key, each in grammar.switches[flag]]
        return grammar.options[flag](value)

    found: list[tuple[str, object, str]] = []
    rest = iter(words(raw))
    for word in rest:
        for flag, value in _split(word, rest, grammar):
            try:
                found += [(key, each, word if flag in grammar.switches else value) for key, each in said(flag, value)]
            except ValueError as error:
                raise FlagError(f"{value}: {error}", value) from error
    return found


def _split(word: str, rest: Iterator[str], grammar: Grammar) -> list[tuple[str, str]]:
    """One word as (flag, value) pairs: `--a=b`, `--a b`, `-a b`, `-ab`, bundles such as `-it`; "true" for a switch."""
    name, equals, value = word.partition("=")
    if word in grammar.switches:
        return [(word, "true")]
    if name in grammar.switches and value in ("true", "false"):
        return [(name, value)]
    if len(word) > 1 and word[0] == "-" and set(word[1:]) <= set(grammar.short):
        return [(grammar.short[letter], "true") for letter in word[1:]]
    if name in grammar.options and equals and name.startswith("--"):
        return [(name, value)]
    if word in grammar.options:
        following = next(rest, None)
        if following is None:
            raise FlagError(f"{word} has no value.", word)
        return [(word, following)]
    if word[:2] in grammar.options and not word.startswith("--"):
        return [(word[:2], word[2:])]
    raise _not_understood(word, name, grammar)


def _not_understood(word: str, name: str, grammar: Grammar) -> FlagError:
    known = (*grammar.options, *grammar.switches)
    near = difflib.get_close_matches(name, known, 1)
    hint = f"Did you mean {near[0]!r}?" if near else f"Take it out. Understood are: {' '.join(known)}"
    return FlagError(f"the docker option {word!r} is not understood.", word, hint)


def _is(key: str) -> Callable[[str], Iterable[Said]]:
    return lambda value: [(key, value)]


def _one_of(key: str) -> Callable[[str], Iterable[Said]]:
    """One item of a list."""
    return lambda value: [(key, [value])]


def _env(value: str) -> Iterable[Said]:
    """Docker takes a variable without a value over from the user's environment."""
    name, equals, text = value.partition("=")
    if name == "NVIDIA_VISIBLE_DEVICES" and equals:
        return [("device", _device(text))]
    return [("env", {name: text if equals else f"${name}"})]


def _volume(value: str) -> Iterable[Said]:
    parts = value.split(":")
    options = parts.pop().split(",") if len(parts) > 2 and not parts[-1].startswith("/") else []
    if strange := set(options) - {"ro", "rw", "z", "Z", "cached", "delegated", "consistent"}:
        raise ValueError(f"{min(strange)!r} is no option of a volume")
    if len(parts) < 2:
        raise ValueError("a volume is SOURCE:TARGET")
    source, target = ":".join(parts[:-1]), parts[-1]
    # Docker's own rule; a variable stands for a folder, or for the beginning of one.
    kind = "bind" if re.match(r"[/.~${]", source) else "volume"
    return [("mounts", [_table(source, target, kind, read_only="ro" in options)])]


def _fields(value: str) -> list[str]:
    try:
        return next(csv.reader([value]), [])
    except csv.Error as error:
        raise ValueError("a mount is one line of comma-separated values") from error


_MOUNT_KEYS = {"src": "source", "dst": "target", "destination": "target", "ro": "read-only", "readonly": "read-only"}


def _mount(value: str) -> Iterable[Said]:
    table: dict[str, str] = {"type": "volume", "read-only": "false"}
    for field in _fields(value):
        key, equals, text = field.partition("=")
        key = _MOUNT_KEYS.get(key, key)
        if key in ("type", "source", "target", "read-only"):
            table[key] = text if equals else "true"
        elif key not in ("consistency", "bind-propagation"):
            raise ValueError(f"{key!r} is no part of a mount")
    if table["type"] not in ("bind", "volume") or "source" not in table or "target" not in table:
        raise ValueError("a mount needs type=bind or type=volume, a source and a target")
    read_only = table["read-only"].lower() in ("true", "1")
    return [("mounts", [_table(table["source"], table["target"], table["type"], read_only=read_only)])]


def _table(source: str, target: str, kind: str, *, read_only: bool) -> dict[str, object]:
    """A mount, with nothing said that goes without saying."""
    return {
        "source": source,
        "target": target,
        **({"type": "volume"} if kind == "volume" else {}),
        **({"read-only": True} if read_only else {}),
    }


def _gpus(value: str) -> Iterable[Said]:
    text = value.strip('"')
    if ids := re.fullmatch(r"(?:\"?device=)([\w,-]+)\"?", text):
        return [("device", _device(ids[1]))]
    if re.fullmatch(r"all|\d+", text, re.ASCII):
        return [("device", "gpu" if text != "0" else "cpu")]
    raise ValueError("a request for GPUs is all, or device=0,1")


def _runtime(value: str) -> Iterable[Said]:
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


def _build_arg(value: str) -> Iterable[Said]:
    name, equals, text = value.partition("=")
    return [("build-args", {name: text if equals else f"${name}"})]


def _log_option(value: str) -> Iterable[Said]:
    name, equals, text = value.partition("=")
    if not equals:
        raise ValueError("an option of a log is NAME=VALUE")
    return [("log-opts", {name: text})]


RUN = Grammar(
    switches={
        "--privileged": [("privileged", True)],
        "--interactive": [("interactive", True)],
        "--tty": [("interactive", True)],
        "--detach": [("interactive", False)],
        "--init": [("init", True)],
        "--rm": [],
    },
    options={
        **dict.fromkeys(("-e", "--env"), _env),
        **dict.fromkeys(("-v", "--volume"), _volume),
        "--mount": _mount,
        **dict.fromkeys(("-p", "--publish"), _one_of("ports")),
        **dict.fromkeys(("--network", "--net"), _is("network")),
        "--cap-add": _one_of("cap-add"),
        "--device": _one_of("devices"),
        "--gpus": _gpus,
        "--runtime": _runtime,
        "--shm-size": _is("shm-size"),
        **dict.fromkeys(("-m", "--memory"), _is("memory")),
        "--cpus": _is("cpus"),
        **dict.fromkeys(("-u", "--user"), _is("user")),
        **dict.fromkeys(("-w", "--workdir"), _is("workdir")),
        **dict.fromkeys(("-h", "--hostname"), _is("hostname")),
        "--entrypoint": _is("entrypoint"),
        "--add-host": _one_of("add-hosts"),
        "--ipc": _is("ipc"),
        "--ulimit": _one_of("ulimits"),
        "--restart": _is("restart"),
        "--log-opt": _log_option,
    },
    short={"i": "--interactive", "t": "--tty", "d": "--detach"},
)
"""`docker run`."""

BUILD = Grammar(
    switches={
        "--pull": [("pull", True)],
        "--no-cache": [("cache", False)],
        **dict.fromkeys(("-q", "--quiet", "--compress", "--rm", "--force-rm"), ()),
    },
    options={
        "--build-arg": _build_arg,
        "--target": _is("target"),
        "--platform": _is("platform"),
        "--network": _is("build-network"),
    },
    short={},
)
"""`docker build`."""
