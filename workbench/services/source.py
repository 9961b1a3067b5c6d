"""A project's Compose file as Compose itself reads it."""

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from workbench import process
from workbench.errors import ConfigError, ProjectError
from workbench.plan import service_trust, services
from workbench.plan.services import Stack
from workbench.services.program import Program

NAMES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
KEPT = 6
"""Last lines of Compose that an error shows."""
PATIENCE = 60
"""Seconds in which Compose must have read a file."""
PASSED = re.compile(
    r"PATH|HOME|USER|LOGNAME|LANG|LC_\w+|TMPDIR|(?:DOCKER|COMPOSE|BUILDKIT|BUILDX|XDG|CONTAINERS?|PODMAN)_\w+"
    r"|(?:https?|no|all|ftp)_proxy|SSL_CERT_\w+",
    re.IGNORECASE,
)
"""Variables of the user's environment that Compose has in any case: how it finds the engine, and the network."""


@dataclass(frozen=True, slots=True)
class Source:
    """A Compose file of a project: what it came to, and what of the user's environment it has seen."""

    stack: Stack
    seen: tuple[str, ...]
    """Variables that its text names, and that there are."""
    files: tuple[str, ...]
    """Files whose content went into environments."""
    env: Mapping[str, str]
    """The whole environment that Compose is given."""


def read(root: Path, program: Program, environ: Mapping[str, str], more: Iterable[Path] = ()) -> Source:
    """Have Compose read the project's file, `more` files over it.

    It is given those variables only that the file's text names; whoever asks for agreement names them. Raises
    ProjectError where there is no file, ConfigError with Compose's own words where it does not take it.
    """
    files = [*_files(root, environ), *more]
    if not files:
        raise ProjectError(
            f"{root} has no Compose file, which services are described in.",
            f"Write one, {NAMES[0]}: https://docs.docker.com/compose/gettingstarted",
        )
    seen, contents = _sources(root, files)
    env = {name: value for name, value in environ.items() if name in seen or PASSED.fullmatch(name)}
    env |= program.env
    chosen = ("--profile", "*") if program.is_modern else ()
    form = ("--format", "json") if program.is_modern else ()
    words = (*program.words, *arguments(files), *chosen, "config", *form)
    done = process.run(words, env=env, whole=True, cwd=root, timeout=PATIENCE)
    if done.code != 0:
        raise ConfigError(
            f"Compose does not take {', '.join(file.name for file in files)}.",
            f"These are its words; `{' '.join(program.words)} config` says them again.",
            detail=tuple(line for line in done.err.splitlines() if line.strip())[-KEPT:],
        )
    document = _resolved(_document(done.out) or {}, root)
    known = tuple(sorted(name for name in seen if name in environ))
    return Source(services.stack(document, _name(root, environ)), known, contents, env)


def arguments(files: Iterable[Path]) -> tuple[str, ...]:
    """The files as Compose's arguments."""
    return tuple(word for file in files for word in ("-f", str(file)))


def profiles(environ: Mapping[str, str], root: Path) -> tuple[str, ...]:
    """The profiles that the user has chosen."""
    said = environ.get("COMPOSE_PROFILES") or _dotenv(root, "COMPOSE_PROFILES")
    return tuple(part.strip() for part in said.split(",") if part.strip())


def agreed(source: Source, names: tuple[str, ...], root: Path, *, far: bool) -> tuple[str, ...]:
    """What these services ask for. `far`: another machine runs them."""
    asked = service_trust.asks(source.stack, names, None if far else PurePath(root), source.seen)
    outside = (file for file in source.files if not Path(os.path.realpath(file)).is_relative_to(root.resolve()))
    return (*asked, *(f"Read the file {file} into the environment of a service." for file in sorted(outside)))


def _files(root: Path, environ: Mapping[str, str]) -> list[Path]:
    """Those that Compose would take by itself."""
    if chosen := environ.get("COMPOSE_FILE") or _dotenv(root, "COMPOSE_FILE"):
        mark = environ.get("COMPOSE_PATH_SEPARATOR") or os.pathsep
        return [root / part for part in chosen.split(mark) if part]
    found = next((root / name for name in NAMES if (root / name).is_file()), None)
    if found is None:
        return []
    over = found.with_name(f"{found.stem}.override{found.suffix}")
    return [found, over] if over.is_file() else [found]


def _name(root: Path, environ: Mapping[str, str]) -> str:
    """What Compose calls a project that does not name itself."""
    said = environ.get("COMPOSE_PROJECT_NAME") or _dotenv(root, "COMPOSE_PROJECT_NAME") or root.name
    return re.sub(r"[^-_a-z0-9]", "", said.lower()).lstrip("_-") or "default"


def _dotenv(root: Path, name: str) -> str:
    """A value of the project's `.env`."""
    from workbench.envfile import parse

    file = root / ".env"
    if not file.is_file():
        return ""
    try:
        return parse(file.read_text("utf-8-sig"), file.name, {}).get(name, "")
    except (OSError, ValueError):
        # Compose reads it itself, and says what is wrong with it.
        return ""


def _sources(root: Path, files: Iterable[Path]) -> tuple[frozenset[str], tuple[str, ...]]:
    """The variables that these files and those that they include name, and the files that go into environments."""
    waiting, known = [*files], set[Path]()
    names, contents = frozenset[str](), set[str]()
    while waiting:
        file = waiting.pop()
        if file in known:
            continue
        known.add(file)
        try:
            text = file.read_text("utf-8-sig", errors="replace")
        except OSError:
            # Compose says so.
            continue
        names |= service_trust.variables(text)
        document = _document(text)
        if isinstance(document, Mapping):
            names |= service_trust.passed(document)
            contents |= {str(file.parent / each) for each in service_trust.read(document)}
            waiting += [file.parent / each for each in service_trust.others(document)]
    return names, tuple(sorted(contents))


def _document(text: str) -> Any:
    """A YAML document; None for one that cannot be read. Compose's own tags (`!reset`, `!override`) mean nothing."""
    import yaml

    class Loader(yaml.SafeLoader):
        """Takes any tag."""

    Loader.add_multi_constructor("!", lambda loader, _, node: _untagged(loader, node))
    try:
        return yaml.load(text, Loader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError:
        return None


def _untagged(loader: Any, node: Any) -> Any:
    import yaml

    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    return loader.construct_sequence(node, deep=True) if isinstance(node, yaml.SequenceNode) else node.value


def _resolved(document: dict[str, Any], root: Path) -> dict[str, Any]:
    """The document with what is mounted from the project under its real path: a link may lead out of it."""
    for said in (document.get("services") or {}).values():
        for number, each in enumerate((said or {}).get("volumes") or ()):
            kind, source, target, rest = services.mounted(each)
            if kind == "bind" and source.startswith("/"):
                real = os.path.realpath(source)
                said["volumes"][number] = (
                    {**each, "source": real} if isinstance(each, dict) else f"{real}:{target}{rest}"
                )
    return document


def written(stack: Stack) -> str:
    """The file that is carried out: what was agreed to, and nothing that changed since."""
    return json.dumps(stack.document)
