"""What computes: whether a workbench gets GPUs, which, and in what form its engine is asked for them. Pure."""

import re
from dataclasses import dataclass, replace
from typing import Literal

from workbench.errors import EngineError
from workbench.model import Device, Gpu, GpuForm, HostFacts

CDI = "nvidia.com/gpu="
RUNTIME = "nvidia"
UNSAFE_TOOLKIT = (1, 17, 7)
"""The newest NVIDIA Container Toolkit from which a container can break out (CVE-2025-23266)."""
WITHOUT = "run-notebook --cpu"

Obstacle = tuple[str, str]
"""Why there is no GPU to be had, as a sentence, and one command that mends it (or does without)."""

NO_DRIVER = (
    "No NVIDIA driver is loaded on this machine.",
    "sudo ubuntu-drivers install (on Debian: sudo apt-get install -y nvidia-driver)",
)
NO_GPU = ("This machine has no NVIDIA GPU.", WITHOUT)
NO_TOOLKIT = (
    "The NVIDIA Container Toolkit is not installed"
    " (its repository: https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/install-guide.html).",
    "sudo apt-get install -y nvidia-container-toolkit",
)
GENERATE = "sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml"
REGISTER = "sudo nvidia-ctk runtime configure --runtime=docker && sudo systemctl restart docker"
REGISTER_ROOTLESS = (
    "nvidia-ctk runtime configure --runtime=docker --config=$HOME/.config/docker/daemon.json"
    " && systemctl --user restart docker"
)


@dataclass(frozen=True, slots=True)
class Choice:
    """What a workbench computes on."""

    kind: Literal["cpu", "gpu"]
    """What its kernels start on."""
    ids: tuple[str, ...] = ()
    """The GPUs it gets, by index or UUID as `form` takes them; empty for all."""
    form: GpuForm | None = None
    """How the engine is asked for them; None when it is not: no GPU, or no container."""
    usable: bool = False
    """Whether there is a GPU in it, whatever kernels start on."""
    notice: str = ""
    """Why `auto` came without a GPU, in one line."""

    @property
    def device(self) -> str:
        """What kernels start on, as the label says it: `cpu`, `gpu`, `gpu:0,1`."""
        return str(Device("gpu", self.ids)) if self.kind == "gpu" else "cpu"

    @property
    def gpus(self) -> str:
        """The GPUs as a label says them: `all`, `0,1`, or nothing."""
        return (",".join(self.ids) or "all") if self.usable else ""

    @property
    def names(self) -> tuple[str, ...]:
        """The GPUs as names of CDI devices, where that is the form."""
        return tuple(CDI + id for id in self.ids or ("all",)) if self.form == "cdi" else ()


def choose(device: Device, facts: HostFacts) -> Choice:
    """The device that the user asked for, as this engine can give it.

    `auto` has GPUs in the workbench where they can be had, and kernels start on the CPU.
    Raises EngineError with the reason and what mends it when GPUs were asked for and cannot be had.
    """
    if device.kind == "cpu":
        return Choice("cpu")
    found = _way(device, facts)
    if isinstance(found, Choice):
        return found if device.kind == "gpu" else replace(found, kind="cpu")
    reason, fix = found
    if device.kind == "gpu":
        first = "" if fix == WITHOUT else f"{fix}; "
        raise EngineError(reason, f"{first}`{WITHOUT}` starts without a GPU.")
    mended = f" What mends it: {fix}" if fix != WITHOUT else ""
    return Choice("cpu", notice=f"Without a GPU: {reason}{mended}")


def obstacle(facts: HostFacts) -> Obstacle | None:
    """Why this engine has no GPU to give, and one command that mends it; None when it has."""
    found = _way(Device("auto"), facts)
    return None if isinstance(found, Choice) else found


def environment(kind: str, form: GpuForm | None, ids: tuple[str, ...]) -> dict[str, str]:
    """The variables of a container that follow from its device.

    Where the runtime `nvidia` is not asked for GPUs it is told to give none: it may be the engine's usual one.
    """
    told = {"WORKBENCH_DEVICE": kind, **({"WORKBENCH_GPUS": "all"} if form else {})}
    if form == "runtime":
        shown = {"NVIDIA_VISIBLE_DEVICES": ",".join(ids) or "all", "NVIDIA_DRIVER_CAPABILITIES": "compute,utility"}
        return {**told, **shown}
    return told if form == "request" else {**told, "NVIDIA_VISIBLE_DEVICES": "void"}


