"""The archive of `docker save`: which file of it is which layer, and the archive without some of them. Pure.

An engine passes over layers that it has, by their chain, and does not look for their files: what the other side has
need not be sent (measured with Docker 20.10; where an engine refuses, everything is sent).
"""

import hashlib
import io
import json
import posixpath
import tarfile
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, cast

MANIFEST = "manifest.json"
CHUNK = 1 << 20
SMALL = 16 << 20
"""Bytes that a manifest may have."""


@dataclass(frozen=True, slots=True)
class Index:
    """What is in an archive. `layers`: the file of each layer, lowest first; `links`: file -> what it stands for."""

    layers: tuple[str, ...]
    links: Mapping[str, str]
    sizes: Mapping[str, int]

    def spare(self, present: Collection[int]) -> frozenset[str]:
        """The files to leave out where the layers with these numbers are there already.

        What another layer's file stands for stays.
        """
        needed = {name for number, name in enumerate(self.layers) if number not in present}
        needed |= {self.links[name] for name in needed if name in self.links}
        return frozenset(self.layers[number] for number in present if self.layers[number] not in needed)

    def size(self, without: Collection[str]) -> int:
        """Bytes of the rest."""
        return sum(size for name, size in self.sizes.items() if name not in without)


def chain_ids(layers: Sequence[str]) -> tuple[str, ...]:
    """The identity of each layer together with all below it: what engines know layers by (OCI image specification)."""
    chain: list[str] = []
    for layer in layers:
        text = f"{chain[-1]} {layer}".encode() if chain else b""
        chain.append(f"sha256:{hashlib.sha256(text).hexdigest()}" if chain else layer)
    return tuple(chain)


def read(chunks: Iterable[bytes]) -> Generator[int, None, Index]:
    """Read an archive to its end: yields how far it is, in bytes, and returns what is in it.

    Raises ValueError when that is no archive of an image.
    """
    layers: tuple[str, ...] = ()
    links: dict[str, str] = {}
    sizes: dict[str, int] = {}
    with _opened(chunks) as archive:
        for member in archive:
            yield member.offset
            sizes[member.name] = member.size
            if member.issym():
                links[member.name] = posixpath.normpath(posixpath.join(posixpath.dirname(member.name), member.linkname))
            elif member.name == MANIFEST and member.size <= SMALL:
                layers = _layers(archive, member)
    if not layers or not set(layers) <= set(sizes):
        raise ValueError("an archive without a manifest of its layers")
    return Index(layers, links, sizes)


def without(chunks: Iterable[bytes], names: Collection[str]) -> Iterator[bytes]:
    """The same archive without some of its files."""
    with _opened(chunks) as archive:
        for member in archive:
            if member.name in names:
                continue
            yield member.tobuf(tarfile.PAX_FORMAT)
            if member.isreg() and (content := archive.extractfile(member)):
                while piece := content.read(CHUNK):
                    yield piece
                yield b"\0" * (-member.size % tarfile.BLOCKSIZE)
    yield b"\0" * (2 * tarfile.BLOCKSIZE)


@contextmanager
def _opened(chunks: Iterable[bytes]) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(fileobj=cast(BinaryIO, io.BufferedReader(_Reader(chunks), CHUNK)), mode="r|") as archive:
            yield archive
    except tarfile.TarError as error:
        raise ValueError(str(error)) from error


def _layers(archive: tarfile.TarFile, member: tarfile.TarInfo) -> tuple[str, ...]:
    content = archive.extractfile(member)
    [described] = json.loads(content.read() if content else b"[]")
    return tuple(described["Layers"])


class _Reader(io.RawIOBase):
    """Chunks as a file that is read once."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        """Fill a buffer with what there is."""
        into = memoryview(cast(bytearray, buffer))
        while not self._rest:
            try:
                self._rest = memoryview(next(self._chunks))
            except StopIteration:
                return 0
        size = min(len(into), len(self._rest))
        into[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size
