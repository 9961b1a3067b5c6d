"""The engine of another machine, asked by ssh. All commands for the shell there are fixed texts."""

import json
import shlex
from collections.abc import Iterable
from dataclasses import dataclass

from workbench.errors import DockError
from workbench.images import archive
from workbench.images.spec import Image
from workbench.process import Feed
from workbench.ssh import Connection

FIND = "command -v docker || command -v podman; command -v zstd"
"""Prints the paths of what is there."""


@dataclass(frozen=True, slots=True)
class FarEngine:
    """An engine on the other side of a connection: how its program is called there, and whether zstd is beside it."""

    connection: Connection
    program: str
    zstd: bool = False

    @property
    def skips(self) -> bool:
        """Whether it takes an archive without the layers that it has: Docker does."""
        return not self.program.endswith("podman")

    def layers(self) -> frozenset[str]:
        """The chain ids of every layer of every image there."""
        wanted = "'{{json .RootFS.Layers}}'"
        # An image may go between the two: the others are listed all the same.
        done = self.connection.run(
            f"{self.program} image ls --no-trunc --quiet | sort -u"
            f" | xargs -r {self.program} image inspect --format {wanted}"
        )
        lists = (json.loads(line) for line in done.out.splitlines() if line.startswith("["))
        return frozenset(chain for layers in lists for chain in archive.chain_ids(layers))

    def image(self, reference: str) -> Image | None:
        """The image of that name there, as far as it tells one from another."""
        wanted = "'{{json .Id}} {{json .RootFS.Layers}}'"
        done = self.connection.run(f"{self.program} image inspect --format {wanted} {shlex.quote(reference)}")
        if done.code or not done.out.strip():
            return None
        id, _, layers = done.out.strip().partition(" ")
        # Podman's ids have no prefix.
        return Image(f"sha256:{json.loads(id).removeprefix('sha256:')}", layers=tuple(json.loads(layers) or ()))

    def rename(self, before: str, after: str) -> None:
        """Give what has one name there another one."""
        words = (shlex.quote(before), shlex.quote(after))
        self.connection.run(f"{self.program} tag {' '.join(words)} && {self.program} rmi {words[0]}")

    def load(self) -> Feed:
        """What loads the archive that it is fed, compressed where zstd is there."""
        return self.connection.feed(f"zstd -dcq | {self.program} load" if self.zstd else f"{self.program} load")


def find(connection: Connection, *, sudo: bool) -> FarEngine:
    """The engine there. Raises DockError when there is none, or it does not let this user in."""
    host = connection.host
    done = connection.run(FIND)
    found = {path.rpartition("/")[2] for path in done.out.split() if path.startswith("/")}
    name = next((name for name in ("docker", "podman") if name in found), None)
    if name is None:
        raise DockError(f"{host} has neither docker nor podman on its PATH.", f"Look there: ssh {host} 'echo $PATH'")
    far = FarEngine(connection, f"sudo -n {name}" if sudo else name, "zstd" in found)
    asked = connection.run(f"{far.program} version")
    if asked.code:
        lines = [line for line in (asked.err or asked.out).splitlines() if line.strip()]
        hint = rights(lines) or f"Start it there, and try: ssh {host} {name} ps"
        raise DockError(f"The engine of {host} does not answer.", hint, detail=lines[-3:])
    return far


def rights(lines: Iterable[str]) -> str:
    """What to do about a refusal for want of rights; empty when that is not why."""
    text = " ".join(lines).lower()
    if "sudo" in text:
        return "sudo wants a password there: join the group docker instead, and leave --sudo out."
    return "Join the group docker there, or use --sudo." if "permission denied" in text else ""
