"""A project's Compose file as Compose itself reads it."""

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from workbench import process
from workbench.errors import ConfigError, ProjectError, last_lines
from workbench.model import Mount
from workbench.plan import service_trust, services
from workbench.plan.services import Stack
from workbench.plan.trust import visible
from workbench.services.program import Program

NAMES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
PATIENCE = 60
"""Seconds in which Compose must have read a file."""
PASSED = re.compile(
    r"PATH|HOME|USER|LOGNAME|LANG|LC_\w+|TMPDIR|(?:DOCKER|COMPOSE|BUILDKIT|BUILDX|XDG|CONTAINERS?|PODMAN)_\w+"
    r"|(?:https?|no|all|ftp)_proxy|SSL_CERT_\w+",
    re.IGNORECASE,
)
"""Variables of the user's environment that Compose has in any case: how it finds the engine, and the network."""
NO_REMOTE = {"COMPOSE_EXPERIMENTAL_GIT_REMOTE": "false", "COMPOSE_EXPERIMENTAL_OCI_REMOTE": "false"}
"""Compose fetches no file of another machine: nobody has agreed to it yet, and what it reads could not be told."""


@dataclass(frozen=True, slots=True)
class Source:
    """A Compose file of a project: what it came to, and what of the user's environment it has seen."""

    stack: Stack
    seen: tuple[str, ...]
    """Variables that its text names, and that there are."""
    reads: tuple[str, ...]
    """Files out of the project whose content went into services, as sentences for the one who must agree."""
    env: Mapping[str, str]
    """The whole environment that Compose is given."""


def read(root: Path, program: Program, environ: Mapping[str, str]) -> Source:
    """Have Compose read the project's file.

    It is given those variables only that the file's text names; whoever asks for agreement names them. Raises
    ProjectError where there is no file, ConfigError with Compose's own words where it does not take it.
    """
    files = _files(root, environ)
    if not files:
        raise ProjectError(
            f"{root} has no Compose file, which services are described in.",
            f"Write one, {NAMES[0]}: https://docs.docker.com/compose/gettingstarted",
        )
    seen, reads, unread = _sources(root, files, files if environ.get("COMPOSE_FILE") else ())
    env = {name: value for name, value in environ.items() if name in seen or PASSED.fullmatch(name)} | {**program.env}
    chosen = ("--profile", "*") if program.is_modern else ()
    form = ("--format", "json") if program.is_modern else ()
    words = (*program.words, *(word for file in files for word in ("-f", str(file))), *chosen, "config", *form)
    # A file can hide the name of a variable from us: what nobody may know is not there to be found.
    known = {name: value for name, value in env.items() if name in seen or not service_trust.secret((name,))}
    done = process.run(words, env=known | NO_REMOTE, whole=True, cwd=root, timeout=PATIENCE)
    if done.code != 0:
        raise ConfigError(
            f"Compose does not take {', '.join(file.name for file in files)}.",
            f"These are its words; `{' '.join(program.words)} config` says them again.",
            detail=last_lines(done.err),
        )
    if unread:
        raise ConfigError(
            f"Compose can read {unread[0]}, and Workbench cannot tell which files and variables it takes.",
            "Write it as plain YAML in UTF-8.",
        )
    document = _resolved(_printed(done.out, program), root)
    told = tuple(sorted((seen | service_trust.passed(document)) & env.keys()))
    return Source(services.stack(document, _name(root, environ)), told, reads, env)


def profiles(environ: Mapping[str, str], root: Path) -> tuple[str, ...]:
    """The profiles that the user has chosen."""
    said = environ.get("COMPOSE_PROFILES") or _dotenv(root, "COMPOSE_PROFILES")
    return tuple(part.strip() for part in said.split(",") if part.strip())


def agreed(
    source: Source, names: tuple[str, ...], root: Path, *, far: bool, shared: tuple[Mount, ...] = ()
) -> tuple[str, ...]:
    """What these services ask for. `far`: another machine runs them. `shared`: volumes that the workbench has too."""
    asked = service_trust.asks(source.stack, names, None if far else PurePath(root), source.seen, shared)
    usual = _called(source.env.get("COMPOSE_PROJECT_NAME") or root.name)
    whose = f"Be the Compose project {source.stack.name}, and have the containers and volumes that it has."
    return (*asked, *source.reads, *([whose] if source.stack.name != usual else []))


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
    return _called(environ.get("COMPOSE_PROJECT_NAME") or _dotenv(root, "COMPOSE_PROJECT_NAME") or root.name)


def _called(said: str) -> str:
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


