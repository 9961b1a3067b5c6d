"""Image builds by the engine's own program, because the API offers only the old builder (docker/docker-py#3178)."""

import os
import re
import shutil
import stat
import tempfile
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from workbench import process
from workbench.engines import progress
from workbench.engines.dialect import Dialect
from workbench.engines.failures import FULL, NETWORK, unmet
from workbench.engines.sockets import Address
from workbench.errors import EngineError
from workbench.images.spec import DockerfileBuild
from workbench.model import Event, ImageBuild, Secret
from workbench.plan import commands, image_commands

ATTEMPTS = 3
"""Builds, if the engine keeps failing by itself."""
MISHAP = {
    "docker": re.compile(r"(?m)(^|: )no active sessions?$"),
    "podman": re.compile(
        r"layer not known|image not known|identifier is not an? \w+|/merged: no such file"
        r"|running runtime: signal: killed"
    ),
}
"""What an engine says when it failed by itself. Docker (20.10): a step was shared with a build that was killed at that
moment. Podman (4.3): a layer that something else removed while the build used it, and a helper of its service that
dies with the thread that started it (golang/go#27505); a step that is killed ends with a status."""
SENT = "podman-build-secret*"
"""What Podman's program calls the secrets of a build, which it sends with the context and ignores like the rest."""
KEPT = 6
"""Last lines of a step that an error shows."""
BUILT_IN = range(19, 23)
"""Docker clients with BuildKit inside; before them there was none, after them it is the buildx plug-in."""


class Mishap(EngineError):
    """The engine failed by itself: the same build may well succeed."""


def build(build: ImageBuild, dialect: Dialect, address: Address) -> Iterator[Event]:
    """Write the context and build. Closing the iterator ends the build."""
    write_context(build)
    wanted = commands.build_command(build, dialect.name)
    return _run(wanted, build.tag, build.secrets, {}, dialect, address)


def build_dockerfile(build: DockerfileBuild, dialect: Dialect, address: Address) -> Iterator[Event]:
    """Build from a folder of the user's, which the program itself filters and sends."""
    wanted = image_commands.build_command(build, dialect.name)
    with tempfile.NamedTemporaryFile("w", prefix="ignore-", encoding="utf-8", errors="surrogateescape") as ignore:
        if dialect.name == "podman" and build.secrets and (text := _ignored(build)):
            ignore.write(f"{text}\n!{SENT}\n")
            ignore.flush()
            wanted = (*wanted[:2], f"--ignorefile={ignore.name}", *wanted[2:])
        yield from _run(wanted, build.tag, build.secrets, build.private, dialect, address)


def _ignored(build: DockerfileBuild) -> str:
    """The text of the `.dockerignore` that counts for a build; empty where there is none."""
    root = Path(build.context)
    for file in (root / f"{build.dockerfile}.dockerignore", root / ".dockerignore"):
        if file.is_file():
            # Podman 4 reads a leading slash only where it finds the file by itself; it means nothing.
            return re.sub(r"(?m)^(!?)/+", r"\1", file.read_text("utf-8", "surrogateescape"))
    return ""


def _run(
    wanted: tuple[str, ...],
    tag: str,
    secrets: Sequence[Secret],
    private: Mapping[str, str],
    dialect: Dialect,
    address: Address,
) -> Iterator[Event]:
    """Have the engine's program build; it finds the values of `private` in its environment."""
    program = find_program(dialect)
    if dialect.name == "podman":
        _check_secrets(secrets)
        argv = (program, *dialect.remote, address.url, *wanted[1:])
        yield from _to_its_end(argv, private, progress.podman, tag, dialect)
        return
    env = {
        **private,
        **commands.BUILD_ENVIRONMENT,
        **address.environment,
        # The engine's own builder, which knows the engine's images, and images as every engine takes them.
        "BUILDX_BUILDER": "default",
        "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",
    }
    yield from _to_its_end((program, *wanted[1:]), env, progress.buildkit, tag, dialect)


def _to_its_end(
    argv: tuple[str, ...],
    env: Mapping[str, str],
    read: Callable[[Iterable[str]], Iterator[Event]],
    tag: str,
    dialect: Dialect,
) -> Iterator[Event]:
    """Build; again when the engine failed by itself."""
    for left in reversed(range(ATTEMPTS)):
        output = _Output(process.lines(argv, env=env))
        try:
            yield from _watch(output, read(output), tag, dialect)
            return
        except Mishap:
            if not left:
                raise
            yield Event("note", f"{dialect.title} lost its hold on a step of the build: building again.")


