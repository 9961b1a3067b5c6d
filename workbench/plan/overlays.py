"""What the environments of the devices bring: the text that makes them, and what the shared one goes without."""

import json
import re

from packaging.requirements import Requirement

from workbench.errors import ConfigError
from workbench.model import DevicePackages, HostFacts, Settings
from workbench.plan.digest import digest

KERNEL = ("ipykernel", "pip")
"""Never apart: each environment runs on the shared one's."""
NOTHING = DevicePackages(())


def devices_json(settings: Settings, facts: HostFacts) -> str:
    """Content of `devices.json`, which `inside/overlays.py` reads; empty for a project with neither table.

    Raises ConfigError for `torch-backend = "auto"` where the driver cannot be told.
    """
    if not (settings.cpu or settings.gpu):
        return ""
    tables = {
        "cpu": _table(settings.cpu or NOTHING, {"torch-backend": _cpu_backend(settings.cpu)}),
        "gpu": _table(settings.gpu or NOTHING, _gpu_backend(settings, facts)),
    }
    return json.dumps(tables, indent=1) + "\n"


def apart(settings: Settings) -> tuple[str, ...]:
    """Normalised names of the packages that both tables list."""
    cpu, gpu = (_names(table) for table in (settings.cpu, settings.gpu))
    return tuple(sorted((cpu & gpu).difference(KERNEL)))


def inputs(settings: Settings, facts: HostFacts) -> dict[str, str]:
    """The parts of an environment's identity that are the devices'; none for a project with neither table."""
    found = {}
    if settings.cpu:
        found["the CPU environment"] = digest([settings.cpu, _cpu_backend(settings.cpu)])
    if settings.gpu:
        found["the GPU environment"] = digest([settings.gpu, _gpu_backend(settings, facts)])
    return found


def _table(packages: DevicePackages, backend: dict[str, str | None]) -> dict[str, object]:
    return {"packages": list(packages.packages), "index": packages.index, **backend}


def _cpu_backend(table: DevicePackages | None) -> str | None:
    """uv's `auto` would choose the GPU's build on a machine that has one."""
    backend = table.torch_backend if table else None
    return "cpu" if backend == "auto" else backend


def _gpu_backend(settings: Settings, facts: HostFacts) -> dict[str, str | None]:
    """`auto` goes by the driver of the machine that the workbench will run on: a build of an image sees none.

    By its branch, that is: within one, an update of the driver makes no other environment.
    """
    backend = settings.gpu.torch_backend if settings.gpu else None
    if backend != "auto":
        return {"torch-backend": backend}
    if facts.gpu.driver:
        return {"torch-backend": "auto", "driver": facts.gpu.driver.partition(".")[0]}
    if facts.remote and not (facts.desktop and facts.os == "darwin"):
        raise ConfigError(
            f'{settings.origins["gpu"]}: `gpu`: torch-backend = "auto" goes by the NVIDIA driver, and that of another '
            "machine cannot be told.",
            'Name the build that its GPUs can use, for instance torch-backend = "cu128".',
        )
    return {"torch-backend": "cpu"}


def _names(table: DevicePackages | None) -> set[str]:
    return {re.sub(r"[-_.]+", "-", Requirement(each).name).lower() for each in (table or NOTHING).packages}
