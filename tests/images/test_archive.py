"""Archives of `docker save` without the layers that the other side has."""

import hashlib
import io
import json
import random
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence

import pytest

from workbench.images import archive

LAYERS = {"a/layer.tar": b"one" * 1000, "b/layer.tar": b"two" * 7000, "c/layer.tar": b"three"}


def packed(files: Mapping[str, bytes | str], layers: Sequence[str] | None = None) -> bytes:
    """An archive; a text is a symbolic link to what it names."""
    stream = io.BytesIO()
    manifest = [{"Config": "x.json", "RepoTags": ["p:1"], "Layers": list(layers or LAYERS)}]
    with tarfile.open(fileobj=stream, mode="w") as file:
        for name, content in {**files, "manifest.json": json.dumps(manifest).encode()}.items():
            member = tarfile.TarInfo(name)
            if isinstance(content, str):
                member.type, member.linkname = tarfile.SYMTYPE, content
                file.addfile(member)
            else:
                member.size = len(content)
                file.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def chunks(content: bytes, seed: int = 1) -> Iterator[bytes]:
    """Pieces of any size, empty ones too."""
    random_ = random.Random(seed)  # noqa: S311
    while content:
        size = random_.choice((0, 1, 13, 511, 512, 4096))
        yield content[:size]
        content = content[size:]


def index(content: Iterable[bytes]) -> archive.Index:
    reading = archive.read(content)
    while True:
        try:
            next(reading)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]


def names(content: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(content)) as file:
        return {
            each.name: (found.read() if (found := file.extractfile(each)) else b"") for each in file if each.isreg()
        }


@pytest.mark.parametrize("seed", range(5))
def test_only_what_is_left_out_is_gone(seed: int) -> None:
    whole = packed(LAYERS)
    found = index(chunks(whole, seed))
    spare = found.spare({0, 1})
    lean = b"".join(archive.without(chunks(whole, seed), spare))
    assert found.layers == tuple(LAYERS)
    assert spare == {"a/layer.tar", "b/layer.tar"}
    assert names(lean) == {name: content for name, content in names(whole).items() if name not in spare}
    assert found.size(spare) == sum(map(len, names(lean).values()))


def test_what_another_layer_stands_for_stays() -> None:
    files = {"a/layer.tar": b"one", "b/layer.tar": "../a/layer.tar"}
    found = index([packed(files, list(files))])
    assert found.spare({0}) == frozenset()
    assert found.spare({0, 1}) == {"a/layer.tar", "b/layer.tar"}


@pytest.mark.parametrize(
    "content",
    [b"", b"x" * 2000, b"\0" * 2000, packed({}, ["gone/layer.tar"]), packed(LAYERS)[:3000]],
    ids=["empty", "text", "zeros", "lacking", "cut"],
)
def test_what_is_no_archive_of_an_image(content: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        index([content])


def test_chain_ids() -> None:
    # The example values follow from the definition in the OCI image specification.
    one, two = "sha256:" + "1" * 64, "sha256:" + "2" * 64
    first, second = archive.chain_ids([one, two])
    assert first == one
    assert second == "sha256:" + hashlib.sha256(f"{one} {two}".encode()).hexdigest()
    assert archive.chain_ids([]) == ()