def _check_secrets(secrets: Iterable[Secret]) -> None:
    """Podman splits `--secret` at commas and knows no quotes."""
    for secret in secrets:
        if "," in secret.source:
            raise EngineError(
                f"Podman cannot read {secret.source} in a build: there is a comma in its path.",
                f"Have the {secret.id} in a folder without commas, or use `--engine docker`.",
            )


class _Output:
    """The lines of a program; `code` is its exit code after the last one."""

    code = 0

    def __init__(self, lines: Generator[str, None, int]) -> None:
        self._lines = lines

    def __iter__(self) -> Iterator[str]:
        self.code = yield from self._lines

    def close(self) -> None:
        """End the program."""
        self._lines.close()


def _watch(output: _Output, events: Iterator[Event], tag: str, dialect: Dialect) -> Iterator[Event]:
    """Pass the events on; raise with the failed step and its last lines when the program failed."""
    steps: dict[str, deque[str]] = {}
    last: deque[str] = deque(maxlen=KEPT)
    failed: Event | None = None
    with closing(output):
        for event in events:
            if event.kind == "failed":
                failed = event
            elif event.kind == "output":
                last.append(event.text)
                steps.setdefault(event.step, deque(maxlen=KEPT)).append(event.text)
            yield event
    if output.code != 0:
        words = (*steps.get(failed.step, ()), *last) if failed else tuple(last)
        raise _failure(tag, dialect, failed.text if failed else "", tuple(dict.fromkeys(words)))


def _failure(tag: str, dialect: Dialect, step: str, words: tuple[str, ...]) -> EngineError:
    text = "\n".join(words)
    if FULL.search(text):
        hint = f"The disk is full: `workbench prune`, `{dialect.name} system df`."
    elif device := unmet(words):
        return device
    elif "secret" in text and "too big" in text:
        hint = "A certificate bundle or configuration file is larger than a build takes: make it smaller."
    elif NETWORK.search(text):
        hint = "The build could not reach a server: check network, proxy and certificates of the engine."
    else:
        hint = "Correct what it names and run the same command again; `-v` shows the whole build."
    where = f" at {step}" if step else ""
    kind = Mishap if MISHAP[dialect.name].search(text) else EngineError
    return kind(f"The build of {tag} failed{where}.", hint, detail=words[:KEPT])


def find_program(dialect: Dialect) -> str:
    """The engine's program that can build: Podman's, or the first `docker` on PATH with BuildKit."""
    found = [shutil.which(dialect.name, path=folder) for folder in os.get_exec_path()]
    programs = list({os.path.realpath(each): each for each in reversed(found) if each}.values())[::-1]
    for program in programs:
        if dialect.name == "podman" or _has_buildkit(program):
            return program
    if programs:
        raise EngineError(
            f"No `docker` here can build with BuildKit: {', '.join(programs)}.",
            "Install its buildx plug-in: https://docs.docker.com/go/buildx/",
        )
    raise EngineError(
        f"Images are built by the program `{dialect.name}`, which is not on PATH.",
        f"Install it: {dialect.install}; or use an image as it is: --image NAME --as-is",
    )


def _has_buildkit(program: str) -> bool:
    version = re.search(r"Docker version (\d+)\.", process.run((program, "--version"), timeout=10).out)
    if not version:
        return False
    return int(version[1]) in BUILT_IN or process.run((program, "buildx", "version"), timeout=10).code == 0


def write_context(build: ImageBuild) -> None:
    """Have exactly `build.files` in the context folder (0700); files that are the same are left alone."""
    root = Path(build.context)
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    root.chmod(0o700)
    wanted = {root / name: content for name, content in build.files.items()}
    _remove_strays(root, set(wanted))
    for path, content in wanted.items():
        if not path.resolve().is_relative_to(root.resolve()):
            raise EngineError(f"{path} is outside of the build's folder.", "Name files inside the project only.")
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        if not path.is_file() or path.read_bytes() != content:
            path.write_bytes(content)
        # Modes are part of what a COPY line caches by: not this user's umask.
        path.chmod(0o644)


def _remove_strays(root: Path, wanted: set[Path]) -> None:
    folders = {parent for path in wanted for parent in path.parents}
    for path in sorted(root.rglob("*"), reverse=True):
        mode = path.lstat().st_mode
        if stat.S_ISDIR(mode):
            if path not in folders:
                path.rmdir()
        elif path not in wanted or not stat.S_ISREG(mode):
            path.unlink()
