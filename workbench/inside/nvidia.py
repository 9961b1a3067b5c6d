"""What `nvidia-smi` is asked, and what it answers: for this machine and for the inside of a container."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

FIELDS = ("index", "uuid", "name", "memory.total", "memory.used", "utilization.gpu")
CSV = "--format=csv,noheader,nounits"
WSL = "usr/lib/wsl/lib"
"""Where Windows puts the driver's programs in its Linux, whatever PATH says."""


@dataclass(frozen=True, slots=True)
class Row:
    """One GPU. Memory in bytes, `load` from 0 to 1; None where that is not known."""

    index: int
    uuid: str
    name: str
    memory: int | None
    memory_used: int | None
    load: float | None


def program(environ: Mapping[str, str], root: Path = Path("/")) -> str | None:
    """Where nvidia-smi lies, None where it does not."""
    return shutil.which("nvidia-smi", path=environ.get("PATH")) or shutil.which("nvidia-smi", path=str(root / WSL))


def query(ids: Sequence[str] = ()) -> tuple[str, ...]:
    """The command whose output `rows` reads; `ids` are indices or UUIDs, none for all."""
    return ("nvidia-smi", f"--query-gpu={','.join(FIELDS)}", CSV, *((f"--id={','.join(ids)}",) if ids else ()))


def rows(text: str) -> tuple[Row, ...]:
    """The GPUs in the output of `query`; a value such as `[N/A]` is not known. Other lines are left out."""
    found = ([cell.strip() for cell in line.split(",")] for line in text.splitlines())
    return tuple(
        Row(int(row[0]), row[1], row[2], _scaled(row[3], 1 << 20), _scaled(row[4], 1 << 20), _share(row[5]))
        for row in found
        if len(row) >= len(FIELDS) and row[0].isdecimal()
    )


def _scaled(text: str, unit: int) -> int | None:
    return int(text) * unit if text.isdecimal() else None


def _share(text: str) -> float | None:
    return int(text) / 100 if text.isdecimal() else None
