"""Exercises of the lesson about CPU and GPU."""

import importlib
import os
import sys
from pathlib import Path


def exercise_1(names):
    """Each module knows its file, and `sys.prefix` is the folder of this device's environment.

    `importlib.import_module("tabulate").__file__` is the file; `Path(file).is_relative_to(folder)` compares.
    """
    import either

    own = names["own"]
    if not isinstance(own, (set, list, tuple)):
        return f"`own` should be a set of names such as {{'packaging'}}, and is {type(own).__name__}."
    files = {name: importlib.import_module(name).__file__ for name in either.PACKAGES}
    here = {name for name, file in files.items() if Path(file).is_relative_to(sys.prefix)}
    if extra := set(own) - here:
        return f"{', '.join(sorted(extra))} is not in {sys.prefix}: it is shared, or not there at all."
    if left := here - set(own):
        return f"there are more: {len(left)} of the packages in either.PACKAGES lie in {sys.prefix}, too."
    return None


def exercise_2(names):
    """`os.environ.get("CUDA_VISIBLE_DEVICES")` is None where nobody said anything, and "" where all are hidden."""
    device = names["device"]
    if not callable(device):
        return "`device` should be a function: def device(): …"
    kept = os.environ.get("CUDA_VISIBLE_DEVICES")
    try:
        for said, wanted in (("", "cpu"), ("0", "gpu"), ("0,1", "gpu"), (None, "gpu")):
            if said is None:
                os.environ.pop("CUDA_VISIBLE_DEVICES", None)
            else:
                os.environ["CUDA_VISIBLE_DEVICES"] = said
            answer = device()
            if answer != wanted:
                state = "is not set" if said is None else f"is {said!r}"
                return f"where CUDA_VISIBLE_DEVICES {state}, device() is {answer!r}, and should be {wanted!r}."
    finally:
        os.environ.pop("CUDA_VISIBLE_DEVICES", None)
        if kept is not None:
            os.environ["CUDA_VISIBLE_DEVICES"] = kept
    return None


def exercise_3(names):
    """Two tables, [tool.workbench.cpu] and [tool.workbench.gpu], each with a list `packages`.

    The name in brackets belongs to the package: "tensorflow[and-cuda]==2.20.0".
    """
    # Not in Python 3.9, where the other exercises run as well.
    import tomllib

    text = names["tables"]
    if not isinstance(text, str):
        return "`tables` should be text, between three quotation marks."
    try:
        found = tomllib.loads(text)
    except ValueError as error:
        return f"this is no TOML yet: {error}"
    for device, wanted in (("cpu", "tensorflow-cpu==2.20.0"), ("gpu", "tensorflow[and-cuda]==2.20.0")):
        table = found.get("tool", {}).get("workbench", {}).get(device)
        if not isinstance(table, dict):
            return f"there is no table [tool.workbench.{device}] in it."
        packages = [str(each).replace(" ", "") for each in table.get("packages", [])]
        if packages != [wanted]:
            return f"[tool.workbench.{device}] asks for {packages}, and not for {wanted} alone."
    return None
