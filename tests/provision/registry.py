"""An image registry on loopback."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from provision.ground import Ground
from provision.outside import clean
from provision.programs import background, try_to

PORT = 5055
CONFIGURATION = """\
version: 0.1
log: {{level: warn}}
storage:
  filesystem: {{rootdirectory: {folder}}}
  delete: {{enabled: true}}
http: {{addr: "127.0.0.1:{port}"}}
"""


@contextmanager
def registry(ground: Ground) -> Iterator[None]:
    """Serve an empty registry at 127.0.0.1 in the engines' network; gone at the end, images and all."""
    folder = ground.work / "registry"
    folder.mkdir()
    configuration = ground.work / "registry.yml"
    configuration.write_text(CONFIGURATION.format(folder=folder, port=PORT))
    command: list[str | Path] = [*ground.enter, "docker-registry", "serve", configuration]
    probe = [*ground.enter, "bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{PORT}"]
    with background(command, ground.work / "registry.log", lambda: try_to(probe), env=clean()):
        ground.offer("REGISTRY", f"127.0.0.1:{PORT}")
        yield
