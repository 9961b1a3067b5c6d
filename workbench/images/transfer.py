"""`transfer-image`: an image to the engine of another machine, by ssh, without the layers that are there already."""

import time
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from workbench import show, ssh
from workbench.engines.base import ImageStore
from workbench.errors import EngineError
from workbench.flow import Ui
from workbench.images import archive, far
from workbench.images.archive import Index
from workbench.images.far import FarEngine
from workbench.images.spec import Image
from workbench.model import Event
from workbench.ssh import Connection, Lost

ATTEMPTS = 3
"""Transfers that are begun when the connection keeps going."""
LEVEL = 3
"""Of zstd: its own choice, which keeps up with most networks on one core."""


@dataclass(frozen=True, slots=True)
class Transferred:
    """What came of it. Bytes as they went into ssh, seconds of the whole."""

    image: str
    id: str
    sent: int = 0
    kept: int = 0
    """Bytes of what was there already."""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Load:
    """What of an archive is sent: all but `without`, `size` bytes; `kept` bytes are not."""

    size: int
    without: frozenset[str] = frozenset()
    kept: int = 0


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
    engine = far.find(connection, sudo=sudo)
    for left in reversed(range(ATTEMPTS)):
        try:
            sent, kept = _Transfer(store, reference, image, engine, ui).once()
            break
        except Lost as error:
            if not left:
                raise
            ui.note(f"{error.message} Trying again: what is there is asked anew.")
    return Transferred(reference, image.id, sent, kept, time.monotonic() - begun)


class _Transfer:
    """One attempt. Nothing of it stays on the other side when it is cut off: an archive loads as a whole or not."""

    def __init__(self, store: ImageStore, reference: str, image: Image, engine: FarEngine, ui: Ui) -> None:
        self._store, self._reference, self._image, self._engine, self._ui = store, reference, image, engine, ui
        self._host = engine.connection.host
        self._sent = 0
        self._refusal: list[str] = []

    def once(self) -> tuple[int, int]:
        """Bytes sent, and bytes that were not."""
        there = self._engine.image(self._reference)
        if there and there.id == self._image.id:
            self._ui.note(f"{self._reference} is there already.")
            return 0, self._image.size
        load = self._what_is_missing()
        self._ui.work(self._send(load))
        if self._refusal and load.without:
            self._ui.note(f"The engine there does not take a part of an image: {self._refusal[-1]}. Sending all of it.")
            load = Load(self._image.size)
            self._ui.work(self._send(load))
        if self._refusal:
            hint = far.rights(self._refusal) or "Look at its disk: `docker system df` there."
            raise EngineError(f"The engine of {self._host} did not load {self._reference}.", hint, detail=self._refusal)
        self._verify()
        return self._sent, load.kept

    def _what_is_missing(self) -> Load:
        """What to send. Which file of an archive is which layer stands at its end, so it is read once before."""
        there: Collection[str] = self._engine.layers() if self._engine.skips else ()
        chain = archive.chain_ids(self._image.layers)
        present = {number for number, layer in enumerate(chain) if layer in there}
        if not present:
            return Load(self._image.size)
        reading = _Reading(self._store.save(self._reference), self._image.size)
        self._ui.work(reading.events(f"Compare {self._reference}: {len(present)} of {len(chain)} layers are there"))
        if reading.index is None or len(reading.index.layers) != len(chain):
            # An archive of another kind: then everything is sent.
            return Load(self._image.size)
        spare = reading.index.spare(present)
        rest = reading.index.size(spare)
        return Load(rest, spare, reading.index.size(()) - rest)

    def _send(self, load: Load) -> Iterator[Event]:
        """Send it, and keep the last lines of the engine there if it refuses."""
        name, begun, before = f"Send {self._reference} to {self._host}", time.monotonic(), self._sent
        yield Event("step", name, "send")
        chunks = self._store.save(self._reference)
        feed = self._engine.load()
        read = 0
        try:
            for raw, packed in _packed(archive.without(chunks, load.without) if load.without else chunks, self._engine):
                read += raw
                if not feed.write(packed):
                    break
                self._sent += len(packed)
                yield Event("progress", name, "send", min(read, load.size), load.size)
            done = feed.finish()
        finally:
            feed.close()
        # Below zero: somebody ended ssh.
        if done.code == ssh.LOST or done.code < 0:
            raise Lost(f"The connection to {self._host} was lost.", "Run the same command again.")
        lines = [line for line in (done.err or done.out).splitlines() if line.strip()]
        self._refusal = (lines[-4:] or [f"exit code {done.code}"]) if done.code else []
        sent, seconds = self._sent - before, time.monotonic() - begun
        amount = f"{name}: {show.size(sent)}, {show.rate(sent, seconds)}"
        yield Event("failed", name, "send") if done.code else Event("done", amount, "send", seconds=seconds)

    def _verify(self) -> None:
        if self._store.name == "podman":
            # Its archives have the host that it writes before short names.
            self._engine.rename(f"localhost/{self._reference}", self._reference)
        there = self._engine.image(self._reference)
        # Stores of another kind have another id for the same content, by which its layers tell it.
        if there and (there.id == self._image.id or there.layers == self._image.layers):
            return
        raise EngineError(
            f"{self._reference} on {self._host} is not what was sent: {there.id if there else 'it is not there'}.",
            "Somebody changed it meanwhile, or its engine keeps images in another way: compare `docker inspect`.",
        )


class _Reading:
    """An archive that is read for its `index`; None when it has none that we know."""

    index: Index | None = None

    def __init__(self, chunks: Iterator[bytes], size: int) -> None:
        self._chunks, self._size = chunks, size

    def events(self, name: str) -> Iterator[Event]:
        """Read it to its end."""
        begun = time.monotonic()
        yield Event("step", name, "read")
        reading = archive.read(self._chunks)
        try:
            while True:
                yield Event("progress", name, "read", min(next(reading), self._size), self._size)
        except StopIteration as end:
            self.index = end.value
        except ValueError:
            self.index = None
        yield Event("done", name, "read", seconds=time.monotonic() - begun)


def _packed(chunks: Iterable[bytes], engine: FarEngine) -> Iterator[tuple[int, bytes]]:
    """Bytes read, and what becomes of them."""
    if not engine.zstd:
        yield from ((len(chunk), chunk) for chunk in chunks)
        return
    from zstandard import ZstdCompressor

    packer = ZstdCompressor(level=LEVEL, threads=-1).compressobj()
    for chunk in chunks:
        yield len(chunk), packer.compress(chunk)
    yield 0, packer.flush()
