"""Notebooks as their files hold them, for tests of their copies."""

import base64
import json
import struct
import zlib
from typing import Any


def notebook(*cells: dict[str, Any], name: str = "python3", language: str = "python", **metadata: Any) -> bytes:
    """The text of a notebook, run by the kernel `name`."""
    kernel = {"name": name, "display_name": name, "language": language}
    content = {"cells": cells, "metadata": {"kernelspec": kernel, **metadata}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(content, indent=1).encode()


def code(source: str, *outputs: dict[str, Any], count: int | None = 1, **metadata: Any) -> dict[str, Any]:
    """A code cell."""
    return {
        "cell_type": "code",
        "id": f"cell-{count}",
        "execution_count": count,
        "metadata": metadata,
        "source": source.splitlines(keepends=True),
        "outputs": list(outputs),
    }


def markdown(source: str, **attachments: dict[str, str]) -> dict[str, Any]:
    """A markdown cell; an attachment is `{MIME type: base64}`."""
    return {"cell_type": "markdown", "id": "m", "metadata": {}, "source": source, "attachments": attachments}


def raw(source: str) -> dict[str, Any]:
    """A raw cell."""
    return {"cell_type": "raw", "id": "r", "metadata": {}, "source": source}


def printed(text: str, name: str = "stdout") -> dict[str, Any]:
    """What a cell printed."""
    return {"output_type": "stream", "name": name, "text": text.splitlines(keepends=True)}


def result(data: dict[str, Any], count: int = 1) -> dict[str, Any]:
    """What a cell returned, by MIME type."""
    return {"output_type": "execute_result", "execution_count": count, "metadata": {}, "data": data}


def shown(data: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    """What a cell displayed, by MIME type."""
    return {"output_type": "display_data", "metadata": metadata, "data": data}


def failed(name: str, value: str, *traceback: str) -> dict[str, Any]:
    """The error that ended a cell."""
    return {"output_type": "error", "ename": name, "evalue": value, "traceback": list(traceback)}


def png(shade: int = 0, *, software: str = "") -> bytes:
    """A picture of one pixel; `software` as matplotlib writes it, with the time."""
    texts = (
        [(b"tEXt", b"Software\0" + software.encode()), (b"tIME", software[:7].encode().ljust(7))] if software else []
    )
    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), *texts, (b"IDAT", zlib.compress(bytes([0, shade]))), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(map(_chunk, chunks))


def text64(content: bytes | str) -> str:
    """Base64, as notebooks store pictures."""
    return base64.b64encode(content.encode() if isinstance(content, str) else content).decode()


def _chunk(part: tuple[bytes, bytes]) -> bytes:
    kind, content = part
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
