"""Image registries on loopback, one of them with a password."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from provision.ground import Ground
from provision.network import listens
from provision.outside import clean
from provision.programs import ask, background

ADDRESS = "127.0.0.1"
PORT, LOCKED_PORT = 5055, 5056
LOGIN = ("ada", "correct horse")
CONFIGURATION = """\
version: 0.1
log: {{level: warn}}
storage:
  filesystem: {{rootdirectory: {folder}/images}}
  delete: {{enabled: true}}
http: {{addr: "{address}:{port}"}}
"""
LOCK = 'auth: {{htpasswd: {{realm: tests, path: "{folder}/htpasswd"}}}}\n'


@contextmanager
def registry(
    ground: Ground, name: str, port: int, login: tuple[str, str] | None = None, enter: Sequence[str] = ()
) -> Iterator[None]:
    """Serve an empty registry in the engines' network (or where `enter` leads); gone at the end, images and all."""
    folder = ground.work / name.lower()
    folder.mkdir()
    configuration = folder / "registry.yml"
    text = CONFIGURATION + LOCK if login else CONFIGURATION
    configuration.write_text(text.format(folder=folder, address=ADDRESS, port=port))
    if login:
        (folder / "htpasswd").write_text(ask(["htpasswd", "-Bbn", *login]))
    enter = enter or ground.enter
    command: list[str | Path] = [*enter, "docker-registry", "serve", configuration]
    with background(command, folder / "log", lambda: listens(enter, ADDRESS, port), env=clean()):
        ground.offer(name, f"{ADDRESS}:{port}")
        yield
