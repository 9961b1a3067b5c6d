"""The words of which the commands of container engines are made. Pure."""

import csv
import io
from collections.abc import Iterable, Mapping

from workbench.model import GpuForm, Mount
from workbench.plan.device import RUNTIME

Command = tuple[str, ...]


def repeat(option: str, values: Iterable[str]) -> Command:
    """An option before each of its values."""
    return tuple(word for value in values for word in (option, value))


def pairs(values: Mapping[str, str]) -> list[str]:
    """`NAME=VALUE`, each."""
    return [f"{name}={value}" for name, value in values.items()]


def record(fields: list[str]) -> str:
    """One line of comma-separated values, as `--mount` and `--secret` read it: commas and quotes may be in a path."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(fields)
    return line.getvalue()


def mount_words(mount: Mount) -> str:
    """The value of `--mount`."""
    fields = [f"type={mount.kind}", f"source={mount.source}", f"target={mount.target}"]
    return record([*fields, *(["readonly"] if mount.read_only else [])])


def gpus(form: GpuForm | None, ids: tuple[str, ...]) -> Command:
    """How GPUs are asked for. As CDI names they are among the devices; those of the runtime a variable names."""
    if form == "runtime":
        return (f"--runtime={RUNTIME}",)
    if form == "request":
        return ("--gpus", record([f"device={','.join(ids)}"]) if ids else "all")
    return ()
