"""`transfer-image`: an image to the engine of another machine, by ssh, without the layers that are there already."""

import json
import shlex
import time
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from workbench import show, ssh
from workbench.engines.base import ImageStore
from workbench.errors import DockError, EngineError
from workbench.flow import Ui
from workbench.images import archive
from workbench.images.spec import Image
from workbench.model import Event
from workbench.ssh import Connection, Lost

ATTEMPTS = 3
"""Transfers that are begun when the connection keeps going."""
LEVEL = 3
"""Of zstd: its own choice, which keeps up with most networks on one core."""
FIND = "command -v docker || command -v podman; command -v zstd"
"""Fixed text for the shell there: prints the paths of what it has."""


@dataclass(frozen=True, slots=True)
class Far:
    """The engine of the other machine: how its program is called there, and whether it has zstd."""

    program: str
    zstd: bool = False

    @property
    def load(self) -> str:
        """What reads an archive there."""
        return f"zstd -dcq | {self.program} load" if self.zstd else f"{self.program} load"

    @property
    def skips(self) -> bool:
        """Whether it takes an archive without the layers that it has: Docker does."""
        return not self.program.endswith("podman")


@dataclass(frozen=True, slots=True)
class Transferred:
    """What came of it. Bytes as they went into ssh, seconds of the whole."""

    image: str
    id: str
    sent: int = 0
    kept: int = 0
    """Bytes of layers that were there already."""
    seconds: float = 0.0


def load_text(*, sudo: bool) -> str:
    """The simplest command that loads an image there."""
    return "sudo docker load" if sudo else "docker load"


def transfer(store: ImageStore, reference: str, connection: Connection, ui: Ui, *, sudo: bool = False) -> Transferred:
    """Have an image on another machine, verified by its id there. Repeats what a lost connection cut off.

    Raises DockError when the machine or its engine cannot be reached, EngineError when the engine there refuses.
    """
    image = store.image(reference)
    if image is None:
        raise EngineError(f"The image {reference} is not here.", f"See `{store.name} images`.")
    begun = time.monotonic()
    far = find(connection, sudo=sudo)
    for left in reversed(range(ATTEMPTS)):
        try:
            sent, kept = _once(store, reference, image, connection, far, ui)
            break
        except Lost as error:
            if not left:
                raise
            ui.note(f"{error.message} Trying again: what is there is asked anew.")
    return Transferred(reference, image.id, sent, kept, time.monotonic() - begun)


def _once(store: ImageStore, reference: str, image: Image, connection: Connection, far: Far, ui: Ui) -> tuple[int, int]:
    """One attempt: bytes sent, and bytes that were not."""
    there = described(connection, far, reference)
    if there and there.id == image.id:
        ui.note(f"{reference} is there already.")
        return 0, image.size
    present = _present(image, layers(connection, far)) if far.skips else frozenset[int]()
    skipped: frozenset[str] = frozenset()
    total = kept = 0
    if present:
        ui.note(f"{len(present)} of {len(image.layers)} layers are there already.")
        index = archive.index(store.save(reference))
        skipped = index.spare(present)
        total = index.size(skipped)
        kept = index.size(()) - total
    sent, refusal = _send(store, reference, connection, far, skipped, total or image.size, ui)
    if refusal and skipped:
        ui.note(f"The engine there does not take a part of an image ({refusal[-1]}): sending all of it.")
        kept = 0
        more, refusal = _send(store, reference, connection, far, frozenset(), image.size, ui)
        sent += more
    if refusal:
        raise EngineError(f"The engine of {connection.host} did not load {reference}.", _mend(refusal), detail=refusal)
    there = described(connection, far, reference)
    # Stores of another kind have another id for the same content, by which its layers tell it.
    if not there or (there.id != image.id and there.layers != image.layers):
        state = there.id if there else "it is absent"
        raise EngineError(
            f"{reference} on {connection.host} is not the image that was sent: {state}.",
            "Somebody changed it meanwhile, or its engine keeps images in another way: compare `docker inspect`.",
        )
    return sent, kept