def _way(device: Device, facts: HostFacts) -> Choice | Obstacle:
    """How the GPUs that `device` names can be had, or why they cannot."""
    if not facts.remote and (lacking := _lacking(device.ids, facts)):
        return lacking
    if facts.engine == "local":
        return Choice("gpu", device.ids, usable=True)
    return _podman(device, facts) if facts.engine == "podman" else _docker(device, facts)


def _lacking(ids: tuple[str, ...], facts: HostFacts) -> Obstacle | None:
    """What this machine lacks, whatever its engine."""
    if facts.os == "darwin":
        return "A Mac has no NVIDIA GPU.", WITHOUT
    if not facts.gpu.driver:
        return NO_GPU if facts.gpu.absent else NO_DRIVER
    known = {str(gpu.index) for gpu in facts.gpu.gpus} | {gpu.uuid for gpu in facts.gpu.gpus}
    unknown = [id for id in ids if id not in known and not id.startswith("MIG-")]
    if unknown:
        return f"There is no GPU {unknown[0]} here: there is {_listed(facts.gpu.gpus, unknown[0])}.", "nvidia-smi -L"
    toolkit = facts.gpu.toolkit
    if facts.engine != "local" and toolkit and _version(toolkit) <= UNSAFE_TOOLKIT:
        return (
            f"A container can break out through the NVIDIA Container Toolkit {toolkit} (CVE-2025-23266).",
            "sudo apt-get install -y --only-upgrade nvidia-container-toolkit",
        )
    return None


def _docker(device: Device, facts: HostFacts) -> Choice | Obstacle:
    names = _specified(device, facts) if facts.takes_cdi else None
    if names is not None:
        return Choice("gpu", names, "cdi", usable=True)
    if RUNTIME in facts.runtimes:
        return Choice("gpu", device.ids, "runtime", usable=True)
    if facts.remote:
        return _remote(facts, "Docker", REGISTER)
    if facts.gpu.hook:
        return Choice("gpu", device.ids, "request", usable=True)
    if not facts.gpu.toolkit:
        return NO_TOOLKIT
    return "Docker does not know the runtime of the NVIDIA Container Toolkit.", (
        REGISTER_ROOTLESS if facts.rootless else REGISTER
    )


def _podman(device: Device, facts: HostFacts) -> Choice | Obstacle:
    if not facts.takes_cdi and not facts.program:
        return (
            f"Podman {facts.version} takes GPUs only from its own program, which is not on PATH (from 5.4 also else).",
            "sudo apt-get install -y podman",
        )
    names = _specified(device, facts)
    if names is not None:
        return Choice("gpu", names, "cdi", usable=True)
    if facts.remote:
        return _remote(facts, "Podman", GENERATE)
    if not facts.gpu.cdi and not facts.gpu.toolkit:
        return NO_TOOLKIT
    return f"No CDI specification tells Podman of {_asked(device.ids)}.", GENERATE


def _remote(facts: HostFacts, title: str, fix: str) -> Obstacle:
    if facts.os == "darwin":
        return f"{title} on a Mac has no NVIDIA GPU.", WITHOUT
    if facts.desktop:
        return f"The virtual machine of {title} has no GPU.", WITHOUT
    return f"{title} on the other machine does not say that it has a GPU.", f"{fix} (there)"


def _specified(device: Device, facts: HostFacts) -> tuple[str, ...] | None:
    """The GPUs by the names that the CDI specifications have for them, none for all; None when one is not there.

    What another machine has specified it may not tell: whoever asks for GPUs by name gets them tried.
    """
    specified = facts.gpu.cdi
    if facts.remote and not specified:
        return device.ids if device.kind == "gpu" and not facts.desktop else None
    if not device.ids:
        return () if "all" in specified else None
    names = [next((name for name in _names(id, facts) if name in specified), None) for id in device.ids]
    found = tuple(name for name in names if name is not None)
    return found if len(found) == len(names) else None


def _names(id: str, facts: HostFacts) -> tuple[str, ...]:
    """A GPU's index and UUID, first what it was asked for by."""
    same = (gpu for gpu in facts.gpu.gpus if id in (str(gpu.index), gpu.uuid))
    return (id, *(name for gpu in same for name in (str(gpu.index), gpu.uuid)))


def _listed(gpus: tuple[Gpu, ...], like: str) -> str:
    named = (f"{gpu.index} ({gpu.name})" if like.isdecimal() else f"{gpu.uuid} ({gpu.name})" for gpu in gpus)
    return ", ".join(named) or "none"


def _asked(ids: tuple[str, ...]) -> str:
    return f"GPU {', '.join(ids)}" if ids else "the GPUs"


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])
