"""Kernelspecs of this server: written at its start from the templates in `kernels/`, for the project's interpreters."""

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from workbench.inside import devices
from workbench.inside.place import Device, Place

_PACKAGE = Path(__file__).resolve().parents[1]
SHIPPED = (
    Path(sys.prefix, "share", "workbench", "kernels"),
    _PACKAGE / "share" / "kernels",
    _PACKAGE.parent / "kernels",
)
"""Where the templates lie: in the image, in the wheel, in a checkout."""


def templates() -> Path:
    """The folder of kernelspec templates: `WORKBENCH_KERNELS`, or the one of this installation."""
    told = os.environ.get("WORKBENCH_KERNELS")
    return Path(told) if told else next((folder for folder in SHIPPED if folder.is_dir()), SHIPPED[-1])


def write_kernelspecs(place: Place, source: Path) -> Path:
    """Write a kernelspec for each device that can be used; returns the folder that belongs on `JUPYTER_PATH`.

    The device that the workbench starts on has Jupyter's own name, so that every notebook opens on it.
    """
    target = place.run / "share"
    shutil.rmtree(target, ignore_errors=True)
    for device in place.devices:
        folder = target / "kernels" / ("python3" if device == place.device else f"python3-{device}")
        shutil.copytree(source / device, folder, copy_function=shutil.copyfile)
        spec = _filled(json.loads((folder / "kernel.json").read_text(encoding="utf-8")), _values(place, device))
        visible = devices.cuda(place, device)
        if visible is not None:
            spec["env"][devices.CUDA] = visible
        (folder / "kernel.json").write_text(json.dumps(spec, indent=1, ensure_ascii=False), encoding="utf-8")
    return target


def _values(place: Place, device: Device) -> dict[str, str]:
    python = place.python_of(device) or Path(sys.executable)
    env, bins = devices.used(place, device) or (sys.prefix, (python.parent,))
    return {
        "@python@": str(python),
        # Jupyter reads $ in a kernel's variables as the beginning of another variable.
        "@bin@": os.pathsep.join(map(str, bins)).replace("$", "$$"),
        "@env@": str(env).replace("$", "$$"),
    }


def _filled(value: Any, values: dict[str, str]) -> Any:
    """A JSON value with the marks in its texts replaced."""
    if isinstance(value, dict):
        return {key: _filled(item, values) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, values) for item in value]
    if isinstance(value, str):
        for mark, text in values.items():
            value = value.replace(mark, text)
    return value
