"""Kernelspecs of this server: written at its start from the templates in `kernels/`, for the project's interpreter."""

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from workbench.inside.place import Place

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
    """Write each template in `source` for this project; returns the folder that belongs on `JUPYTER_PATH`."""
    target = place.run / "share"
    shutil.rmtree(target, ignore_errors=True)
    for template in sorted(source.glob("*/kernel.json")):
        folder = target / "kernels" / template.parent.name
        shutil.copytree(template.parent, folder, copy_function=shutil.copyfile)
        spec = json.loads(template.read_text(encoding="utf-8"))
        text = json.dumps(_filled(spec, _values(place)), indent=1, ensure_ascii=False)
        (folder / "kernel.json").write_text(text, encoding="utf-8")
    return target


def _values(place: Place) -> dict[str, str]:
    python = place.python or Path(sys.executable)
    return {
        "@python@": str(python),
        "@project@": place.root.name,
        # Jupyter reads $ in a kernel's variables as the beginning of another variable.
        "@bin@": str(python.parent).replace("$", "$$"),
        "@env@": str(place.env or sys.prefix).replace("$", "$$"),
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