def _sources(
    root: Path, files: list[Path], chosen: Iterable[Path]
) -> tuple[frozenset[str], tuple[str, ...], list[Path]]:
    """What these files and those that they are made of take: variables by name, files out of the project as sentences.

    The last are Compose files that cannot be read here. `chosen`: those that the user has named.
    """
    waiting = [(file, files[0].parent) for file in files]
    variables = _at([*{files[0].parent, root}], ".env")
    known, unread, names, any_file = set[Path](), list[Path](), frozenset[str](), set[str]()
    while waiting:
        file, base = waiting.pop()
        if file in known or not _is_there(file):
            continue
        known.add(file)
        # Which of them a path begins from differs from Compose to Compose.
        bases = [*{base, file.parent}]
        documents = _documents(file)
        if documents is None:
            unread.append(file)
        for document in documents or ():
            names |= service_trust.named(document) | service_trust.passed(document)
            takes, further = service_trust.read(document), service_trust.extended(document)
            waiting += [(each, each.parent) for path in further for each in _at(bases, path)]
            for paths, folder, own in service_trust.included(document):
                begin = _at(bases, folder or str(PurePath(paths[0] if paths else "").parent))
                waiting += [(each, start) for path in paths for each in _at(bases, path) for start in begin]
                variables |= {each for path in own or (".env",) for each in _at([*bases, *begin], path)}
                further |= {*paths, folder}
                takes |= {*own}
            variables |= {each for path in takes for each in _at(bases, path)}
            any_file |= {path for path in (*takes, *further) if "$" in path or path.startswith("~")}
    for file in variables:
        names |= service_trust.filled(_text(file) or "")
    ends = {os.path.realpath(file) for file in (known | variables) - {*chosen} if os.path.lexists(file)}
    outside = [file for file in sorted(ends) if not PurePath(file).is_relative_to(os.path.realpath(root))]
    read = [f"Read the file {file} into the services." for file in outside]
    read += [f"Read any file that `{path}` stands for into the services." for path in sorted(any_file)]
    return names, tuple(visible(sentence) for sentence in read), unread


def _at(bases: Iterable[Path], path: str) -> set[Path]:
    """Where a path may lead, from these folders: before links are followed, or after."""
    return {each for base in bases for each in (base / path, Path(os.path.normpath(base / path)))}


def _is_there(file: Path) -> bool:
    try:
        return file.is_file()
    except OSError:
        return False


def _text(file: Path) -> str | None:
    """None: it is not there, or no text."""
    try:
        return file.read_text("utf-8-sig")
    except (OSError, ValueError):
        return None


def _documents(file: Path) -> list[Any] | None:
    """The YAML documents of a file, None where they cannot be read. Compose's own tags (`!reset`) mean nothing.

    Every text is taken as it is written: Compose does not take `yes` for a truth, as YAML did once.
    """
    import yaml

    kept = ("tag:yaml.org,2002:null", "tag:yaml.org,2002:merge")
    made = (kept[0], *(f"tag:yaml.org,2002:{kind}" for kind in ("str", "seq", "map")))

    class Loader(yaml.SafeLoader):
        """Takes any tag."""

    Loader.yaml_implicit_resolvers = {
        mark: [each for each in forms if each[0] in kept]
        for mark, forms in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    Loader.yaml_constructors = {tag: yaml.SafeLoader.yaml_constructors[tag] for tag in made}
    Loader.add_multi_constructor("", _untagged)
    text = _text(file)
    try:
        found = None if text is None else [*yaml.load_all(text, Loader)]
    except (yaml.YAMLError, RecursionError):
        return None
    return found if all(each is None or isinstance(each, Mapping) for each in found or ()) else None


def _untagged(loader: Any, suffix: str, node: Any) -> Any:
    import yaml

    if suffix.endswith(":binary"):
        raise yaml.YAMLError("what it says is hidden")
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    return loader.construct_sequence(node, deep=True) if isinstance(node, yaml.SequenceNode) else node.value


def _printed(text: str, program: Program) -> dict[str, Any]:
    """The document that Compose has printed: version 1 knows YAML only."""
    if program.is_modern:
        return dict(json.loads(text))
    import yaml

    return dict(yaml.safe_load(text))


def _resolved(document: dict[str, Any], root: Path) -> dict[str, Any]:
    """The document with what is used of the machine under its real path: a link may lead out of the project."""
    for said in filter(None, (document.get("services") or {}).values()):
        build = said.get("build")
        if isinstance(build, str):
            said["build"] = _real(build)
        elif build:
            build["context"] = _real(build.get("context"))
            for name, path in services.table(build.get("additional_contexts")).items():
                build["additional_contexts"][name] = _real(path)
        for number, each in enumerate(said.get("volumes") or ()):
            kind, source, target, rest = services.mounted(each)
            if kind == "bind":
                real = _real(source)
                said["volumes"][number] = (
                    {**each, "source": real} if isinstance(each, dict) else f"{real}:{target}{rest}"
                )
    for kind, key in (("secrets", "file"), ("configs", "file")):
        for each in (document.get(kind) or {}).values():
            if each and each.get(key):
                each[key] = _real(each[key])
    for each in (document.get("volumes") or {}).values():
        options = (each or {}).get("driver_opts") or {}
        if options.get("device"):
            options["device"] = _real(options["device"])
    return document


def _real(path: Any) -> Any:
    """An absolute path without links; anything else as it is."""
    return os.path.realpath(path) if isinstance(path, str) and path.startswith("/") else path


def written(stack: Stack) -> str:
    """The file that is carried out: what was agreed to, and nothing that changed since."""
    return json.dumps(stack.document)
