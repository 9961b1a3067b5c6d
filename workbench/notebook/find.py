"""Find the server that this notebook, or this terminal, belongs to. Standard library only."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_KERNEL = re.compile(r"kernel-([0-9a-f-]{36})\.json$")


@dataclass(frozen=True)
class Server:
    """Where a server answers, from this machine. `base` begins and ends with a slash."""

    host: str
    port: int
    base: str
    token: str = field(repr=False)


def find_server(environ: Mapping[str, str]) -> Server | None:
    """The server that started this program: it tells its process id, and writes what else is needed beside its kernels.

    A command that an engine runs inside was told no process id: then the server that started last is meant.
    """
    folder = _runtime(environ)
    own = folder / f"jpserver-{environ.get('JPY_PARENT_PID', '')}.json"
    described = [own] if own.is_file() else sorted(folder.glob("jpserver-*.json"), key=_age)
    return next(_readable(described), None)


def kernel_id() -> str | None:
    """The id of the kernel that runs this code; None outside of one."""
    # Who has no IPython loaded runs in no kernel of it.
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    named = _KERNEL.search(shell.config.get("IPKernelApp", {}).get("connection_file", "")) if shell else None
    return named[1] if named else None


def _runtime(environ: Mapping[str, str]) -> Path:
    told = environ.get("JUPYTER_RUNTIME_DIR")
    return Path(told) if told else Path(environ.get("WORKBENCH_RUN", "/nowhere"), "jupyter")


def _age(path: Path) -> float:
    return -path.stat().st_mtime


def _readable(paths: Iterable[Path]) -> Iterator[Server]:
    for path in paths:
        try:
            yield _server(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError):
            # Ended meanwhile, or half-written.
            continue


def _server(told: Mapping[str, Any]) -> Server:
    # It may listen on all addresses of its container; it is always on this one, and takes it for its own name.
    return Server("127.0.0.1", int(told["port"]), str(told["base_url"]), str(told["token"]))