def find(connection: Connection, *, sudo: bool) -> Far:
    """The engine there. Raises DockError when there is none, or it does not let this user in."""
    done = connection.run(FIND)
    found = {path.rpartition("/")[2]: path for path in done.out.split() if path.startswith("/")}
    name = next((name for name in ("docker", "podman") if name in found), None)
    if name is None:
        raise DockError(
            f"{connection.host} has neither docker nor podman on its PATH.",
            f"Look there: ssh {connection.host} 'echo $PATH'",
        )
    far = Far(f"sudo -n {name}" if sudo else name, "zstd" in found)
    asked = connection.run(f"{far.program} version")
    if asked.code:
        lines = [line for line in (asked.err or asked.out).splitlines() if line.strip()]
        denied = "permission denied" in asked.err.lower()
        hint = (
            "Join the group docker there, or use --sudo."
            if denied
            else f"Start it there, and try: ssh {connection.host} {name} ps"
        )
        raise DockError(f"The engine of {connection.host} does not answer.", hint, detail=lines[-3:])
    return far


def layers(connection: Connection, far: Far) -> frozenset[str]:
    """The chain ids of every layer of every image there."""
    wanted = "'{{json .RootFS.Layers}}'"
    # An image may go between the two: the others are listed all the same.
    done = connection.run(
        f"{far.program} image ls --no-trunc --quiet | sort -u | xargs -r {far.program} image inspect --format {wanted}"
    )
    found: set[str] = set()
    for line in done.out.splitlines():
        if line.startswith("["):
            found.update(archive.chain_ids(json.loads(line)))
    return frozenset(found)


def described(connection: Connection, far: Far, reference: str) -> Image | None:
    """The image of that name there, as far as it tells one from another."""
    done = connection.run(
        f"{far.program} image inspect --format '{{{{json .Id}}}} {{{{json .RootFS.Layers}}}}' {shlex.quote(reference)}"
    )
    if done.code or not done.out.strip():
        return None
    id, _, rest = done.out.strip().partition(" ")
    return Image(f"sha256:{json.loads(id).removeprefix('sha256:')}", layers=tuple(json.loads(rest) or ()))


def _present(image: Image, there: Collection[str]) -> frozenset[int]:
    return frozenset(number for number, chain in enumerate(archive.chain_ids(image.layers)) if chain in there)


def _send(
    store: ImageStore,
    reference: str,
    connection: Connection,
    far: Far,
    skipped: frozenset[str],
    total: int,
    ui: Ui,
) -> tuple[int, list[str]]:
    """Send the archive without some files; bytes that went into ssh, and why the engine there refused (empty: not)."""
    sending = _Sending(connection, far)
    chunks = archive.without(store.save(reference), skipped) if skipped else store.save(reference)
    ui.work(sending.events(chunks, f"Send {reference} to {connection.host}", total))
    return sending.sent, sending.refusal


class _Sending:
    """Feeds an archive to the other side. `sent` in bytes; `refusal` has the last lines when it was not loaded."""

    def __init__(self, connection: Connection, far: Far) -> None:
        self._connection, self._far = connection, far
        self.sent = 0
        self.refusal: list[str] = []

    def events(self, chunks: Iterable[bytes], name: str, total: int) -> Iterator[Event]:
        """Send it all."""
        begun = time.monotonic()
        yield Event("step", name, "send")
        feed = self._connection.feed(self._far.load)
        read = 0
        try:
            for raw, packed in _packed(chunks, zstd=self._far.zstd):
                read += raw
                if packed and not feed.write(packed):
                    break
                self.sent += len(packed)
                yield Event("progress", name, "send", min(read, total), total)
            done = feed.finish()
        finally:
            feed.close()
        if done.code == ssh.LOST:
            raise Lost(f"The connection to {self._connection.host} was lost.", "Run the same command again.")
        if done.code:
            lines = [line for line in (done.err or done.out).splitlines() if line.strip()]
            self.refusal = lines[-4:] or [f"exit code {done.code}"]
            yield Event("failed", name, "send")
            return
        seconds = time.monotonic() - begun
        yield Event("done", f"{name}: {show.size(self.sent)}, {show.rate(self.sent, seconds)}", "send", seconds=seconds)


def _packed(chunks: Iterable[bytes], *, zstd: bool) -> Iterator[tuple[int, bytes]]:
    """Bytes read, and what becomes of them."""
    if not zstd:
        yield from ((len(chunk), bytes(chunk)) for chunk in chunks)
        return
    from zstandard import ZstdCompressor

    packer = ZstdCompressor(level=LEVEL, threads=-1).compressobj()
    for chunk in chunks:
        yield len(chunk), packer.compress(chunk)
    yield 0, packer.flush()


def _mend(refusal: Iterable[str]) -> str:
    text = " ".join(refusal).lower()
    if "no space left" in text:
        return "Its disk is full: `docker system df` there."
    if "permission denied" in text or "sudo" in text:
        return "Join the group docker there, or use --sudo."
    return "See what it says above."
