"""What this machine has for NVIDIA GPUs: driver, GPUs, container toolkit, CDI specifications. Only reads."""

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

from workbench import process
from workbench.inside.nvidia import CSV, program, query, rows
from workbench.model import EngineName, Gpu, GpuFacts

__all__ = ["cuda", "measure", "parse", "query", "survey"]
PATIENCE = 10
"""Seconds after which a program of the driver counts as not there: it hangs when the driver does."""
NVIDIA = "0x10de"
"""The PCI vendor."""
KIND = "nvidia.com/gpu"
"""What CDI calls NVIDIA's GPUs: `nvidia.com/gpu=0`."""


def survey(engine: EngineName, environ: Mapping[str, str], root: Path = Path("/")) -> GpuFacts:
    """What there is; quick, without starting a program, on a machine without a driver.

    The local engine needs nothing but the driver, so only for the others the container toolkit is looked for.
    """
    driver, gpus = _from_kernel(root) or _from_program(environ, root) or ("", ())
    if not driver:
        return GpuFacts(absent=_is_absent(root))
    if engine == "local":
        return GpuFacts(driver, gpus)
    return GpuFacts(
        driver,
        gpus,
        toolkit=_toolkit(environ),
        hook=shutil.which("nvidia-container-runtime-hook", path=environ.get("PATH")) is not None,
        cdi=_specified(root),
    )


def parse(text: str) -> tuple[Gpu, ...]:
    """The GPUs in the output of `query`."""
    return tuple(Gpu(**asdict(row)) for row in rows(text))


def measure(environ: Mapping[str, str], root: Path = Path("/")) -> tuple[Gpu, ...]:
    """This machine's GPUs with their memory and load; none where nvidia-smi is not there or does not answer."""
    return parse(_ask(program(environ, root), *query()[1:]))


def cuda(environ: Mapping[str, str], root: Path = Path("/")) -> str:
    """The newest CUDA that the driver supports, for instance `12.8`; empty when it cannot be told."""
    found = re.search(r"CUDA (?:\w+ )?Version\s*:\s*(\d[\d.]*)", _ask(program(environ, root)))
    return found[1] if found else ""


def _from_kernel(root: Path) -> tuple[str, tuple[Gpu, ...]] | None:
    """Driver and GPUs as the driver's own files tell them; None when it is not loaded, or not for us to use."""
    about = root / "proc/driver/nvidia/version"
    if not about.is_file() or not (root / "dev/nvidiactl").exists():
        return None
    version = re.search(r"\b(\d+\.\d+(?:\.\d+)?)\b", about.read_text())
    found = [_information(path.read_text()) for path in sorted(root.glob("proc/driver/nvidia/gpus/*/information"))]
    # A container sees the files of all GPUs, and the devices of its own.
    usable = [each for each in found if (root / f"dev/nvidia{each.get('Device Minor')}").exists()]
    # The folders are named by PCI address, which is the order of nvidia-smi.
    gpus = tuple(Gpu(index, each.get("GPU UUID", ""), each.get("Model", "")) for index, each in enumerate(usable))
    # Devices are made, and UUIDs known, at the first use after the machine's start.
    if not gpus or any("?" in gpu.uuid for gpu in gpus):
        return None
    return (version[1] if version else "unknown"), gpus


def _is_absent(root: Path) -> bool:
    """Whether the PCI bus can be seen and nothing of NVIDIA's is on it. Windows' Linux has another way to a GPU."""
    if (root / "dev/dxg").exists():
        return False
    vendors = [path.read_text().strip() for path in root.glob("sys/bus/pci/devices/*/vendor")]
    return bool(vendors) and NVIDIA not in vendors


def _information(text: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in text.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _from_program(environ: Mapping[str, str], root: Path) -> tuple[str, tuple[Gpu, ...]] | None:
    """The same by nvidia-smi: Windows' Linux has no such files."""
    smi = program(environ, root)
    versions = _ask(smi, "--query-gpu=driver_version", CSV).split()
    return (versions[0], parse(_ask(smi, *query()[1:]))) if versions else None


def _toolkit(environ: Mapping[str, str]) -> str:
    found = re.search(r"version (\d[\w.]*)", _ask(shutil.which("nvidia-ctk", path=environ.get("PATH")), "--version"))
    return found[1] if found else ""


def _specified(root: Path) -> tuple[str, ...]:
    """Names of NVIDIA's GPUs in the CDI specifications that engines read."""
    files = (path for folder in ("etc/cdi", "var/run/cdi") for path in sorted((root / folder).glob("*")))
    names = (name for path in files if path.suffix in (".json", ".yaml", ".yml") for name in _names(path))
    return tuple(dict.fromkeys(names))


def _names(path: Path) -> Iterator[str]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
        spec = json.loads(text) if path.suffix == ".json" else None
    except (OSError, ValueError):
        # Engines leave out what they cannot read, too.
        return
    if isinstance(spec, dict) and spec.get("kind") == KIND:
        yield from (each["name"] for each in spec.get("devices") or ())
    elif re.search(rf"""^kind: *["']?{KIND}["']?\s*$""", text, re.MULTILINE):
        yield from _yaml_names(text)


def _yaml_names(text: str) -> Iterator[str]:
    """The `name` of each item of the top-level list `devices`, as nvidia-ctk writes it."""
    devices = re.search(r"^devices:\n((?:[ -].*\n?)*)", text, re.MULTILINE)
    item = re.match(r" *- ", devices[1]) if devices else None
    if devices and item:
        deep = len(item[0])
        yield from re.findall(
            rf"""^(?: {{{deep - 2}}}- | {{{deep}}})name: *["']?([^"'\s]+)""", devices[1], re.MULTILINE
        )


def _ask(smi: str | None, *words: str) -> str:
    """What a program says; nothing when it is not there, fails or hangs: then there is no driver to use."""
    if smi is None:
        return ""
    try:
        done = process.run((smi, *words), timeout=PATIENCE)
    except process.TookTooLong:
        return ""
    return done.out if done.code == 0 else ""
