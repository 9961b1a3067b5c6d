"""Images of a notebook as files, named by what they show."""

import binascii
import hashlib
from typing import NamedTuple

from workbench.inside.diffs import svg

SVG = "image/svg+xml"
_KINDS = {
    "image/png": ("png", b"\x89PNG\r\n\x1a\n"),
    "image/jpeg": ("jpg", b"\xff\xd8\xff"),
    "image/gif": ("gif", b"GIF8"),
    "image/webp": ("webp", b"RIFF"),
}
"""Ending of the file name, and how such a file begins."""
TYPES = (SVG, *_KINDS)
"""MIME types, the best first."""
LARGEST_DRAWING = 5_000_000
"""Characters; what takes one apart needs sixty times as much memory."""
_TEXTS = frozenset({b"tEXt", b"zTXt", b"iTXt", b"tIME"})


class Image(NamedTuple):
    """A file to be written."""

    name: str
    content: bytes


def from_base64(mime: str, text: str) -> Image | None:
    """An image as notebooks store it; None for what is not an image of that type."""
    try:
        content = binascii.a2b_base64(text)
    except (binascii.Error, ValueError):
        return None
    return from_svg(content.decode("utf-8", "replace")) if mime == SVG else from_bytes(mime, content)


def from_bytes(mime: str, content: bytes) -> Image | None:
    """An image of pixels, without the texts and times that a PNG can carry."""
    ending, begin = _KINDS.get(mime, ("", b""))
    if not ending or not content.startswith(begin):
        return None
    return _named(_without_texts(content) if ending == "png" else content, ending)


def from_svg(text: str) -> Image | None:
    """A drawing, with nothing in it that runs or loads."""
    cleaned = svg.clean(text) if len(text) <= LARGEST_DRAWING else None
    return None if cleaned is None else _named(cleaned.encode(), "svg")


def _named(content: bytes, ending: str) -> Image:
    return Image(f"{hashlib.sha256(content).hexdigest()[:16]}.{ending}", content)


def _without_texts(png: bytes) -> bytes:
    """A PNG is a signature and chunks: length (4 bytes), kind (4), content, checksum (4)."""
    kept, at = [png[:8]], 8
    while at < len(png):
        end = at + 12 + int.from_bytes(png[at : at + 4], "big")
        if png[at + 4 : at + 8] not in _TEXTS:
            kept.append(png[at:end])
        at = end
    return b"".join(kept)
