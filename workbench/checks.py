"""What a launch would find on this machine: each engine, the environment maker, the folders, the GPUs."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from workbench import gpus, show
from workbench.engines.base import Engine
from workbench.errors import WorkbenchError
from workbench.model import Device, GpuFacts, HostFacts
from workbench.plan import device
from workbench.state import cache_root, state_root

ENOUGH_DISK = 5_000_000_000
"""Bytes below which a first build may not fit."""


@dataclass(frozen=True, slots=True)
class Check:
    """One finding. `fix` is the next step, empty when there is none to take."""

    what: str
    ok: bool
    found: str
    fix: str = ""


def check(environ: Mapping[str, str]) -> Iterator[Check]:
    """Look at everything that a launch depends on; yields as it goes, since an engine may take 10 s to not answer."""
    from workbench import engines

    # Once for all: a driver that hangs costs 10 s. What containers need besides does not concern the local engine.
    here = gpus.survey("docker", environ)
    answered: list[HostFacts] = []
    for kind in ("docker", "podman", "local"):
        try:
            engine, _ = engines.connect(kind, environ)
        except WorkbenchError as error:
            yield Check(kind, ok=False, found=error.message, fix=error.hint)
            continue
        try:
            facts = replace(engine.facts(), gpu=here)
            compose = _compose(engine)
        finally:
            engine.close()
        yield Check(kind, ok=True, found=_engine(facts))
        yield from compose
        answered.append(facts)
    yield _uv(environ)
    yield from _folders()
    yield from _gpus(here, answered, environ)
    yield _chosen(answered[0])


def _engine(facts: HostFacts) -> str:
    if facts.engine == "local":
        return "virtual environments on this machine, without container isolation"
    traits = {
        "rootless": facts.rootless,
        "desktop": facts.desktop,
        "no memory or CPU limits": not facts.cgroup_limits,
    }
    named = [
        facts.version,
        f"API {facts.api_version}",
        facts.address,
        *(name for name, is_so in traits.items() if is_so),
    ]
    runtimes = f"runtimes {', '.join(facts.runtimes)}" if facts.runtimes else ""
    return _joined(*named, runtimes)


def _compose(engine: Engine) -> list[Check]:
    """What starts services; nobody needs it who has none."""
    from workbench.services import program

    if engine.services is None:
        return []
    try:
        return [Check(f"services with {engine.name}", ok=True, found=str(program.find(engine)))]
    except program.NoCompose as error:
        return [Check(f"services with {engine.name}", ok=True, found="no Compose", fix=f"for services: {error.hint}")]


def _uv(environ: Mapping[str, str]) -> Check:
    from uv import find_uv_bin

    try:
        return Check("uv", ok=True, found=str(find_uv_bin()))
    except FileNotFoundError:
        on_path = shutil.which("uv", path=environ.get("PATH"))
        return Check("uv", ok=bool(on_path), found=on_path or "missing", fix="" if on_path else "pip install uv")


def _folders() -> Iterator[Check]:
    for what, folder in (("cache", cache_root()), ("state", state_root())):
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            free = shutil.disk_usage(folder).free
        except OSError as error:
            yield Check(what, ok=False, found=f"{folder}: {error.strerror}", fix=f"make {Path(folder)} writable")
            continue
        low = free < ENOUGH_DISK
        fix = "`workbench prune` frees what is not needed" if low else ""
        yield Check(what, ok=not low, found=f"{folder}, {show.size(free)} free", fix=fix)


WAYS = {
    "cdi": "by the names of its CDI specification",
    "runtime": "by the runtime nvidia",
    "request": "by device requests",
    None: "by the driver alone",
}
"""How an engine gives a workbench its GPUs."""


def _gpus(here: GpuFacts, answered: Sequence[HostFacts], environ: Mapping[str, str]) -> Iterator[Check]:
    """Driver, GPUs, toolkit, and each engine's way to them; one quiet line where there is nothing."""
    mine = device.obstacle(answered[-1])
    if mine and not here.driver and all(device.obstacle(facts) for facts in answered):
        reason, fix = mine
        yield Check("GPU", ok=True, found=reason, fix="" if fix == device.WITHOUT else f"where there is one: {fix}")
        return
    if here.driver:
        yield from _driver(here, environ)
    if here.toolkit or here.hook or here.cdi:
        found = here.toolkit or "version not known: nvidia-ctk is not on PATH"
        yield Check("NVIDIA Container Toolkit", ok=True, found=found)
    for facts in answered:
        reason, fix = device.obstacle(facts) or ("", "")
        way = "" if reason else WAYS[device.choose(Device("gpu"), facts).form]
        yield Check(f"GPU with {facts.engine}", ok=not reason, found=reason or way, fix=fix)


def _driver(here: GpuFacts, environ: Mapping[str, str]) -> Iterator[Check]:
    version = gpus.cuda(environ)
    yield Check("NVIDIA driver", ok=True, found=_joined(here.driver, version and f"CUDA {version}"))
    for gpu in gpus.measure(environ) or here.gpus:
        memory = show.size(gpu.memory) if gpu.memory else ""
        yield Check(f"GPU {gpu.index}", ok=True, found=_joined(gpu.name, memory, gpu.uuid))


def _joined(*parts: str) -> str:
    return ", ".join(filter(None, parts))


def _chosen(facts: HostFacts) -> Check:
    """What a launch without any flag would do."""
    choice = device.choose(Device("auto"), facts)
    computes = "CPU, with the GPU ready" if choice.usable else "CPU"
    return Check("a launch would use", ok=True, found=f"{facts.engine}, {computes}")
